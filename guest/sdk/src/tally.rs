//! What became of the records of one call, where they go to the backend in parts: a receipt in the making.
//!
//! What an answer means is the plugin's affair. Here is only how answers for parts become one for the call.

use metricast_records::Batch;

use crate::answer::{PublishError, Receipt, Rejection};
use crate::log;

/// What is known of a call's records so far. Each record is told of once, but in [`in_doubt`](Self::in_doubt) and
/// [`again`](Self::again), of which the first says the second too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    receipt: Receipt,
    /// Why the first of those that are sent again were not taken.
    trouble: Option<PublishError>,
}

impl Tally {
    /// The backend has so many more.
    pub fn taken(&mut self, records: usize) {
        self.receipt.accepted += records as u32;
    }

    /// The backend will never take this one.
    pub fn rejected(&mut self, index: u32, reason: impl Into<String>) {
        self.receipt.rejected.push(Rejection { index, reason: reason.into() });
    }

    /// Nothing was written of these: they are sent again, after the longest of the waits that were asked for.
    pub fn again(&mut self, indexes: impl IntoIterator<Item = u32>, why: &PublishError) {
        self.receipt.retryable.extend(indexes);
        if let PublishError::Unavailable { retry_after_ms, .. } = why {
            self.receipt.retry_after_ms = self.receipt.retry_after_ms.max(*retry_after_ms);
        }
        self.trouble.get_or_insert_with(|| why.clone());
    }

    /// Nobody knows whether these were written: they are sent again.
    pub fn in_doubt(&mut self, indexes: impl IntoIterator<Item = u32>, why: &PublishError) {
        let known = self.receipt.retryable.len();
        self.again(indexes, why);
        self.receipt.in_doubt.extend_from_slice(&self.receipt.retryable[known..]);
    }

    /// The answer for the whole batch. Where no record came through and none is in doubt, it is the error that kept the
    /// first of them back.
    ///
    /// # Errors
    /// That one.
    pub fn answer(self, batch: &Batch) -> Result<Receipt, PublishError> {
        let Self { mut receipt, trouble } = self;
        let doubts = receipt.in_doubt.len();
        if let Some(trouble) = trouble {
            if receipt.accepted == 0 && receipt.rejected.is_empty() && doubts == 0 {
                return Err(trouble);
            }
            let again = format!("{} of {} records are to be sent again", receipt.retryable.len(), batch.len());
            if doubts > 0 {
                log::warn(format_args!("{again}, {doubts} of them in doubt: {trouble}"));
            } else {
                log::debug(format_args!("{again}: {trouble}"));
            }
        }
        receipt.rejected.sort_by_key(|rejection| rejection.index);
        receipt.retryable.sort_unstable();
        receipt.in_doubt.sort_unstable();
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use metricast_records::{BatchBuilder, EventMetrics, MetricsRef};

    use super::*;

    fn batch(records: usize) -> Batch {
        let mut builder = BatchBuilder::new();
        let event = EventMetrics { event_name: "e".into(), status: "s".into(), ..EventMetrics::default() };
        for _ in 0..records {
            builder.push(&MetricsRef::Event(event.as_ref()), 0.0).expect("it has a name");
        }
        builder.finish()
    }

    fn busy(retry_after_ms: Option<u64>) -> PublishError {
        PublishError::Unavailable { reason: format!("busy {retry_after_ms:?}"), retry_after_ms }
    }

    #[test]
    fn parts_make_one_receipt_in_the_order_of_the_batch() {
        let mut tally = Tally::default();
        tally.in_doubt([6, 4], &busy(Some(20)));
        tally.again([5, 1], &busy(Some(7)));
        tally.again([2], &PublishError::Unauthorized("no".into()));
        tally.rejected(3, "second");
        tally.rejected(0, "first");
        tally.taken(2);
        let reason = |index, reason: &str| Rejection { index, reason: reason.into() };
        let expected = Receipt {
            accepted: 2,
            rejected: vec![reason(0, "first"), reason(3, "second")],
            retryable: vec![1, 2, 4, 5, 6],
            in_doubt: vec![4, 6],
            retry_after_ms: Some(20),
        };
        assert_eq!(tally.answer(&batch(9)), Ok(expected));
    }

    #[test]
    fn where_all_are_sent_again_the_first_reason_is_the_answer() {
        let mut tally = Tally::default();
        tally.again([0], &busy(None));
        tally.again([1], &PublishError::Unauthorized("no".into()));
        assert_eq!(tally.clone().answer(&batch(2)), Err(busy(None)));
        tally.rejected(2, "bad");
        assert_eq!(tally.answer(&batch(3)).map(|receipt| receipt.retryable), Ok(vec![0, 1]));
    }

    #[test]
    fn doubt_is_never_an_error_of_the_whole_batch() {
        let mut tally = Tally::default();
        tally.in_doubt([0], &busy(None));
        let receipt = Receipt { retryable: vec![0], in_doubt: vec![0], ..Receipt::default() };
        assert_eq!(tally.answer(&batch(1)), Ok(receipt));
    }
}
