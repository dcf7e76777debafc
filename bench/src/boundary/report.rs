//! The figures as a table for people and as JSON for programs.

use std::fmt;
use std::thread;

use serde::Serialize;

use super::components::Components;
use super::measure::{Figure, Verdict};
use super::records::RECORDS;

/// All that a run has to say.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    rounds: u32,
    records_a_round: usize,
    processors: usize,
    component_bytes: Sizes,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Sizes {
    empty: u64,
    prometheus: u64,
    elasticsearch: u64,
}

impl Report {
    pub(crate) fn new(rounds: u32, components: &Components, figures: Vec<Figure>) -> Self {
        let component_bytes = Sizes {
            empty: components.empty.bytes,
            prometheus: components.prometheus.bytes,
            elasticsearch: components.elasticsearch.bytes,
        };
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self { rounds, records_a_round: RECORDS, processors, component_bytes, figures }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Nanoseconds a record, min / median / max of {} rounds\n", self.rounds)?;
        row(f, ["plugin", "a batch", "native", "sandbox", "times native", "from another thread"])?;
        row(f, ["---", "---:", "---:", "---:", "---:", "---:"])?;
        for figure in &self.figures {
            let [native, sandbox, delivery] =
                [figure.native, figure.sandbox, figure.delivery].map(|spread| spread.text(1));
            let (size, ratio) = (figure.records_a_batch.to_string(), figure.ratio.text(2));
            row(f, [figure.plugin, &size, &native, &sandbox, &ratio, &delivery])?;
        }
        writeln!(f)?;
        for figure in &self.figures {
            if let Some(Verdict { unit, at_most, reached }) = figure.aim {
                let verdict = if reached <= at_most { "met" } else { "missed" };
                let (plugin, size) = (figure.plugin, figure.records_a_batch);
                writeln!(f, "{plugin} at {size}: {reached:.2} {unit}, aim {at_most}: {verdict}")?;
            }
        }
        let Sizes { empty, prometheus, elasticsearch } = self.component_bytes;
        writeln!(f, "Component bytes: empty {empty}, prometheus {prometheus}, elasticsearch-format {elasticsearch}")
    }
}

/// A row of a Markdown table that lines up on a terminal too.
fn row(f: &mut fmt::Formatter<'_>, [plugin, size, native, sandbox, ratio, delivery]: [&str; 6]) -> fmt::Result {
    writeln!(f, "| {plugin:13} | {size:>7} | {native:>25} | {sandbox:>25} | {ratio:>21} | {delivery:>29} |")
}
