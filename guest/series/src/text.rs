//! The Prometheus text format 0.0.4; version 1.0.0 differs only for names that ours never have.
//!
//! A family without a series still shows its help and type: whoever opens the page first sees what will be there.

use crate::escape;
use crate::registry::Registry;
use crate::samples;
use crate::view::{CellsView, FamilyView};

/// Appends the whole exposition of the time `now`, seconds since the Unix epoch, to `out`.
pub fn encode(registry: &Registry, now: f64, out: &mut Vec<u8>) {
    out.reserve_exact(samples::size(registry));
    registry.visit(now, |family| {
        metadata(&family, out);
        samples::encode(&family, false, out);
    });
}

fn metadata(family: &FamilyView<'_>, out: &mut Vec<u8>) {
    let suffix = if matches!(family.cells, CellsView::Counters(_)) { "_total" } else { "" };
    let name = [family.descriptor.name(), suffix].concat();
    out.extend_from_slice(format!("# HELP {name} ").as_bytes());
    escape::help_text(family.descriptor.help(), out);
    out.extend_from_slice(format!("\n# TYPE {name} {}\n", family.kind()).as_bytes());
}
