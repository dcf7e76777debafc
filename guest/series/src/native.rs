//! Native histograms: buckets that grow by one factor from each to the next, so that none has to be chosen beforehand.
//!
//! Bucket `i` of schema `s` holds what is above `2^((i-1)/2^s)` and not above `2^(i/2^s)`
//! (<https://prometheus.io/docs/specs/native_histograms/>). A series begins at schema 3, where bounds grow by 9 %, and
//! halves its resolution where it would need more than [`MOST_USED`] buckets, or more than [`WIDEST`] from its lowest to
//! its highest. Both only ever grow with what is observed, so the resolution that it ends at depends on the values
//! alone and not on their order.
//!
//! Finding a bucket takes no logarithm: the exponent of a float says its octave, a table by the top bits of its
//! fraction names the one bound of that octave that comes into question, and every coarser schema is a shift.

/// The schema that a series begins with: the coarsest whose bounds grow by at most 10 %.
const FINEST: i32 = 3;

/// The most buckets with something in them.
pub const MOST_USED: u32 = 160;

/// The most buckets from the lowest to the highest that hold something. It bounds the memory of a series.
pub const WIDEST: usize = 512;

/// What is not above it counts as zero, as in the official clients: 2^-128.
pub const ZERO_THRESHOLD: f64 = 1.0 / (1_u128 << 127) as f64 / 2.0;

/// The fractions, as bits of a float, of the bounds within an octave of the finest schema: `2^(j/8)`.
const BOUNDS: [u64; 8] = [
    0,
    0x1_72b8_3c7d_517b,
    0x3_06fe_0a31_b715,
    0x4_bfda_d536_2a27,
    0x6_a09e_667f_3bcd,
    0x8_ace5_422a_a0db,
    0xa_e89f_995a_d3ad,
    0xd_5818_dcfb_a487,
];

/// What fractions have in common whose four top bits are the same.
#[derive(Clone, Copy)]
struct Cell {
    /// How many bounds are below all of them.
    below: u8,
    /// The next bound. No two are in one cell.
    bound: u64,
}

const CELLS: [Cell; 16] = cells();

const fn cells() -> [Cell; 16] {
    let mut cells = [Cell { below: 0, bound: u64::MAX }; 16];
    let (mut at, mut below) = (0, 0);
    while at < 16 {
        cells[at].below = below as u8;
        if below < 8 {
            cells[at].bound = BOUNDS[below];
            below += (BOUNDS[below] >> 48 == at as u64) as usize;
        }
        at += 1;
    }
    cells
}

const THRESHOLD_BITS: u64 = ZERO_THRESHOLD.to_bits();
const INFINITY_BITS: u64 = f64::INFINITY.to_bits();

/// The bucket of infinity in the finest schema, beyond that of the greatest number.
const INFINITE: i32 = (1024 << FINEST) + 1;

/// The bucket of a finite value above [`ZERO_THRESHOLD`], given as bits, in the finest schema.
#[inline]
fn key(bits: u64) -> i32 {
    let fraction = bits & ((1 << 52) - 1);
    let exponent = (bits >> 52) as i32 - 1023;
    let Cell { below, bound } = CELLS[(fraction >> 48) as usize];
    (exponent << FINEST) + i32::from(below) + i32::from(fraction > bound)
}

/// The native histogram of one series, without its sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Native {
    /// How many values were not above [`ZERO_THRESHOLD`].
    pub(crate) zero: u64,
    /// How often the resolution was halved.
    pub(crate) halvings: u8,
    /// The bucket of the first of `counts`.
    pub(crate) first: i32,
    /// Bucket after bucket, the first and the last with something in them.
    pub(crate) counts: Vec<u64>,
    /// How many of `counts` are not 0.
    used: u32,
}

impl Native {
    /// The most halvings: a value of any size finds room then.
    pub(crate) const MOST_HALVINGS: u8 = 7;

    /// Of no values.
    pub(crate) const fn new() -> Self {
        Self { zero: 0, halvings: 0, first: 0, counts: Vec::new(), used: 0 }
    }

    /// As it was saved; none where it could not have come to be.
    pub(crate) fn restored(zero: u64, halvings: u8, first: i32, counts: Vec<u64>) -> Option<Self> {
        let used = counts.iter().filter(|count| **count > 0).count() as u32;
        let ends = [counts.first(), counts.last()].into_iter().flatten().all(|count| *count > 0);
        let in_range = first.unsigned_abs() <= 1 << 16 && halvings <= Self::MOST_HALVINGS;
        let fits = used <= MOST_USED && counts.len() <= WIDEST;
        (ends && in_range && fits).then_some(Self { zero, halvings, first, counts, used })
    }

    /// The schema that `counts` are of.
    pub(crate) fn schema(&self) -> i32 {
        FINEST - i32::from(self.halvings)
    }

    /// Counts a value that is not NaN. One below zero counts as zero.
    #[inline]
    pub(crate) fn observe(&mut self, value: f64) {
        let bits = value.to_bits();
        // Bits of positive numbers ascend as the numbers do, and all negative ones are beyond them.
        if bits > THRESHOLD_BITS && bits < INFINITY_BITS {
            let key = key(bits);
            let at = self.coarse(key).wrapping_sub(self.first) as usize;
            match self.counts.get_mut(at) {
                Some(count) if *count > 0 => *count += 1,
                _ => self.begin(key),
            }
        } else if bits == INFINITY_BITS {
            self.begin(INFINITE);
        } else {
            self.zero += 1;
        }
    }

    /// The bucket of a key of the finest schema.
    #[inline]
    fn coarse(&self, key: i32) -> i32 {
        (key + (1 << self.halvings) - 1) >> self.halvings
    }

    /// Counts a value in a bucket that may be empty.
    #[cold]
    fn begin(&mut self, key: i32) {
        loop {
            let bucket = self.coarse(key);
            let at = bucket.wrapping_sub(self.first);
            if let Some(count) = self.counts.get_mut(at as usize)
                && *count > 0
            {
                *count += 1;
                return;
            }
            if self.used < MOST_USED && self.width_with(bucket) <= WIDEST {
                self.reach(bucket);
                self.counts[(bucket - self.first) as usize] += 1;
                self.used += 1;
                return;
            }
            self.halve();
        }
    }

    /// How many buckets there are from the lowest to the highest: few, by [`WIDEST`].
    fn width(&self) -> i32 {
        (self.counts.len() as u32).cast_signed()
    }

    /// How many there are with this one.
    fn width_with(&self, bucket: i32) -> usize {
        if self.counts.is_empty() {
            return 1;
        }
        let last = self.first + self.width() - 1;
        (last.max(bucket) - self.first.min(bucket) + 1) as usize
    }

    /// Makes a place for a bucket.
    fn reach(&mut self, bucket: i32) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let more = (self.first - bucket) as usize;
            self.counts.splice(..0, std::iter::repeat_n(0, more));
            self.first = bucket;
        }
        let least = (bucket - self.first) as usize + 1;
        self.counts.resize(self.counts.len().max(least), 0);
    }

    /// Merges each two neighbours.
    fn halve(&mut self) {
        let first = (self.first + 1) >> 1;
        let last = (self.first + self.width()) >> 1;
        let mut counts = vec![0; (last - first + 1) as usize];
        for (bucket, count) in (self.first..).zip(&self.counts) {
            counts[(((bucket + 1) >> 1) - first) as usize] += count;
        }
        self.used = counts.iter().filter(|count| **count > 0).count() as u32;
        self.halvings += 1;
        (self.first, self.counts) = (first, counts);
    }
}

#[cfg(test)]
#[path = "native_tests.rs"]
mod tests;
