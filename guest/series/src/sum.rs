//! A running sum of floats that does not drift.
//!
//! Beside the sum stands what rounding has taken from it so far, by Knuth's two-sum: six additions without a branch,
//! four of which the processor does beside the others. A billion observations of a millisecond sum to 1,000,000 and not
//! to something near it, and how batches were cut cannot be seen in the result.

/// A sum and the part that its rounding lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sum {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.high + value;
        let part = total - self.high;
        self.low += (self.high - (total - part)) + (value - part);
        self.high = total;
    }

    /// The sum so far. An infinite sum has no lost part, only the NaN of its own subtraction.
    pub(crate) fn total(self) -> f64 {
        if self.high.is_finite() { self.high + self.low } else { self.high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
        let mut sum = Sum::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum.total()
    }

    #[test]
    fn small_values_are_not_lost_beside_a_large_one() {
        assert!((sum([1e16, 1.0, 1.0, 1.0, -1e16]) - 3.0).abs() < f64::EPSILON);
        assert_eq!(sum(std::iter::repeat_n(0.1, 1_000_000)).to_bits(), 100_000.0_f64.to_bits());
    }

    #[test]
    fn an_infinite_sum_stays_infinite() {
        assert_eq!(sum([1.0, f64::INFINITY, 2.0]).to_bits(), f64::INFINITY.to_bits());
        assert_eq!(sum([f64::MAX, f64::MAX]).to_bits(), f64::INFINITY.to_bits());
    }
}
