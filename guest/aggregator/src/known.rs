//! Which series belong to label values, kept from batch to batch: each family of the registry would have to be asked
//! otherwise.

use metricast_series::{LabelTable, cap};

/// Series by label values. It holds handles only; to forget them costs nothing but time.
#[derive(Debug)]
pub(crate) struct Known<S> {
    labels: LabelTable,
    series: Vec<S>,
}

/// More than these are not kept from batch to batch: long names fill memory.
const MOST_KEPT: usize = 4096;

impl<S> Known<S> {
    /// Of so many label values each.
    pub(crate) fn new(width: usize) -> Self {
        Self { labels: LabelTable::new(width), series: Vec::new() }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.labels.width());
    }

    /// Forgets all if that is too much to keep. Rows given before are no longer good.
    pub(crate) fn trim(&mut self) {
        if self.series.len() > MOST_KEPT {
            self.clear();
        }
    }

    /// The row of these label values; what `make` gives becomes theirs if they have none.
    pub(crate) fn row(&mut self, values: &[&str], make: impl FnOnce() -> S) -> usize {
        let values = values.iter().map(|value| cap::cut(value));
        if let Some(row) = self.labels.find(&values) {
            return row as usize;
        }
        self.series.push(make());
        self.labels.insert(values) as usize
    }

    /// The series of a row.
    pub(crate) fn series(&mut self, row: usize) -> &mut S {
        &mut self.series[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_made_again_until_it_is_too_much() {
        let mut known = Known::new(2);
        for (values, expected) in [(["a", "b"], 0), (["a", "c"], 1), (["a", "b"], 0)] {
            let next = known.series.len();
            let row = known.row(&values, || next);
            assert_eq!(*known.series(row), expected);
        }
        known.trim();
        assert_eq!(known.series.len(), 2);
        for name in 0..MOST_KEPT {
            known.row(&[&name.to_string(), ""], || 0);
        }
        known.trim();
        assert_eq!(known.series.len(), 0);
    }
}
