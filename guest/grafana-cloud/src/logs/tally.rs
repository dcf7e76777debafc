//! What became of the records of one call, part by part.

use metricast_sdk::{Batch, PublishError, Receipt, Rejection, log};

use super::push::Entry;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    receipt: Receipt,
    /// Why the first of those that are sent again were not taken.
    trouble: Option<PublishError>,
}

impl Tally {
    /// Loki has them.
    pub(crate) fn taken(&mut self, entries: &[Entry]) {
        self.receipt.accepted += entries.len() as u32;
    }

    /// Loki will never take it.
    pub(crate) fn rejected(&mut self, index: u32, reason: String) {
        self.receipt.rejected.push(Rejection { index, reason });
    }

    /// They are sent again.
    pub(crate) fn again(&mut self, entries: &[Entry], why: &PublishError) {
        self.receipt.retryable.extend(entries.iter().map(|entry| entry.index));
        if let PublishError::Unavailable { retry_after_ms, .. } = why {
            self.receipt.retry_after_ms = self.receipt.retry_after_ms.max(*retry_after_ms);
        }
        self.trouble.get_or_insert_with(|| why.clone());
    }

    /// Nobody knows.
    pub(crate) fn in_doubt(&mut self, entries: &[Entry], why: &PublishError) {
        self.receipt.in_doubt.extend(entries.iter().map(|entry| entry.index));
        self.again(entries, why);
    }

    /// The answer for the whole batch. Where no record came through and none is in doubt, it is the error that all of
    /// them have.
    ///
    /// # Errors
    /// That one.
    pub(crate) fn answer(self, batch: &Batch) -> Result<Receipt, PublishError> {
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
