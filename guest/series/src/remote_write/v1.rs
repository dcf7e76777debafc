//! Remote write 1.0: `prometheus.WriteRequest`, in which every series has all of its texts.

use super::labels::{self, BOUND, NAME};
use super::series::{self, Sample, Series};
use super::{compressed, kind, native};
use crate::exemplars::Exemplar;
use crate::push::{Count, Encode, Labels, Point, exemplar_time};
use crate::view::{CellsView, FamilyView};
use crate::wire;

/// A body that is being written.
pub(crate) struct Encoder<'a> {
    labels: &'a Labels,
    body: Vec<u8>,
    /// The family whose type was said last.
    family: Option<usize>,
    /// The length before the last point.
    mark: usize,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(labels: &'a Labels) -> Self {
        Self { labels, body: Vec::new(), family: None, mark: 0 }
    }
}

impl Encode for Encoder<'_> {
    fn add(&mut self, point: &Point<'_>) -> Count {
        self.mark = self.body.len();
        let labels = labels::sorted(point, self.labels);
        let out = &mut self.body;
        if self.family.replace(point.family) != Some(point.family) {
            wire::nested(3, out, |out| metadata(&point.view, out));
        }
        series::each(point, |series| wire::nested(1, out, |out| time_series(point, series, &labels, out)))
    }

    fn take_back(&mut self) {
        self.body.truncate(self.mark);
    }

    fn size(&self) -> usize {
        self.body.len()
    }

    fn finish(&mut self) -> (Vec<u8>, usize) {
        self.family = None;
        let body = std::mem::take(&mut self.body);
        (compressed(&body), body.len())
    }
}

fn metadata(view: &FamilyView<'_>, out: &mut Vec<u8>) {
    let suffix = if matches!(view.cells, CellsView::Counters(_)) { "_total" } else { "" };
    wire::unsigned(1, kind(view.cells), out);
    wire::text(2, &[view.descriptor.name(), suffix].concat(), out);
    wire::text(4, view.descriptor.help(), out);
    wire::text(5, view.descriptor.unit_name(), out);
}

fn time_series(point: &Point<'_>, series: &Series<'_>, labels: &[(&str, &str)], out: &mut Vec<u8>) {
    let name = [point.view.descriptor.name(), series.suffix].concat();
    for (label, value) in labels {
        let value = match *label {
            NAME => Some(name.as_str()),
            BOUND => series.bound,
            _ => Some(*value),
        };
        if let Some(value) = value {
            wire::nested(1, out, |out| pair(label, value, out));
        }
    }
    if let Some(zero) = point.zero {
        sample(series.sample.zero(), zero, out);
    }
    sample(series.sample, point.time, out);
    for exemplar in &series.exemplars {
        wire::nested(3, out, |out| exemplar_fields(exemplar, out));
    }
}

fn sample(sample: Sample<'_>, time: i64, out: &mut Vec<u8>) {
    match sample {
        Sample::Float(value) => wire::nested(2, out, |out| {
            wire::double(1, value, out);
            wire::unsigned(2, time.cast_unsigned(), out);
        }),
        Sample::Native { native, count, sum } => {
            wire::nested(4, out, |out| native::fields(native, count, sum, time, out));
        }
    }
}

fn exemplar_fields(exemplar: &Exemplar, out: &mut Vec<u8>) {
    for (name, value) in exemplar.labels() {
        wire::nested(1, out, |out| pair(name, value, out));
    }
    wire::double(2, exemplar.value(), out);
    wire::unsigned(3, exemplar_time(exemplar).cast_unsigned(), out);
}

fn pair(name: &str, value: &str, out: &mut Vec<u8>) {
    wire::text(1, name, out);
    wire::text(2, value, out);
}
