//! Writing a snapshot.

use super::{COUNTER, GAUGE, HISTOGRAM, MAGIC, VERSION};
use crate::histogram::Histograms;
use crate::registry::Registry;
use crate::view::{CellsView, FamilyView};

/// Appends the registry's state, and the caller's `watermark`, to `out`.
pub fn write(registry: &Registry, watermark: u64, out: &mut Vec<u8>) {
    // As a page, it can be a large part of a sandbox's memory.
    out.reserve_exact(registry.families().map(|view| size(&view)).sum::<usize>() + HEADER);
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

/// More than what stands before the families.
const HEADER: usize = 32;

/// At most a little more than what a family takes.
fn size(view: &FamilyView<'_>) -> usize {
    let names: usize = view.descriptor.label_names().map(|name| name.len() + 4).sum();
    let (fixed, cells) = match view.cells {
        CellsView::Counters(cells) => (0, cells.len() * 16),
        CellsView::Gauges(cells) => (0, cells.len() * 8),
        CellsView::Histograms(Histograms { buckets, counts, sums, natives, .. }) => {
            let native: usize = natives.iter().map(|native| 17 + native.counts.len() * 8).sum();
            (buckets.width() * 8, counts.len() * 8 + sums.len() * 16 + native)
        }
    };
    let row = 12 + view.labels.width() * 4;
    let rows = view.labels.len() as usize * row + view.labels.text_len();
    view.descriptor.name().len() + names + fixed + HEADER + rows + cells
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
