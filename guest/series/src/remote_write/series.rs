//! The series that one point of a push is in remote write: a counter or a gauge is one, a classic histogram one for each
//! bucket and two more, a native histogram one.

use crate::exemplars::Exemplar;
use crate::native::Native;
use crate::push::{Count, Point, Reading, STALE};
use crate::view::{CellsView, HistogramView, NO_NATIVE, Value};

/// One series of a point.
pub(super) struct Series<'a> {
    /// What follows the family's name.
    pub(super) suffix: &'static str,
    /// The bound of a bucket.
    pub(super) bound: Option<&'a str>,
    pub(super) sample: Sample<'a>,
    /// In the order of their times.
    pub(super) exemplars: Vec<&'a Exemplar>,
}

/// What a series says.
#[derive(Clone, Copy)]
pub(super) enum Sample<'a> {
    Float(f64),
    Native { native: &'a Native, count: u64, sum: f64 },
}

impl Sample<'_> {
    /// The first sample of such a series.
    pub(super) fn zero(self) -> Self {
        match self {
            Self::Float(_) => Self::Float(0.0),
            Self::Native { .. } => Sample::Native { native: &NO_NATIVE, count: 0, sum: 0.0 },
        }
    }
}

impl<'a> Series<'a> {
    fn float(suffix: &'static str, value: f64, exemplar: Option<&'a Exemplar>) -> Self {
        Self { suffix, bound: None, sample: Sample::Float(value), exemplars: exemplar.into_iter().collect() }
    }

    fn native(native: &'a Native, count: u64, sum: f64, exemplars: Vec<&'a Exemplar>) -> Self {
        Self { suffix: "", bound: None, sample: Sample::Native { native, count, sum }, exemplars }
    }

    /// How much it is, with or without a 0 before its sample.
    fn count(&self, zero: bool) -> Count {
        let samples = 1 + u64::from(zero);
        let exemplars = self.exemplars.len() as u64;
        match self.sample {
            Sample::Float(_) => Count { samples, histograms: 0, exemplars },
            Sample::Native { .. } => Count { samples: 0, histograms: samples, exemplars },
        }
    }
}

/// Gives each series of a point to `write`, and says how much they are.
pub(super) fn each<'a>(point: &Point<'a>, mut write: impl FnMut(&Series<'a>)) -> Count {
    let mut count = Count::default();
    let mut write = |series: Series<'a>| {
        count += series.count(point.zero.is_some());
        write(&series);
    };
    match &point.reading {
        Reading::Value(Value::Counter(count)) => write(Series::float("_total", *count as f64, point.exemplar(0))),
        Reading::Value(Value::Gauge(value)) => write(Series::float("", *value, None)),
        Reading::Value(Value::Histogram(view)) => histogram(point, view, write),
        Reading::Stale => stale(point, write),
    }
    count
}

fn histogram<'a>(point: &Point<'a>, view: &HistogramView<'a>, mut write: impl FnMut(Series<'a>)) {
    let total = view.counts.iter().sum();
    if view.form.shows_classic() {
        let mut count = 0;
        for (bucket, (bound, here)) in view.buckets.labels().iter().zip(view.counts).enumerate() {
            count += here;
            let series = Series::float("_bucket", count as f64, point.exemplar(bucket));
            write(Series { bound: Some(bound), ..series });
        }
        write(Series::float("_sum", view.sum, None));
        write(Series::float("_count", total as f64, None));
    }
    if let Some(native) = view.native {
        // Where there are classic buckets, they have the exemplars.
        let buckets = if view.form.shows_classic() { 0 } else { view.counts.len() };
        write(Series::native(native, total, view.sum, point.exemplars(buckets)));
    }
}

/// The last sample of all that was sent of a series.
fn stale<'a>(point: &Point<'a>, mut write: impl FnMut(Series<'a>)) {
    let CellsView::Histograms(histograms) = point.view.cells else {
        let suffix = if matches!(point.view.cells, CellsView::Counters(_)) { "_total" } else { "" };
        return write(Series::float(suffix, STALE, None));
    };
    if histograms.form.shows_classic() {
        for bound in histograms.buckets.labels() {
            write(Series { bound: Some(bound), ..Series::float("_bucket", STALE, None) });
        }
        write(Series::float("_sum", STALE, None));
        write(Series::float("_count", STALE, None));
    }
    if histograms.form.has_native() {
        write(Series::native(&NO_NATIVE, 0, STALE, Vec::new()));
    }
}
