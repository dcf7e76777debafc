//! The bounds that keep one family from growing without end: how many series it may hold and how long a label value
//! may be.
//!
//! A full family goes on counting. A new set of label values is recorded in the overflow series, whose open labels all
//! say [`OTHER`], and `metricast_series_overflow_total{family}` tells how many values went there. Which sets get a
//! series of their own depends only on the order of recording, so a replay decides alike.

use thiserror::Error;

/// The label value of what found no room.
pub const OTHER: &str = "__other__";

/// The counter of values that went into an overflow series, without its `_total`.
pub const OVERFLOW_FAMILY: &str = "metricast_series_overflow";

/// The label of [`OVERFLOW_FAMILY`].
pub const OVERFLOW_LABEL: &str = "family";

/// The most bytes that are kept of a label value.
pub const MAX_LABEL_BYTES: usize = 1024;

/// How many series a family may hold, its overflow series not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesLimit(u32);

/// A series limit that is zero or beyond [`SeriesLimit::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be from 1 to {max}, not {given}", max = SeriesLimit::MAX)]
pub struct SeriesLimitError {
    /// What was asked for.
    pub given: u64,
}

impl SeriesLimit {
    /// What a family may hold unless told otherwise.
    pub const DEFAULT: u32 = 10_000;
    /// The most that can be asked for.
    pub const MAX: u32 = 10_000_000;

    /// A limit of `given` series a family.
    ///
    /// # Errors
    /// Where `given` is zero or beyond [`SeriesLimit::MAX`].
    pub fn new(given: u64) -> Result<Self, SeriesLimitError> {
        match u32::try_from(given) {
            Ok(limit @ 1..=Self::MAX) => Ok(Self(limit)),
            _ => Err(SeriesLimitError { given }),
        }
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

impl Default for SeriesLimit {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

/// The start of `value` that fits in [`MAX_LABEL_BYTES`], cut between characters.
#[inline]
pub fn cut(value: &str) -> &str {
    if value.len() <= MAX_LABEL_BYTES {
        return value;
    }
    &value[..value.floor_char_boundary(MAX_LABEL_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"x".repeat(1024)).len(), 1024);
        assert_eq!(cut(&"x".repeat(1025)).len(), 1024);
        let euros = "€".repeat(400);
        assert_eq!(cut(&euros), "€".repeat(341));
    }

    #[test]
    fn a_limit_is_from_one_to_the_most() {
        assert_eq!(SeriesLimit::new(1).map(SeriesLimit::get), Ok(1));
        assert_eq!(SeriesLimit::default().get(), 10_000);
        let error = SeriesLimit::new(0).expect_err("zero is refused");
        assert_eq!(error.to_string(), "must be from 1 to 10000000, not 0");
        assert!(SeriesLimit::new(u64::MAX).is_err());
    }
}
