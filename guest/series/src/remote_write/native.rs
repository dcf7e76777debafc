//! The message of a native histogram, the same in both versions but for the start.

use crate::native::{Native, ZERO_THRESHOLD};
use crate::spans::{deltas, spans};
use crate::wire;

/// Appends the fields of a `Histogram`. Its zero bucket has always its width, so that one without values is one too.
pub(super) fn fields(native: &Native, count: u64, sum: f64, time: i64, out: &mut Vec<u8>) {
    wire::unsigned(1, count, out);
    wire::double(3, sum, out);
    wire::signed(4, i64::from(native.schema()), out);
    wire::double(5, ZERO_THRESHOLD, out);
    wire::unsigned(6, native.zero, out);
    let spans = spans(native);
    for span in &spans {
        wire::nested(11, out, |out| {
            wire::signed(1, i64::from(span.offset), out);
            wire::unsigned(2, span.counts.len() as u64, out);
        });
    }
    if !spans.is_empty() {
        wire::nested(12, out, |out| deltas(&spans, out));
    }
    wire::unsigned(15, time.cast_unsigned(), out);
}
