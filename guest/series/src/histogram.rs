//! Histograms: the layout of the classic buckets, the form that a family has, and the counts of its series.

use thiserror::Error;

use crate::native::Native;
use crate::number;
use crate::search::Search;
use crate::sum::Sum;

/// The upper bounds of a histogram's buckets; the last bucket, up to infinity, is always there and not named.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    search: Search,
    /// The `le` of each bucket, `+Inf` included.
    labels: Vec<String>,
}

/// Why bounds make no layout.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum BucketsError {
    /// There is none.
    #[error("needs at least one bound")]
    Empty,
    /// There are more than [`Buckets::MAX`].
    #[error("has {0} bounds, at most {max} are possible", max = Buckets::MAX)]
    TooMany(usize),
    /// NaN or infinite.
    #[error("bound {at} is {value}: bounds are finite, and the bucket up to +Inf is always there")]
    NotFinite {
        /// Which one, from 0.
        at: usize,
        /// What it is.
        value: f64,
    },
    /// Below zero, which a sum that only grows forbids.
    #[error("bound {at} is {value}: bounds are not negative")]
    Negative {
        /// Which one, from 0.
        at: usize,
        /// What it is.
        value: f64,
    },
    /// Not above the one before it.
    #[error("bound {at} is {value}, which is not above the one before it ({before}): bounds ascend")]
    NotAscending {
        /// Which one, from 0.
        at: usize,
        /// What it is.
        value: f64,
        /// The bound before it.
        before: f64,
    },
}

/// The default bounds of event durations, in seconds.
pub const EVENT_SECONDS: [f64; 19] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    600.0,
];

/// The default bounds of network latencies, in seconds: those of events up to 30 s.
pub const NETWORK_SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Buckets {
    /// The most bounds of a layout.
    pub const MAX: usize = 200;

    /// A layout of these upper bounds, each inclusive.
    ///
    /// # Errors
    /// Where there are none or too many, or one is not finite, negative, or not above the one before it.
    pub fn new(bounds: &[f64]) -> Result<Self, BucketsError> {
        match bounds.len() {
            0 => return Err(BucketsError::Empty),
            1..=Self::MAX => {}
            many => return Err(BucketsError::TooMany(many)),
        }
        for (at, &value) in bounds.iter().enumerate() {
            if !value.is_finite() {
                return Err(BucketsError::NotFinite { at, value });
            }
            if value < 0.0 {
                return Err(BucketsError::Negative { at, value });
            }
            if at > 0 && value <= bounds[at - 1] {
                return Err(BucketsError::NotAscending { at, value, before: bounds[at - 1] });
            }
        }
        // Adding 0.0 turns -0.0 into 0.0, whose text has no sign.
        let bounds: Vec<f64> = bounds.iter().map(|bound| bound + 0.0).collect();
        let search = Search::new(&bounds);
        let labels = search.bounds().iter().copied().map(number::canonical).collect();
        Ok(Self { search, labels })
    }

    /// The upper bounds, without the infinite one.
    pub fn bounds(&self) -> &[f64] {
        &self.search.bounds()[..self.labels.len() - 1]
    }

    /// The canonical `le` of each bucket, the infinite one included.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The bucket that `value` falls into: the first whose bound is not below it.
    #[inline]
    pub(crate) fn index(&self, value: f64) -> usize {
        self.search.index(value)
    }

    /// Buckets a series, the infinite one included.
    pub(crate) fn width(&self) -> usize {
        self.labels.len()
    }
}

/// What the histograms of a family are. Classic buckets are always counted, since the text formats have no others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistogramForm {
    /// Classic buckets alone.
    #[default]
    Classic,
    /// Protobuf shows native buckets and no classic ones.
    Native,
    /// Protobuf shows both.
    Both,
}

impl HistogramForm {
    /// Whether native buckets are counted.
    pub(crate) fn has_native(self) -> bool {
        self != Self::Classic
    }

    /// Whether protobuf shows classic buckets.
    pub(crate) fn shows_classic(self) -> bool {
        self != Self::Native
    }
}

