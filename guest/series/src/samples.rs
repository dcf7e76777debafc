//! Sample lines, which the two text formats write alike.
//!
//! A label without a value is left out: to Prometheus an empty label is an absent one.

use crate::escape;
use crate::number;
use crate::view::{FamilyView, Value};

/// Appends the sample lines of a family.
pub(crate) fn encode(family: &FamilyView<'_>, out: &mut Vec<u8>) {
    let name = family.descriptor.name();
    let mut labels = Vec::new();
    for row in 0..family.labels.len() {
        labels.clear();
        label_pairs(family, row, &mut labels);
        match family.value(row) {
            Value::Counter(count) => {
                start(name, "_total", &labels, out);
                number::integer(count, out);
                out.push(b'\n');
            }
            Value::Gauge(value) => {
                start(name, "", &labels, out);
                number::float(value, out);
                out.push(b'\n');
            }
            Value::Histogram { buckets, counts, sum } => {
                histogram(name, &labels, buckets.labels().iter().zip(counts), sum, out);
            }
        }
    }
}

fn histogram<'a>(
    name: &str,
    labels: &[u8],
    buckets: impl Iterator<Item = (&'a String, &'a u64)>,
    sum: f64,
    out: &mut Vec<u8>,
) {
    let mut count = 0_u64;
    for (le, here) in buckets {
        count += here;
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"_bucket{");
        out.extend_from_slice(labels);
        out.extend_from_slice(if labels.is_empty() { b"le=\"" } else { b",le=\"" });
        out.extend_from_slice(le.as_bytes());
        out.extend_from_slice(b"\"} ");
        number::unsigned(count, out);
        out.push(b'\n');
    }
    start(name, "_sum", labels, out);
    number::float(sum, out);
    out.push(b'\n');
    start(name, "_count", labels, out);
    number::unsigned(count, out);
    out.push(b'\n');
}

/// Appends name and labels of a line, up to its value.
fn start(name: &str, suffix: &str, labels: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    if !labels.is_empty() {
        out.push(b'{');
        out.extend_from_slice(labels);
        out.push(b'}');
    }
    out.push(b' ');
}

/// Appends the labels of a series, as they stand between the braces.
fn label_pairs(family: &FamilyView<'_>, row: u32, out: &mut Vec<u8>) {
    for (name, value) in family.descriptor.label_names().zip(family.labels.row(row)) {
        if value.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        escape::label_value(value, out);
        out.push(b'"');
    }
}
