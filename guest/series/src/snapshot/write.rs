//! Writing a snapshot.

use super::{COUNTER, GAUGE, HISTOGRAM, MAGIC, VERSION};
use crate::histogram::Histograms;
use crate::registry::Registry;
use crate::view::{CellsView, FamilyView};

/// Appends the registry's state, and the caller's `watermark`, to `out`.
pub fn write(registry: &Registry, watermark: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&watermark.to_le_bytes());
    out.extend_from_slice(&registry.turn().to_le_bytes());
    count(registry.families().count(), out);
    registry.families().for_each(|view| family(&view, out));
    let checksum = crc32fast::hash(&out[checksum_at + 4..]);
    out[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
}

fn family(view: &FamilyView<'_>, out: &mut Vec<u8>) {
    text(view.descriptor.name(), out);
    out.push(match view.cells {
        CellsView::Counters(_) => COUNTER,
        CellsView::Gauges(_) => GAUGE,
        CellsView::Histograms(_) => HISTOGRAM,
    });
    count(view.labels.width(), out);
    view.descriptor.label_names().for_each(|name| text(name, out));
    if let CellsView::Histograms(histograms) = view.cells {
        let bounds = histograms.buckets.bounds();
        count(bounds.len(), out);
        for bound in bounds {
            out.extend_from_slice(&bound.to_le_bytes());
        }
        out.push(u8::from(histograms.form.has_native()));
    }
    out.extend_from_slice(&view.overflowed.to_le_bytes());
    count(view.labels.len() as usize, out);
    for row in 0..view.labels.len() {
        view.labels.row(row).for_each(|value| text(value, out));
        out.extend_from_slice(&view.starts[row as usize].to_le_bytes());
        out.extend_from_slice(&view.touched[row as usize].to_le_bytes());
        cell(view, row as usize, out);
    }
}

fn cell(view: &FamilyView<'_>, row: usize, out: &mut Vec<u8>) {
    match view.cells {
        CellsView::Counters(cells) => out.extend_from_slice(&cells[row].to_le_bytes()),
        CellsView::Gauges(cells) => out.extend_from_slice(&cells[row].to_le_bytes()),
        CellsView::Histograms(histograms) => histogram(histograms, row, out),
    }
}

fn histogram(histograms: &Histograms, row: usize, out: &mut Vec<u8>) {
    counts(histograms.counts(row), out);
    let sum = histograms.sums[row];
    out.extend_from_slice(&sum.high.to_le_bytes());
    out.extend_from_slice(&sum.low.to_le_bytes());
    if let Some(native) = histograms.natives.get(row) {
        out.extend_from_slice(&native.zero.to_le_bytes());
        out.push(native.halvings);
        out.extend_from_slice(&native.first.to_le_bytes());
        count(native.counts.len(), out);
        counts(&native.counts, out);
    }
}

fn counts(counts: &[u64], out: &mut Vec<u8>) {
    for count in counts {
        out.extend_from_slice(&count.to_le_bytes());
    }
}

/// Label values and counts of series are far below 2^32, by their limits.
fn count(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}