/// The histograms of a family, one a series.
#[derive(Debug, Clone)]
pub(crate) struct Histograms {
    pub(crate) buckets: Buckets,
    pub(crate) form: HistogramForm,
    /// How many values each bucket alone has, series after series.
    pub(crate) counts: Vec<u64>,
    pub(crate) sums: Vec<Sum>,
    /// Empty where the form has none.
    pub(crate) natives: Vec<Native>,
}

impl Histograms {
    pub(crate) fn new(buckets: Buckets, form: HistogramForm) -> Self {
        Self { buckets, form, counts: Vec::new(), sums: Vec::new(), natives: Vec::new() }
    }

    /// Counts a value that is not NaN, and says in which place of `counts`.
    #[inline]
    pub(crate) fn observe(&mut self, row: usize, value: f64) -> usize {
        let place = row * self.buckets.width() + self.buckets.index(value);
        self.counts[place] += 1;
        self.sums[row].add(value);
        if let Some(native) = self.natives.get_mut(row) {
            native.observe(value);
        }
        place
    }

    /// Whether these can take the form of `wanted`: not with other buckets, and native ones cannot be made of classic
    /// ones.
    pub(crate) fn can_become(&self, wanted: &Self) -> bool {
        self.buckets == wanted.buckets && (self.form.has_native() || !wanted.form.has_native())
    }

    /// Takes a form that it can.
    pub(crate) fn reform(&mut self, form: HistogramForm) {
        self.form = form;
        if !form.has_native() {
            self.natives.clear();
        }
    }

    pub(crate) fn counts(&self, row: usize) -> &[u64] {
        let width = self.buckets.width();
        &self.counts[row * width..][..width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_are_inclusive_and_the_rest_goes_to_infinity() {
        let buckets = Buckets::new(&[0.5, 1.0]).expect("a layout");
        let fallen = [0.0, 0.5, 0.6, 1.0, 1.1, f64::INFINITY].map(|value| buckets.index(value));
        assert_eq!(fallen, [0, 0, 1, 1, 2, 2]);
        assert_eq!(buckets.labels(), ["0.5", "1.0", "+Inf"]);
    }

    #[test]
    fn what_is_no_layout_is_refused_and_named() {
        let refused = |bounds: &[f64]| Buckets::new(bounds).expect_err("refused").to_string();
        assert_eq!(refused(&[]), "needs at least one bound");
        assert!(refused(&[1.0, f64::INFINITY]).starts_with("bound 1 is inf: bounds are finite"));
        assert!(refused(&[f64::NAN]).starts_with("bound 0 is NaN: bounds are finite"));
        assert_eq!(refused(&[-1.0, 1.0]), "bound 0 is -1: bounds are not negative");
        assert_eq!(refused(&[1.0, 2.0, 2.0]), "bound 2 is 2, which is not above the one before it (2): bounds ascend");
        let many: Vec<f64> = (0..201).map(f64::from).collect();
        assert_eq!(refused(&many), "has 201 bounds, at most 200 are possible");
    }

    #[test]
    fn a_negative_zero_has_no_sign() {
        assert_eq!(Buckets::new(&[-0.0]).expect("a layout").labels(), ["0.0", "+Inf"]);
    }

    #[test]
    fn the_defaults_are_layouts() {
        assert!(Buckets::new(&EVENT_SECONDS).is_ok());
        assert!(Buckets::new(&NETWORK_SECONDS).is_ok());
        assert_eq!(EVENT_SECONDS[..15], NETWORK_SECONDS);
    }

    proptest! {
        #[test]
        fn each_value_is_in_the_first_bucket_that_holds_it(value in 0.0..1000.0_f64) {
            let buckets = Buckets::new(&EVENT_SECONDS).expect("a layout");
            let expected = EVENT_SECONDS.iter().take_while(|bound| value > **bound).count();
            prop_assert_eq!(buckets.index(value), expected);
        }
    }
}
