//! The OpenMetrics text format 1.0.0, which 0.0.1 equals in all that is used here.
//!
//! A counter's family goes without the `_total` of its samples, a unit stands in a line of its own, and the last line
//! is `# EOF`. Counters and buckets have exemplars. There are no `_created` lines: Prometheus keeps each as one more series.

use crate::escape;
use crate::registry::Registry;
use crate::samples;
use crate::view::FamilyView;

/// Appends the whole exposition of the time `now`, seconds since the Unix epoch, to `out`.
pub fn encode(registry: &Registry, now: f64, out: &mut Vec<u8>) {
    out.reserve_exact(samples::size(registry));
    registry.visit(now, |family| {
        metadata(&family, out);
        samples::encode(&family, true, out);
    });
    out.extend_from_slice(b"# EOF\n");
}

fn metadata(family: &FamilyView<'_>, out: &mut Vec<u8>) {
    let (name, unit) = (family.descriptor.name(), family.descriptor.unit_name());
    out.extend_from_slice(format!("# TYPE {name} {}\n", family.kind()).as_bytes());
    if !unit.is_empty() {
        out.extend_from_slice(format!("# UNIT {name} {unit}\n").as_bytes());
    }
    if !family.descriptor.help().is_empty() {
        out.extend_from_slice(format!("# HELP {name} ").as_bytes());
        escape::help_open_metrics(family.descriptor.help(), out);
        out.push(b'\n');
    }
}
