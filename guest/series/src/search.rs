//! Finding the bucket of a value, which every observation does.
//!
//! A value's exponent says which bounds come into question: mostly one, since bounds are a few to a decade. A table by
//! sign and exponent gives the first of them, and what is left are so few comparisons that no branch is needed: several
//! times as fast as a binary search, whose turns no processor can foresee.

/// The upper bounds of a layout, and where to look for a value among them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    /// Ascending and not negative; the last is infinite.
    bounds: Vec<f64>,
    /// By sign and exponent, how many bounds are below all such values.
    below: Vec<u8>,
    /// The most bounds that have the same exponent.
    steps: usize,
}

/// Beyond so many comparisons a binary search is the faster one.
const MOST_STEPS: usize = 6;

/// How many exponents there are; as many table entries are for negative values.
const EXPONENTS: usize = 2048;

impl Search {
    /// Of at most 255 finite `bounds` that ascend from zero or above.
    pub(crate) fn new(bounds: &[f64]) -> Self {
        let mut here = vec![0_u8; EXPONENTS];
        for bound in bounds {
            here[cell(*bound)] += 1;
        }
        let steps = here.iter().copied().max().map_or(0, usize::from);
        let mut below = vec![0; 2 * EXPONENTS];
        for cell in 1..EXPONENTS {
            below[cell] = below[cell - 1] + here[cell - 1];
        }
        let bounds = bounds.iter().copied().chain([f64::INFINITY]).collect();
        Self { bounds, below, steps }
    }

    /// The bounds, the infinite one included.
    pub(crate) fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// How many bounds are below `value`, which is not NaN: the place of the first that is not.
    #[inline]
    pub(crate) fn index(&self, value: f64) -> usize {
        if self.steps > MOST_STEPS {
            return self.bounds.partition_point(|bound| *bound < value);
        }
        let mut at = usize::from(self.below[cell(value)]);
        for _ in 0..self.steps {
            at += usize::from(self.bounds[at] < value);
        }
        at
    }
}

/// Sign and exponent of a value.
#[inline]
fn cell(value: f64) -> usize {
    (value.to_bits() >> 52) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(bounds: &[f64], value: f64) {
        let expected = bounds.iter().filter(|bound| **bound < value).count();
        assert_eq!(Search::new(bounds).index(value), expected, "{value} in {bounds:?}");
    }

    #[test]
    fn the_edges_of_the_numbers_have_their_buckets() {
        for bounds in
            [&[0.0, f64::MIN_POSITIVE, 1.0, f64::MAX][..], &[2.0], &[0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99]]
        {
            for value in
                [0.0, -0.0, -1.0, 5e-324, f64::MIN_POSITIVE, 1.0, 2.0, f64::MAX, f64::INFINITY, f64::NEG_INFINITY]
            {
                agrees(bounds, value);
            }
            for bound in bounds {
                agrees(bounds, *bound);
                agrees(bounds, bound.next_up());
                agrees(bounds, bound.next_down());
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_counting(bounds in prop::collection::btree_set(0..2_000_u32, 1..200), value in 0.0..2.5_f64) {
            let bounds: Vec<f64> = bounds.into_iter().map(|bound| f64::from(bound) / 1000.0).collect();
            agrees(&bounds, value);
        }

        #[test]
        fn it_agrees_with_counting_over_all_magnitudes(
            bounds in prop::collection::vec(prop::num::f64::POSITIVE | prop::num::f64::ZERO, 1..60),
            value in prop::num::f64::ANY,
        ) {
            let mut bounds = bounds;
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            if !value.is_nan() {
                agrees(&bounds, value);
            }
        }
    }
}
