//! Families as an encoder sees them.

use crate::descriptor::Descriptor;
use crate::exemplars::{Exemplar, Exemplars};
use crate::family::Family;
use crate::histogram::{Buckets, HistogramForm, Histograms};
use crate::labels::LabelTable;
use crate::native::Native;

/// What all families of an exposition share.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    /// Labels of every series.
    pub(crate) constants: &'a [(String, String)],
    /// Series that started after it are shown as 0.
    pub(crate) held_after: f64,
}

/// A family, whatever its kind.
#[derive(Clone, Copy)]
pub(crate) struct FamilyView<'a> {
    pub(crate) descriptor: &'a Descriptor,
    pub(crate) overflowed: u64,
    pub(crate) labels: &'a LabelTable,
    pub(crate) starts: &'a [f64],
    pub(crate) touched: &'a [u32],
    pub(crate) cells: CellsView<'a>,
    exemplars: &'a Exemplars,
    page: Page<'a>,
}

/// The cells of a family, by kind.
#[derive(Clone, Copy)]
pub(crate) enum CellsView<'a> {
    Counters(&'a [u128]),
    Gauges(&'a [f64]),
    Histograms(&'a Histograms),
}

/// What one series shows.
pub(crate) enum Value<'a> {
    Counter(u128),
    Gauge(f64),
    Histogram(HistogramView<'a>),
}

/// What one histogram shows.
pub(crate) struct HistogramView<'a> {
    pub(crate) buckets: &'a Buckets,
    pub(crate) form: HistogramForm,
    /// One a bucket, each alone.
    pub(crate) counts: &'a [u64],
    pub(crate) sum: f64,
    /// Where the form has native buckets.
    pub(crate) native: Option<&'a Native>,
}

/// What a held histogram shows.
static NO_COUNTS: [u64; Buckets::MAX + 1] = [0; Buckets::MAX + 1];
pub(crate) static NO_NATIVE: Native = Native::new();

impl<'a> FamilyView<'a> {
    pub(crate) fn of_counters(family: &'a Family<Vec<u128>>, page: Page<'a>) -> Self {
        Self::of(family, CellsView::Counters(&family.rows.cells), page)
    }

    pub(crate) fn of_gauges(family: &'a Family<Vec<f64>>, page: Page<'a>) -> Self {
        Self::of(family, CellsView::Gauges(&family.rows.cells), page)
    }

    pub(crate) fn of_histograms(family: &'a Family<Histograms>, page: Page<'a>) -> Self {
        Self::of(family, CellsView::Histograms(&family.rows.cells), page)
    }

    fn of<C>(family: &'a Family<C>, cells: CellsView<'a>, page: Page<'a>) -> Self {
        let rows = &family.rows;
        Self {
            descriptor: &family.descriptor,
            overflowed: family.overflowed,
            labels: &rows.labels,
            starts: &rows.starts,
            touched: &rows.touched,
            cells,
            exemplars: &family.exemplars,
            page,
        }
    }

    /// The type's name, the same in both text formats.
    pub(crate) fn kind(&self) -> &'static str {
        match self.cells {
            CellsView::Counters(_) => "counter",
            CellsView::Gauges(_) => "gauge",
            CellsView::Histograms(_) => "histogram",
        }
    }

    /// Names and values of a series' labels. One without a value is left out: to Prometheus it is an absent one.
    pub(crate) fn label_pairs(&self, row: u32) -> impl Iterator<Item = (&'a str, &'a str)> {
        let own = self.descriptor.label_names().zip(self.labels.row(row));
        own.chain(self.constants()).filter(|(_, value)| !value.is_empty())
    }

    /// The same family with the label values of other series.
    pub(crate) fn labelled(self, labels: &'a LabelTable) -> Self {
        Self { labels, ..self }
    }

    /// Names and values of the labels that every series has.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.page.constants.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many places for exemplars a series has.
    pub(crate) fn buckets(&self) -> usize {
        match self.cells {
            CellsView::Histograms(histograms) => histograms.buckets.width(),
            CellsView::Counters(_) | CellsView::Gauges(_) => 1,
        }
    }

    /// About how many bytes the page of this family has, where each line has its labels and so many bytes besides: more
    /// than enough, as long as few characters are escaped.
    pub(crate) fn text_size(&self, beside_labels: usize) -> usize {
        let lines = match self.cells {
            CellsView::Histograms(histograms) => histograms.buckets.width() + 2,
            CellsView::Counters(_) | CellsView::Gauges(_) => 1,
        };
        let rows = self.labels.len() as usize;
        lines * (self.label_size() + rows * beside_labels) + self.exemplars.len() * 160
    }

    /// About how many bytes the names and values of all labels have with what stands around them, once for each series.
    pub(crate) fn label_size(&self) -> usize {
        let around = 4;
        let own: usize = self.descriptor.label_names().map(|name| name.len() + around).sum();
        let constants: usize = self.page.constants.iter().map(|(name, value)| name.len() + value.len() + around).sum();
        self.labels.text_len() + self.labels.len() as usize * (own + constants)
    }

    /// When a series started, if that is known.
    pub(crate) fn start(&self, row: u32) -> Option<f64> {
        Some(self.starts[row as usize]).filter(|start| *start > 0.0)
    }

    /// The exemplar of a series' bucket, or of a series without buckets; none where it is held.
    pub(crate) fn exemplar(&self, row: u32, bucket: usize) -> Option<&'a Exemplar> {
        self.exemplars.get(row as usize * self.buckets() + bucket).filter(|_| !self.is_held(row))
    }

    fn is_held(&self, row: u32) -> bool {
        self.starts[row as usize] > self.page.held_after
    }

    /// What a series shows; nothing yet where it is held.
    pub(crate) fn value(&self, row: u32) -> Value<'a> {
        let at = row as usize;
        let held = self.is_held(row);
        match self.cells {
            CellsView::Counters(cells) => Value::Counter(if held { 0 } else { cells[at] }),
            CellsView::Gauges(cells) => Value::Gauge(cells[at]),
            CellsView::Histograms(histograms) => Value::Histogram(histogram(histograms, at, held)),
        }
    }
}

fn histogram(histograms: &Histograms, at: usize, held: bool) -> HistogramView<'_> {
    let counts = histograms.counts(at);
    let native = histograms.natives.get(at);
    let (counts, sum, native) = if held {
        (&NO_COUNTS[..counts.len()], 0.0, native.map(|_| &NO_NATIVE))
    } else {
        (counts, histograms.sums[at].total(), native)
    };
    HistogramView { buckets: &histograms.buckets, form: histograms.form, counts, sum, native }
}
