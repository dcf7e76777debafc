//! Records as they really look: one JSON object to a [`Parsed`] record, or the reason why it is none.
//!
//! The rules, the same for every source:
//!
//! - `metric_type` (`event` or `network`) names the kind; without it `event_name` or `operation` does.
//! - Times are seconds since the Unix epoch or RFC 3339 text with a zone, from 1970 to 2262. A network record
//!   with `latency` and no start starts that long before its `timestamp`; one with a start and no end ends that
//!   long after it. Where start and end are there, they win over `latency`.
//! - `timestamp` is used for nothing else, since programs write it in their local time; without a zone it is UTC.
//!   `duration` is derived and never read.
//! - Whole numbers may be written as `1.0`; text is never taken as a number, nor a number as a name.
//! - An unknown key is an attribute, as the keys of `attributes` are: text as it is, numbers and booleans as JSON
//!   writes them, null left out, arrays and objects as JSON text. At most [`MAX_ATTRIBUTES`] a record, with those that
//!   are null.
//! - A key that stands twice, and anything that a record cannot have, refuses the record: the [`Refusal`] names key
//!   and value, and no part of the record is used.
//!
//! Cutting lines out of files and bodies is the work of the sources.

mod fast;
mod fields;
mod json;
mod resolve;
pub(crate) mod told;
mod value;

use std::borrow::Cow;

use thiserror::Error;

use crate::metrics::{Attributes, Event, MetricsRef, Network};
use fields::Fields;

/// How many attributes a record may have.
pub const MAX_ATTRIBUTES: usize = 256;

/// How long a line, or one record of a JSON array, may be, in bytes.
pub const MAX_LINE: usize = 8 << 20;

/// Why a line is no record: what was wrong, where, and what would be right, in one line of text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// A refusal in a source's own words.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A record that was read, borrowing its texts from the line where it can.
#[derive(Debug)]
pub struct Parsed<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Event(ParsedEvent<'a>),
    Network(ParsedNetwork<'a>),
}

type Text<'a> = Cow<'a, str>;
type Pairs<'a> = Vec<(Text<'a>, Text<'a>)>;

#[derive(Debug)]
struct ParsedEvent<'a> {
    event_name: Text<'a>,
    task_id: Text<'a>,
    start_time: f64,
    end_time: Option<f64>,
    status: Text<'a>,
    error: Option<Text<'a>>,
    retry_count: u32,
    process_id: Option<u32>,
    attributes: Pairs<'a>,
}

#[derive(Debug)]
struct ParsedNetwork<'a> {
    operation: Text<'a>,
    task_id: Option<Text<'a>>,
    host: Text<'a>,
    port: u16,
    start_time: f64,
    end_time: Option<f64>,
    bytes_sent: u64,
    bytes_received: u64,
    error: Option<Text<'a>>,
    attributes: Pairs<'a>,
}

impl Parsed<'_> {
    /// The record.
    pub fn as_ref(&self) -> MetricsRef<'_> {
        match &self.0 {
            Kind::Event(event) => MetricsRef::Event(event.as_ref()),
            Kind::Network(network) => MetricsRef::Network(network.as_ref()),
        }
    }
}

impl ParsedEvent<'_> {
    fn as_ref(&self) -> Event<'_> {
        Event {
            event_name: &self.event_name,
            task_id: &self.task_id,
            start_time: self.start_time,
            end_time: self.end_time,
            status: &self.status,
            error: self.error.as_deref(),
            retry_count: self.retry_count,
            process_id: self.process_id,
            attributes: Attributes::parsed(&self.attributes),
        }
    }
}

impl ParsedNetwork<'_> {
    fn as_ref(&self) -> Network<'_> {
        Network {
            operation: &self.operation,
            task_id: self.task_id.as_deref(),
            host: &self.host,
            port: self.port,
            start_time: self.start_time,
            end_time: self.end_time,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            error: self.error.as_deref(),
            attributes: Attributes::parsed(&self.attributes),
        }
    }
}

/// Reads one line: `None` where it is blank. A byte order mark and a carriage return are no part of it.
///
/// # Errors
/// A [`Refusal`] where the line is no record.
pub fn parse_line(line: &[u8]) -> Result<Option<Parsed<'_>>, Refusal> {
    // Blanks before the record stay: columns count them.
    let line = bare(line);
    if line.is_empty() {
        return Ok(None);
    }
    parse_record(line).map(Some)
}

/// Whether [`parse_line`] finds nothing on this line, neither a record nor something wrong.
pub fn is_blank(line: &[u8]) -> bool {
    bare(line).is_empty()
}

fn bare(line: &[u8]) -> &[u8] {
    line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii_end()
}

/// Reads one record: a JSON object, which may span lines.
///
/// # Errors
/// A [`Refusal`] where it is no record.
pub fn parse_record(json: &[u8]) -> Result<Parsed<'_>, Refusal> {
    if json.len() > MAX_LINE {
        return Err(Refusal(format!("longer than {} MiB, which no record is", MAX_LINE >> 20)));
    }
    let text = std::str::from_utf8(json).map_err(|error| told::not_utf8("record", json, error))?;
    let mut fields = Fields::default();
    if fast::parse_object(text, &mut fields).is_none() {
        fields = json::parse_object(text)?;
    }
    resolve::resolve(&mut fields)
}

#[cfg(test)]
mod tests;
