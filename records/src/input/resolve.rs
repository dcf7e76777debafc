//! From keys and values to a record: which kind it is, what each value may be, and which times it has.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use super::fields::{Fields, Key};
use super::value::{Value, quoted, short};
use super::{Kind, Parsed, ParsedEvent, ParsedNetwork, Refusal, Text};
use crate::time;

pub(super) fn resolve<'a>(fields: &mut Fields<'a>) -> Result<Parsed<'a>, Refusal> {
    if is_event(fields)? { event(fields) } else { network(fields) }
}

fn is_event(fields: &mut Fields<'_>) -> Result<bool, Refusal> {
    match fields.take(Key::MetricType) {
        Some(Value::Text(kind)) => match &*kind {
            "event" => Ok(true),
            "network" => Ok(false),
            other => Err(unknown_kind(other)),
        },
        None | Some(Value::Null) => match (fields.has(Key::EventName), fields.has(Key::Operation)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            (true, true) => Err(refusal(
                "event_name and operation are both there: metric_type must say whether it is an \"event\" or a \"network\" record",
            )),
            (false, false) => Err(refusal(
                "neither metric_type nor event_name nor operation is there: the kind of record is not known",
            )),
        },
        Some(other) => Err(Refusal(format!("metric_type: must be \"event\" or \"network\", and this is {other}"))),
    }
}

fn unknown_kind(kind: &str) -> Refusal {
    let lower = kind.to_lowercase();
    let meant = ["event", "network"].into_iter().find(|known| strsim::damerau_levenshtein(&lower, known) <= 2);
    let hint = meant.map_or_else(String::new, |meant| format!(" (did you mean \"{meant}\"?)"));
    Refusal(format!("metric_type: {} is not known{hint}; \"event\" and \"network\" are", quoted(kind)))
}

fn event<'a>(fields: &mut Fields<'a>) -> Result<Parsed<'a>, Refusal> {
    let event_name = name(fields, Key::EventName, "an event")?;
    let task_id = optional_text(fields, Key::TaskId)?.unwrap_or_default();
    let start_time = instant(fields, Key::StartTime)?
        .ok_or_else(|| refusal("start_time is missing: seconds since 1970 or RFC 3339 text"))?;
    let end_time = end_after(fields, start_time)?;
    let status = status(fields)?;
    let error = error(fields);
    let retry_count = whole(fields, Key::RetryCount, u64::from(u32::MAX))?.unwrap_or(0) as u32;
    // The largest value says "absent" in a packed batch.
    let process_id = whole(fields, Key::ProcessId, u64::from(u32::MAX - 1))?.map(|id| id as u32);
    discard_derived(fields);
    let attributes = fields.take_attributes(&[
        Key::Operation,
        Key::Latency,
        Key::Host,
        Key::Port,
        Key::BytesSent,
        Key::BytesReceived,
    ])?;
    let event =
        ParsedEvent { event_name, task_id, start_time, end_time, status, error, retry_count, process_id, attributes };
    Ok(Parsed(Kind::Event(event)))
}

fn network<'a>(fields: &mut Fields<'a>) -> Result<Parsed<'a>, Refusal> {
    let operation = name(fields, Key::Operation, "a network record")?;
    let task_id = optional_text(fields, Key::TaskId)?;
    let host = name(fields, Key::Host, "a network record")?;
    let port = whole(fields, Key::Port, u64::from(u16::MAX))?.unwrap_or(0) as u16;
    let (start_time, end_time) = network_times(fields)?;
    let bytes_sent = whole(fields, Key::BytesSent, u64::MAX)?.unwrap_or(0);
    let bytes_received = whole(fields, Key::BytesReceived, u64::MAX)?.unwrap_or(0);
    let error = error(fields);
    discard_derived(fields);
    let attributes = fields.take_attributes(&[Key::EventName, Key::Status, Key::RetryCount, Key::ProcessId])?;
    let network = ParsedNetwork {
        operation,
        task_id,
        host,
        port,
        start_time,
        end_time,
        bytes_sent,
        bytes_received,
        error,
        attributes,
    };
    Ok(Parsed(Kind::Network(network)))
}

/// What the standard dictionary derives from other fields.
fn discard_derived(fields: &mut Fields<'_>) {
    fields.take(Key::Timestamp);
    fields.take(Key::Duration);
}

