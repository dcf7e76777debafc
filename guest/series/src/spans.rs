//! The buckets of a native histogram as the protobuf formats of Prometheus have them: spans of neighbours, and how each
//! count differs from the one before.

use crate::native::Native;
use crate::wire;

/// Appends the counts of spans to `out`, each as the difference to the one before it.
pub(crate) fn deltas(spans: &[Span<'_>], out: &mut Vec<u8>) {
    let mut before = 0;
    for count in spans.iter().flat_map(|span| span.counts) {
        wire::varint(wire::zigzag(count.wrapping_sub(before).cast_signed()), out);
        before = *count;
    }
}

/// Neighbouring buckets.
pub(crate) struct Span<'a> {
    /// How many buckets lie between it and the span before; its first bucket, where there is none before.
    pub(crate) offset: i32,
    pub(crate) counts: &'a [u64],
}

/// A gap of so many empty buckets is written out: another span is no shorter.
const GAP: usize = 2;

/// The buckets without their long gaps. The first and the last of them are not empty.
pub(crate) fn spans(native: &Native) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let (mut start, mut offset) = (0, native.first);
    while start < native.counts.len() {
        let counts = &native.counts[start..];
        let length = span_length(counts);
        spans.push(Span { offset, counts: &counts[..length] });
        let gap = counts[length..].iter().take_while(|count| **count == 0).count();
        (start, offset) = (start + length + gap, (gap as u32).cast_signed());
    }
    spans
}

/// How many buckets there are before a gap that is worth a span, or in all.
fn span_length(counts: &[u64]) -> usize {
    let gap = counts.windows(GAP + 1).position(|window| window.iter().all(|count| *count == 0));
    gap.unwrap_or(counts.len())
}
