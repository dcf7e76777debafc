//! Sample lines, which the two text formats write alike. They have no native histograms: a family that has them shows
//! its classic buckets here, whatever its form.

use crate::escape;
use crate::number;
use crate::view::{FamilyView, HistogramView, Value};

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
            Value::Histogram(view) => histogram(name, &labels, &view, out),
        }
    }
}

fn histogram(name: &str, labels: &[u8], view: &HistogramView<'_>, out: &mut Vec<u8>) {
    let mut count = 0_u64;
    for (le, here) in view.buckets.labels().iter().zip(view.counts) {
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
    number::float(view.sum, out);
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
    for (name, value) in family.label_pairs(row) {
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        escape::label_value(value, out);
        out.push(b'"');
    }
}