fn network_times(fields: &mut Fields<'_>) -> Result<(f64, Option<f64>), Refusal> {
    let latency = match fields.take(Key::Latency) {
        None | Some(Value::Null) => None,
        Some(value) => Some(seconds(Key::Latency, &value)?),
    };
    if let Some(negative) = latency.filter(|latency| *latency < 0.0) {
        return Err(Refusal(format!("latency: {} s is negative", short(negative))));
    }
    match (instant(fields, Key::StartTime)?, latency) {
        (Some(start), None) => Ok((start, end_after(fields, start)?)),
        (Some(start), Some(latency)) => {
            let end = match end_after(fields, start)? {
                Some(end) => end,
                None => within_range(Key::Latency, start + latency)?,
            };
            Ok((start, Some(end)))
        }
        (None, Some(latency)) => {
            let end = match instant(fields, Key::EndTime)? {
                Some(end) => end,
                None => written_at(fields)?,
            };
            Ok((within_range(Key::Latency, end - latency)?, Some(end)))
        }
        (None, None) => {
            Err(refusal("start_time is missing: seconds since 1970 or RFC 3339 text; or latency beside a timestamp"))
        }
    }
}

/// When the record was written: the one use of `timestamp`, which may be without a zone and is UTC then.
fn written_at(fields: &mut Fields<'_>) -> Result<f64, Refusal> {
    let naive = match fields.take(Key::Timestamp) {
        Some(Value::Text(text)) => match text.parse::<DateTime>() {
            Ok(naive) if text.parse::<Timestamp>().is_err() => Some(naive),
            _ => return parsed_instant(Key::Timestamp, &Value::Text(text)),
        },
        Some(value) if !matches!(value, Value::Null) => return parsed_instant(Key::Timestamp, &value),
        _ => None,
    };
    let naive = naive.ok_or_else(|| refusal("latency needs start_time, end_time or timestamp beside it"))?;
    let utc = TimeZone::UTC
        .to_timestamp(naive)
        .map_err(|_range| Refusal(format!("timestamp: {naive} is out of range, times go from 1970 to 2262")))?;
    within_range(Key::Timestamp, as_seconds(utc))
}

fn end_after(fields: &mut Fields<'_>, start: f64) -> Result<Option<f64>, Refusal> {
    let end = instant(fields, Key::EndTime)?;
    match end {
        Some(end) if end < start => Err(Refusal(format!("end_time: {end} is before start_time, {start}"))),
        end => Ok(end),
    }
}

fn instant(fields: &mut Fields<'_>, key: Key) -> Result<Option<f64>, Refusal> {
    match fields.take(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => parsed_instant(key, &value).map(Some),
    }
}

fn parsed_instant(key: Key, value: &Value<'_>) -> Result<f64, Refusal> {
    let seconds = match value {
        Value::Text(text) => rfc3339(key, text)?,
        number => seconds(key, number)?,
    };
    within_range(key, seconds)
}

fn seconds(key: Key, value: &Value<'_>) -> Result<f64, Refusal> {
    match value {
        Value::Whole(seconds) => Ok(*seconds as f64),
        Value::Negative(seconds) => Ok(*seconds as f64),
        Value::Float(seconds) => Ok(*seconds),
        other => {
            let or_text = if key == Key::Latency { "" } else { " or RFC 3339 text" };
            Err(Refusal(format!("{}: must be a number of seconds{or_text}, and this is {other}", key.name())))
        }
    }
}

