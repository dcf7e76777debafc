//! Up to where every record is answered for, when batches are answered out of order.

use std::collections::BTreeMap;

/// Ranges of offsets that are under way, each by its first and with the time that its oldest record came.
#[derive(Debug, Default)]
pub(super) struct Watermark {
    under_way: BTreeMap<u64, f64>,
    next: u64,
}

impl Watermark {
    /// All below an offset is answered for.
    pub(super) fn from(next: u64) -> Self {
        Self { under_way: BTreeMap::new(), next }
    }

    /// Behind the last record that was handed over.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// `first..next` is handed over, the oldest of it received at that time. Ranges are begun in order.
    pub(super) fn begin(&mut self, first: u64, next: u64, received: f64) {
        self.under_way.insert(first, received);
        self.next = next;
    }

    /// The range that begins at `first` is answered for; gives the offset below which all are.
    pub(super) fn done(&mut self, first: u64) -> u64 {
        self.under_way.remove(&first);
        self.under_way.first_key_value().map_or(self.next, |(&oldest, _)| oldest)
    }

    /// When the oldest record came that is under way.
    pub(super) fn oldest(&self) -> Option<f64> {
        self.under_way.values().copied().reduce(f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::Watermark;

    #[test]
    fn the_oldest_range_holds_it_back() {
        let mut watermark = Watermark::default();
        watermark.begin(0, 10, 1.0);
        watermark.begin(10, 15, 2.0);
        watermark.begin(15, 40, 3.0);
        assert_eq!((watermark.done(10), watermark.oldest()), (0, Some(1.0)));
        assert_eq!((watermark.done(0), watermark.oldest()), (15, Some(3.0)));
        assert_eq!((watermark.done(15), watermark.oldest()), (40, None));
    }
}
