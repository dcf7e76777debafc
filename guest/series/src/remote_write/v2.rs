//! Remote write 2.0: `io.prometheus.write.v2.Request`, whose texts are numbers in a table of all of the body.
//!
//! The start of a series is `start_timestamp` of its samples. (`created_timestamp` of the series, field 6, was in drafts
//! and is reserved now.) The 0 at the start has none: a start is before its sample.

use super::labels::{self, BOUND, NAME};
use super::series::{self, Sample, Series};
use super::{compressed, kind, native};
use crate::exemplars::Exemplar;
use crate::labels::LabelTable;
use crate::push::{Count, Encode, Labels, Point, exemplar_time};
use crate::wire;

/// A body that is being written.
pub(crate) struct Encoder<'a> {
    labels: &'a Labels,
    symbols: Symbols,
    series: Vec<u8>,
    /// How many symbols, bytes of symbols and bytes of series there were before the last point.
    mark: (u32, usize, usize),
}

/// The texts of a body, each once; the first is empty.
struct Symbols {
    table: LabelTable,
    bytes: usize,
}

impl Symbols {
    fn new() -> Self {
        let mut table = LabelTable::new(1);
        table.insert([""].into_iter());
        Self { table, bytes: 0 }
    }

    fn number(&mut self, text: &str) -> u64 {
        let row = [text].into_iter();
        let number = self.table.find(&row).unwrap_or_else(|| {
            // A tag, a length, and the text.
            self.bytes += text.len() + 3;
            self.table.insert(row)
        });
        u64::from(number)
    }
}

/// What all series of a point share.
struct Shared {
    /// Numbers of names and values of its labels; those of `__name__` and `le` stand for themselves.
    labels: Vec<(u64, u64)>,
    name: u64,
    bound: u64,
    kind: u64,
    help: u64,
    unit: u64,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(labels: &'a Labels) -> Self {
        Self { labels, symbols: Symbols::new(), series: Vec::new(), mark: (1, 0, 0) }
    }

    fn shared(&mut self, point: &Point<'_>) -> Shared {
        let symbols = &mut self.symbols;
        let descriptor = point.view.descriptor;
        let labels = labels::sorted(point, self.labels);
        Shared {
            labels: labels.iter().map(|(name, value)| (symbols.number(name), symbols.number(value))).collect(),
            name: symbols.number(NAME),
            bound: symbols.number(BOUND),
            kind: kind(point.view.cells),
            help: symbols.number(descriptor.help()),
            unit: symbols.number(descriptor.unit_name()),
        }
    }
}

impl Encode for Encoder<'_> {
    fn add(&mut self, point: &Point<'_>) -> Count {
        self.mark = (self.symbols.table.len(), self.symbols.bytes, self.series.len());
        let shared = self.shared(point);
        let Self { symbols, series: out, .. } = self;
        series::each(point, |series| {
            let name = symbols.number(&[point.view.descriptor.name(), series.suffix].concat());
            let bound = series.bound.map(|bound| symbols.number(bound));
            wire::nested(5, out, |out| time_series(point, series, &shared, (name, bound), symbols, out));
        })
    }

    fn take_back(&mut self) {
        let (symbols, bytes, series) = self.mark;
        self.symbols.table.truncate(symbols);
        self.symbols.bytes = bytes;
        self.series.truncate(series);
    }

    fn size(&self) -> usize {
        self.symbols.bytes + self.series.len()
    }

    fn finish(&mut self) -> (Vec<u8>, usize) {
        let symbols = std::mem::replace(&mut self.symbols, Symbols::new());
        let mut body = Vec::with_capacity(symbols.bytes + self.series.len() + 2);
        for row in 0..symbols.table.len() {
            symbols.table.row(row).for_each(|text| wire::text(4, text, &mut body));
        }
        body.append(&mut self.series);
        (compressed(&body), body.len())
    }
}

fn time_series(
    point: &Point<'_>,
    series: &Series<'_>,
    shared: &Shared,
    (name, bound): (u64, Option<u64>),
    symbols: &mut Symbols,
    out: &mut Vec<u8>,
) {
    wire::nested(1, out, |out| {
        for (label, value) in &shared.labels {
            let value = match *label {
                label if label == shared.name => Some(name),
                label if label == shared.bound => bound,
                _ => Some(*value),
            };
            if let Some(value) = value {
                wire::varint(*label, out);
                wire::varint(value, out);
            }
        }
    });
    if let Some(zero) = point.zero {
        sample(series.sample.zero(), zero, None, out);
    }
    sample(series.sample, point.time, point.start, out);
    for exemplar in &series.exemplars {
        wire::nested(4, out, |out| exemplar_fields(exemplar, symbols, out));
    }
    wire::nested(5, out, |out| {
        wire::unsigned(1, shared.kind, out);
        wire::unsigned(3, shared.help, out);
        wire::unsigned(4, shared.unit, out);
    });
}

fn sample(sample: Sample<'_>, time: i64, start: Option<i64>, out: &mut Vec<u8>) {
    let start = start.filter(|start| *start != 0).map(i64::cast_unsigned);
    match sample {
        Sample::Float(value) => wire::nested(2, out, |out| {
            wire::double(1, value, out);
            wire::unsigned(2, time.cast_unsigned(), out);
            if let Some(start) = start {
                wire::unsigned(3, start, out);
            }
        }),
        Sample::Native { native, count, sum } => wire::nested(3, out, |out| {
            native::fields(native, count, sum, time, out);
            if let Some(start) = start {
                wire::unsigned(17, start, out);
            }
        }),
    }
}

fn exemplar_fields(exemplar: &Exemplar, symbols: &mut Symbols, out: &mut Vec<u8>) {
    wire::nested(1, out, |out| {
        for text in exemplar.labels().flat_map(|(name, value)| [name, value]) {
            wire::varint(symbols.number(text), out);
        }
    });
    wire::double(2, exemplar.value(), out);
    wire::unsigned(3, exemplar_time(exemplar).cast_unsigned(), out);
}