fn within_range(key: Key, seconds: f64) -> Result<f64, Refusal> {
    if time::in_range(seconds) {
        return Ok(seconds);
    }
    // From 2000 to 2100, as other programs count time.
    let looks_like = [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")]
        .into_iter()
        .find(|(unit, _)| (946_684_800.0..4_102_444_800.0).contains(&(seconds / unit)));
    let hint =
        looks_like.map_or_else(String::new, |(_, unit)| format!("; it looks like {unit}, and times are in seconds"));
    Err(Refusal(format!("{}: {} s is out of range, times go from 1970 to 2262{hint}", key.name(), short(seconds))))
}

fn rfc3339(key: Key, text: &str) -> Result<f64, Refusal> {
    match text.parse::<Timestamp>() {
        Ok(timestamp) => Ok(as_seconds(timestamp)),
        Err(_) if text.parse::<civil::DateTime>().is_ok() => Err(Refusal(format!(
            "{}: {} has no zone; end it with Z or an offset such as +01:00",
            key.name(),
            quoted(text)
        ))),
        Err(_) if has_form_of_a_date(text) => {
            Err(Refusal(format!("{}: {}: there is no such date or time", key.name(), quoted(text))))
        }
        Err(_) => Err(Refusal(format!(
            "{}: {} is neither a number of seconds nor RFC 3339 text such as 2026-11-22T17:29:31.25Z",
            key.name(),
            quoted(text)
        ))),
    }
}

/// Whether a text has digits and dashes where `2026-02-30T00:00:00Z` has them.
fn has_form_of_a_date(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00?00:00:00";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'?' => matches!(byte, b'T' | b't' | b' '),
        other => byte == *other,
    };
    let ends = text.as_bytes().last().is_some_and(|last| last.is_ascii_digit() || matches!(last, b'Z' | b'z'));
    ends && text.len() >= FORM.len() && text.bytes().zip(FORM).all(fits)
}

fn as_seconds(timestamp: Timestamp) -> f64 {
    timestamp.as_second() as f64 + f64::from(timestamp.subsec_nanosecond()) / 1e9
}

/// A text that must be there, which `needs` needs.
fn name<'a>(fields: &mut Fields<'a>, key: Key, needs: &str) -> Result<Text<'a>, Refusal> {
    match fields.take(key) {
        Some(Value::Text(text)) if text.is_empty() => Err(Refusal(format!("{}: must not be empty", key.name()))),
        Some(Value::Text(text)) => Ok(text),
        None => Err(Refusal(format!("{} is missing: {needs} needs one", key.name()))),
        Some(other) => Err(Refusal(format!("{}: must be text, and this is {other}", key.name()))),
    }
}

fn optional_text<'a>(fields: &mut Fields<'a>, key: Key) -> Result<Option<Text<'a>>, Refusal> {
    match fields.take(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(Refusal(format!("{}: must be text, and this is {other}", key.name()))),
    }
}

/// An event that does not say how it stands is `pending`.
fn status<'a>(fields: &mut Fields<'a>) -> Result<Text<'a>, Refusal> {
    match optional_text(fields, Key::Status)? {
        None => Ok(Cow::Borrowed("pending")),
        Some(status) if status.is_empty() => Err(refusal("status: must not be empty")),
        Some(status) => Ok(status),
    }
}

/// Programs put more than text here: what they put is kept as an attribute would be.
fn error<'a>(fields: &mut Fields<'a>) -> Option<Text<'a>> {
    fields.take(Key::Error).and_then(Value::into_attribute)
}

fn whole(fields: &mut Fields<'_>, key: Key, largest: u64) -> Result<Option<u64>, Refusal> {
    let too_large =
        |value: &dyn std::fmt::Display| Refusal(format!("{}: {value} is above the largest, {largest}", key.name()));
    match fields.take(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Whole(value)) if value <= largest => Ok(Some(value)),
        Some(Value::Whole(value)) => Err(too_large(&value)),
        Some(Value::Negative(value)) => Err(negative(key, &value)),
        Some(Value::Float(value)) if value < 0.0 => Err(negative(key, &short(value))),
        Some(Value::Float(value)) if value.fract() != 0.0 => {
            Err(Refusal(format!("{}: {} is not a whole number", key.name(), short(value))))
        }
        // 2^64 as a double; below it every whole double is a u64.
        Some(Value::Float(value)) if value < 18_446_744_073_709_551_616.0 && value as u64 <= largest => {
            Ok(Some(value as u64))
        }
        Some(Value::Float(value)) => Err(too_large(&short(value))),
        Some(other) => Err(Refusal(format!("{}: must be a whole number, and this is {other}", key.name()))),
    }
}

fn negative(key: Key, value: &dyn std::fmt::Display) -> Refusal {
    Refusal(format!("{}: {value} is negative, and 0 is the least", key.name()))
}

fn refusal(reason: &str) -> Refusal {
    Refusal(reason.to_owned())
}
