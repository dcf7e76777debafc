//! What a push says of one series of the registry.

use crate::exemplars::Exemplar;
use crate::view::{FamilyView, Value};

use super::sent::millis;

/// A series and its samples in a push.
pub(crate) struct Point<'a> {
    /// Its family. Where the series is gone, the labels are those that were sent.
    pub(crate) view: FamilyView<'a>,
    /// Which family of the push it is.
    pub(crate) family: usize,
    pub(crate) row: u32,
    pub(crate) reading: Reading<'a>,
    /// The time of its sample, milliseconds since the Unix epoch.
    pub(crate) time: i64,
    /// The time of the 0 that goes before, where one is due.
    pub(crate) zero: Option<i64>,
    /// When it started, where that means something.
    pub(crate) start: Option<i64>,
    /// Exemplars up to that time were sent already.
    pub(super) exemplars: i64,
}

/// What there is to say.
pub(crate) enum Reading<'a> {
    Value(Value<'a>),
    /// The series has ended.
    Stale,
}

/// The value that ends a series
/// (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#stale-markers>).
pub(crate) const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

impl<'a> Point<'a> {
    /// Names and values of its labels, without those that the caller gives to all.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.view.label_pairs(self.row)
    }

    /// The exemplar of a bucket, or of a series without buckets, where it was not sent before.
    pub(crate) fn exemplar(&self, bucket: usize) -> Option<&'a Exemplar> {
        let live = matches!(self.reading, Reading::Value(_));
        self.view.exemplar(self.row, bucket).filter(|exemplar| live && millis(exemplar.time()) > self.exemplars)
    }

    /// All of so many buckets, in the order of their times.
    pub(crate) fn exemplars(&self, buckets: usize) -> Vec<&'a Exemplar> {
        let mut exemplars: Vec<_> = (0..buckets).filter_map(|bucket| self.exemplar(bucket)).collect();
        exemplars.sort_by(|one, other| one.time().total_cmp(&other.time()));
        exemplars
    }

    /// The time of its latest exemplar, sent before or now.
    pub(super) fn latest_exemplar(&self) -> i64 {
        let buckets = self.view.buckets();
        (0..buckets)
            .filter_map(|bucket| self.exemplar(bucket))
            .map(|exemplar| millis(exemplar.time()))
            .fold(self.exemplars, i64::max)
    }
}

/// The time of an exemplar, milliseconds since the Unix epoch.
pub(crate) fn exemplar_time(exemplar: &Exemplar) -> i64 {
    millis(exemplar.time())
}
