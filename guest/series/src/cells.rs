//! What the series of a family count in: a row for each, numbered as those of its labels.

use crate::histogram::Histograms;
use crate::native::Native;
use crate::sum::Sum;

/// Cells of one kind.
pub(crate) trait Cells {
    /// How many places for exemplars a row has.
    fn width(&self) -> usize {
        1
    }
    /// Appends a row that nothing was recorded in.
    fn grow(&mut self);
    /// Removes all rows.
    fn clear(&mut self);
    /// Removes the rows for which `keep` has a `false`; the others stay in their order.
    fn keep(&mut self, keep: &[bool]);
}

impl Cells for Vec<u128> {
    fn grow(&mut self) {
        self.push(0);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn keep(&mut self, keep: &[bool]) {
        keep_rows(self, 1, keep);
    }
}

impl Cells for Vec<f64> {
    fn grow(&mut self) {
        self.push(f64::NAN);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn keep(&mut self, keep: &[bool]) {
        keep_rows(self, 1, keep);
    }
}

impl Cells for Histograms {
    fn width(&self) -> usize {
        self.buckets.width()
    }

    fn grow(&mut self) {
        self.counts.resize(self.counts.len() + self.buckets.width(), 0);
        self.sums.push(Sum::default());
        if self.form.has_native() {
            self.natives.push(Native::default());
        }
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.sums.clear();
        self.natives.clear();
    }

    fn keep(&mut self, keep: &[bool]) {
        keep_rows(&mut self.counts, self.buckets.width(), keep);
        keep_rows(&mut self.sums, 1, keep);
        keep_rows(&mut self.natives, 1, keep);
    }
}

/// Removes the rows, each of `width` values, for which `keep` has a `false`.
pub(crate) fn keep_rows<T>(values: &mut Vec<T>, width: usize, keep: &[bool]) {
    let mut at = 0;
    values.retain(|_| {
        at += 1;
        keep[(at - 1) / width]
    });
}
