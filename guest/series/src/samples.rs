//! Sample lines, which the two text formats write alike. They have no native histograms: a family that has them shows
//! its classic buckets here, whatever its form.

use crate::escape;
use crate::exemplars::Exemplar;
use crate::number;
use crate::registry::Registry;
use crate::view::{FamilyView, HistogramView, Value};

/// About how many bytes the sample lines of all families have.
///
/// A page is made in one piece that can be most of a sandbox's memory. A buffer that grows as it is filled would need up
/// to three times as much.
pub(crate) fn size(registry: &Registry) -> usize {
    // A suffix, a bound, a count, and what is between them.
    registry.families().map(|family| family.text_size(family.descriptor.name().len() + 30)).sum()
}

/// Appends the sample lines of a family, with the exemplars of counters and buckets where the format has them.
pub(crate) fn encode(family: &FamilyView<'_>, with_exemplars: bool, out: &mut Vec<u8>) {
    let name = family.descriptor.name();
    let mut labels = Vec::new();
    for row in 0..family.labels.len() {
        labels.clear();
        label_pairs(family.label_pairs(row), &mut labels);
        let exemplar = |bucket| family.exemplar(row, bucket).filter(|_| with_exemplars);
        match family.value(row) {
            Value::Counter(count) => {
                start(name, "_total", &labels, out);
                number::integer(count, out);
                end(exemplar(0), out);
            }
            Value::Gauge(value) => {
                start(name, "", &labels, out);
                number::float(value, out);
                end(None, out);
            }
            Value::Histogram(view) => histogram(name, &labels, &view, exemplar, out),
        }
    }
}

fn histogram<'a>(
    name: &str,
    labels: &[u8],
    view: &HistogramView<'_>,
    exemplar: impl Fn(usize) -> Option<&'a Exemplar>,
    out: &mut Vec<u8>,
) {
    let separator: &[u8] = if labels.is_empty() { b"le=\"" } else { b",le=\"" };
    let line = [name.as_bytes(), b"_bucket{", labels, separator].concat();
    let mut count = 0_u64;
    for (bucket, (le, here)) in view.buckets.labels().iter().zip(view.counts).enumerate() {
        count += here;
        out.extend_from_slice(&line);
        out.extend_from_slice(le.as_bytes());
        out.extend_from_slice(b"\"} ");
        number::unsigned(count, out);
        end(exemplar(bucket), out);
    }
    start(name, "_sum", labels, out);
    number::float(view.sum, out);
    end(None, out);
    start(name, "_count", labels, out);
    number::unsigned(count, out);
    end(None, out);
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

/// Ends a line, with its exemplar where there is one.
fn end(exemplar: Option<&Exemplar>, out: &mut Vec<u8>) {
    if let Some(exemplar) = exemplar {
        out.extend_from_slice(b" # {");
        label_pairs(exemplar.labels(), out);
        out.extend_from_slice(b"} ");
        number::float(exemplar.value(), out);
        out.push(b' ');
        number::float(exemplar.time(), out);
    }
    out.push(b'\n');
}

/// Appends labels as they stand between the braces.
fn label_pairs<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) {
    for (at, (name, value)) in labels.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        escape::label_value(value, out);
        out.push(b'"');
    }
}
