//! Up to where every record is answered for, when batches are answered out of order.

use std::collections::BTreeMap;

/// Ranges of offsets that are under way.
#[derive(Debug, Default)]
pub(super) struct Watermark {
    under_way: BTreeMap<u64, u64>,
    next: u64,
}

impl Watermark {
    /// `first..next` is handed over. Ranges are begun in order.
    pub(super) fn begin(&mut self, first: u64, next: u64) {
        self.under_way.insert(first, next);
        self.next = next;
    }

    /// The range that begins at `first` is answered for; gives the offset below which all are.
    pub(super) fn done(&mut self, first: u64) -> u64 {
        self.under_way.remove(&first);
        self.under_way.first_key_value().map_or(self.next, |(&oldest, _)| oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::Watermark;

    #[test]
    fn the_oldest_range_holds_it_back() {
        let mut watermark = Watermark::default();
        watermark.begin(0, 10);
        watermark.begin(10, 15);
        watermark.begin(15, 40);
        assert_eq!(watermark.done(10), 0);
        assert_eq!(watermark.done(0), 15);
        assert_eq!(watermark.done(15), 40);
    }
}
