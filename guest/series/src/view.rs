//! Families as an encoder sees them.

use crate::descriptor::Descriptor;
use crate::family::Family;
use crate::histogram::{Buckets, Histograms};
use crate::labels::LabelTable;

/// A family, whatever its kind.
#[derive(Clone, Copy)]
pub(crate) struct FamilyView<'a> {
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) overflowed: u64,
    pub(crate) labels: &'a LabelTable,
    pub(crate) cells: CellsView<'a>,
}

/// The cells of a family, by kind.
#[derive(Clone, Copy)]
pub(crate) enum CellsView<'a> {
    Counters(&'a [u128]),
    Gauges(&'a [f64]),
    Histograms(&'a Histograms),
}

/// What one series has.
pub(crate) enum Value<'a> {
    Counter(u128),
    Gauge(f64),
    Histogram { buckets: &'a Buckets, counts: &'a [u64], sum: f64 },
}

impl<'a> FamilyView<'a> {
    pub(crate) fn of_counters(family: &'a Family<Vec<u128>>) -> Self {
        Self::of(family, CellsView::Counters(&family.cells))
    }

    pub(crate) fn of_gauges(family: &'a Family<Vec<f64>>) -> Self {
        Self::of(family, CellsView::Gauges(&family.cells))
    }

    pub(crate) fn of_histograms(family: &'a Family<Histograms>) -> Self {
        Self::of(family, CellsView::Histograms(&family.cells))
    }

    fn of<C>(family: &'a Family<C>, cells: CellsView<'a>) -> Self {
        Self { descriptor: &family.descriptor, overflowed: family.overflowed, labels: &family.labels, cells }
    }

    /// Whether label values from outside make its series, so that it can run out of room.
    pub(crate) fn can_overflow(&self) -> bool {
        self.descriptor.labels().iter().any(|label| label.open)
    }

    /// The type's name, the same in both text formats.
    pub(crate) fn kind(&self) -> &'static str {
        match self.cells {
            CellsView::Counters(_) => "counter",
            CellsView::Gauges(_) => "gauge",
            CellsView::Histograms(_) => "histogram",
        }
    }

    pub(crate) fn value(&self, row: u32) -> Value<'a> {
        let at = row as usize;
        match self.cells {
            CellsView::Counters(cells) => Value::Counter(cells[at]),
            CellsView::Gauges(cells) => Value::Gauge(cells[at]),
            CellsView::Histograms(histograms) => Value::Histogram {
                buckets: &histograms.buckets,
                counts: histograms.counts(at),
                sum: histograms.sums[at].total(),
            },
        }
    }
}
