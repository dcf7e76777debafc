//! One record as one line: its text, what stands beside it as structured metadata, and its time.
//!
//! The text is the standard dictionary, so a line is valid input of metricast again. The metadata is what a person
//! filters by before the text is looked at; a value in it is cut at [`VALUE`] bytes, and is whole in the text. Loki
//! answers 500 to an empty key and counts every key, so nothing empty is sent.

use std::ops::Range;

use metricast_sdk::{Batch, MetricsRef, Outcome, dictionary};
use metricast_series::wire;

/// The longest value of structured metadata, bytes. Five of them are far from Loki's 64 kB for all of a line.
const VALUE: usize = 1024;

/// The fields of Loki's `EntryAdapter` and of a pair in it
/// (<https://github.com/grafana/loki/blob/main/pkg/push/push.proto>).
const LINE: u8 = 2;
const STRUCTURED_METADATA: u16 = 3;
const NAME: u8 = 1;
const PAIR_VALUE: u8 = 2;

/// The lines of a batch, each written once: a line may be sent several times until the bad ones are found.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The entries without their times, end to end.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How long each text is.
    lengths: Vec<usize>,
}

impl Lines {
    /// All lines of a batch, by the records' indexes.
    pub(crate) fn of(batch: &Batch) -> Self {
        let mut lines = Self::default();
        let mut text = Vec::new();
        for record in batch.records() {
            text.clear();
            dictionary::write(&record.metrics, &mut text);
            lines.lengths.push(text.len());
            wire::bytes(LINE, &text, &mut lines.bytes);
            metadata(&record.metrics, |name, value| {
                wire::nested(STRUCTURED_METADATA, &mut lines.bytes, |out| {
                    wire::text(NAME, name, out);
                    let short = &value[..value.floor_char_boundary(VALUE)];
                    wire::text(PAIR_VALUE, short, out);
                });
            });
            lines.ends.push(lines.bytes.len());
        }
        lines
    }

    /// An entry without its time.
    pub(crate) fn entry(&self, index: u32) -> &[u8] {
        &self.bytes[self.range(index)]
    }

    /// How many bytes it has.
    pub(crate) fn size(&self, index: u32) -> usize {
        self.range(index).len()
    }

    /// How many bytes its text has.
    pub(crate) fn length(&self, index: u32) -> usize {
        self.lengths[index as usize]
    }

    fn range(&self, index: u32) -> Range<usize> {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }
}

/// Names and values, none of them empty.
fn metadata(metrics: &MetricsRef<'_>, mut say: impl FnMut(&str, &str)) {
    let (name, task_id, status, outcome) = match metrics {
        MetricsRef::Event(event) => (("event_name", event.event_name), event.task_id, event.status, event.outcome()),
        MetricsRef::Network(network) => {
            let task_id = network.task_id.unwrap_or_default();
            (("operation", network.operation), task_id, "", network.outcome())
        }
    };
    let level = if outcome == Outcome::Failure { "error" } else { "info" };
    let pairs = [name, ("task_id", task_id), ("status", status), ("outcome", outcome.as_str()), ("level", level)];
    for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
        say(name, value);
    }
}

/// The time of a line: seconds as nanoseconds, rounded to the microsecond as everywhere in metricast.
pub(crate) fn nanos(seconds: f64) -> i64 {
    ((seconds * 1e6).round() as i64).saturating_mul(1000)
}
