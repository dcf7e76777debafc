//! The data points of OTLP.

use super::resource::attribute;
use crate::exemplars::Exemplar;
use crate::native::{Native, ZERO_THRESHOLD};
use crate::push::{Count, Point, Reading, exemplar_time};
use crate::view::{CellsView, NO_NATIVE, Value};
use crate::wire;

/// The flag of a data point that says that there is no value any more.
const NO_RECORDED_VALUE: u64 = 1;

/// Appends the data points of a series: numbers and classic histograms to `points`, native ones to `exponential`.
pub(super) fn write(point: &Point<'_>, points: &mut Vec<u8>, exponential: &mut Vec<u8>) -> Count {
    let mut count = Count::default();
    if let Some(zero) = point.zero {
        let at = Moment { start: Some(zero), time: zero, flags: 0 };
        count += data(point, at, true, points, exponential);
    }
    let flags = if matches!(point.reading, Reading::Stale) { NO_RECORDED_VALUE } else { 0 };
    count += data(point, Moment { start: point.start, time: point.time, flags }, false, points, exponential);
    count
}

/// When a data point is, and what it says of itself.
#[derive(Clone, Copy)]
struct Moment {
    start: Option<i64>,
    time: i64,
    flags: u64,
}

fn data(point: &Point<'_>, at: Moment, zero: bool, points: &mut Vec<u8>, exponential: &mut Vec<u8>) -> Count {
    let mut count = Count::default();
    let CellsView::Histograms(histograms) = point.view.cells else {
        let value = match &point.reading {
            Reading::Value(Value::Counter(count)) if !zero => Some(*count as f64),
            Reading::Value(Value::Gauge(value)) => Some(*value),
            Reading::Value(_) => Some(0.0),
            Reading::Stale => None,
        };
        let exemplar = point.exemplar(0).filter(|_| !zero);
        wire::nested(1, points, |out| number(point, at, value, exemplar, out));
        return Count { samples: 1, histograms: 0, exemplars: u64::from(exemplar.is_some()) };
    };
    let Histogram { counts, sum, native } = Histogram::of(point, zero);
    if histograms.form.shows_classic() {
        let exemplars = exemplars(point, zero);
        let bounds = histograms.buckets.bounds();
        wire::nested(1, points, |out| classic(point, at, (bounds, counts), sum, &exemplars, out));
        count += Count { samples: 1, histograms: 0, exemplars: exemplars.len() as u64 };
    }
    if histograms.form.has_native() {
        let exemplars = if histograms.form.shows_classic() { Vec::new() } else { exemplars(point, zero) };
        let total = counts.iter().sum();
        wire::nested(1, exponential, |out| native_fields(point, at, native, (total, sum), &exemplars, out));
        count += Count { samples: 1, histograms: 0, exemplars: exemplars.len() as u64 };
    }
    count
}

/// What a histogram shows; nothing of a 0 and of one that has ended.
struct Histogram<'a> {
    counts: &'a [u64],
    sum: f64,
    native: Option<&'a Native>,
}

impl<'a> Histogram<'a> {
    fn of(point: &'a Point<'_>, zero: bool) -> Self {
        match &point.reading {
            Reading::Value(Value::Histogram(view)) if !zero => {
                Self { counts: view.counts, sum: view.sum, native: view.native }
            }
            _ => Self { counts: &[], sum: 0.0, native: None },
        }
    }
}

/// In the order of their buckets, which is that of their values: how receivers find their buckets again.
fn exemplars<'a>(point: &Point<'a>, zero: bool) -> Vec<&'a Exemplar> {
    let buckets = if zero { 0 } else { point.view.buckets() };
    (0..buckets).filter_map(|bucket| point.exemplar(bucket)).collect()
}

fn number(point: &Point<'_>, at: Moment, value: Option<f64>, exemplar: Option<&Exemplar>, out: &mut Vec<u8>) {
    times(at, out);
    if let Some(value) = value {
        wire::double(4, value, out);
    }
    exemplar_fields(5, exemplar, out);
    attributes(7, point, out);
    flags(8, at, out);
}

fn classic(
    point: &Point<'_>,
    at: Moment,
    (bounds, counts): (&[f64], &[u64]),
    sum: f64,
    exemplars: &[&Exemplar],
    out: &mut Vec<u8>,
) {
    times(at, out);
    wire::fixed(4, counts.iter().sum(), out);
    wire::double(5, sum, out);
    wire::nested(6, out, |out| {
        for bucket in 0..=bounds.len() {
            out.extend_from_slice(&counts.get(bucket).copied().unwrap_or(0).to_le_bytes());
        }
    });
    wire::nested(7, out, |out| bounds.iter().for_each(|bound| out.extend_from_slice(&bound.to_le_bytes())));
    exemplar_fields(8, exemplars.iter().copied(), out);
    attributes(9, point, out);
    flags(10, at, out);
}

fn native_fields(
    point: &Point<'_>,
    at: Moment,
    native: Option<&Native>,
    (count, sum): (u64, f64),
    exemplars: &[&Exemplar],
    out: &mut Vec<u8>,
) {
    let native = native.unwrap_or(&NO_NATIVE);
    attributes(1, point, out);
    times(at, out);
    wire::fixed(4, count, out);
    wire::double(5, sum, out);
    wire::signed(6, i64::from(native.schema()), out);
    wire::fixed(7, native.zero, out);
    if !native.counts.is_empty() {
        wire::nested(8, out, |out| {
            // Bucket i of OTLP is what is above base^i, and of Prometheus what is not above base^i.
            wire::signed(1, i64::from(native.first - 1), out);
            wire::nested(2, out, |out| native.counts.iter().for_each(|count| wire::varint(*count, out)));
        });
    }
    flags(10, at, out);
    exemplar_fields(11, exemplars.iter().copied(), out);
    wire::double(14, ZERO_THRESHOLD, out);
}

/// Start and time, fields 2 and 3 of every data point.
fn times(at: Moment, out: &mut Vec<u8>) {
    if let Some(start) = at.start {
        wire::fixed(2, nanos(start), out);
    }
    wire::fixed(3, nanos(at.time), out);
}

fn nanos(millis: i64) -> u64 {
    millis.max(0).cast_unsigned().saturating_mul(1_000_000)
}

fn attributes(field: u16, point: &Point<'_>, out: &mut Vec<u8>) {
    for (key, value) in point.labels() {
        wire::nested(field, out, |out| attribute(key, value, out));
    }
}

fn flags(field: u8, at: Moment, out: &mut Vec<u8>) {
    if at.flags != 0 {
        wire::unsigned(field, at.flags, out);
    }
}

fn exemplar_fields<'a>(field: u16, exemplars: impl IntoIterator<Item = &'a Exemplar>, out: &mut Vec<u8>) {
    for exemplar in exemplars {
        wire::nested(field, out, |out| exemplar_message(exemplar, out));
    }
}

fn exemplar_message(exemplar: &Exemplar, out: &mut Vec<u8>) {
    wire::fixed(2, nanos(exemplar_time(exemplar)), out);
    wire::double(3, exemplar.value(), out);
    for (name, value) in exemplar.labels() {
        match (name, id(value).as_deref()) {
            ("span_id", Some(id)) if id.len() == 8 => wire::bytes(4, id, out),
            ("trace_id", Some(id)) if id.len() == 16 => wire::bytes(5, id, out),
            _ => wire::nested(7, out, |out| attribute(name, value, out)),
        }
    }
}

/// The bytes of an id, if it is written in hexadecimal digits.
fn id(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    digits.map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}
