//! The labels of a series, sorted by name as the specifications want them.

use crate::push::{Labels, Point};

/// The label that is the series' name.
pub(super) const NAME: &str = "__name__";

/// The label that is the bound of a bucket.
pub(super) const BOUND: &str = "le";

/// Names and values of a point's labels, sorted by name. `__name__` and `le` are among them without their values, which
/// differ from series to series of a histogram.
pub(super) fn sorted<'a>(point: &Point<'a>, of_all: &'a Labels) -> Vec<(&'a str, &'a str)> {
    let mut labels: Vec<_> = point.labels().chain(of_all.pairs()).chain([(NAME, ""), (BOUND, "")]).collect();
    labels.sort_unstable();
    labels
}
