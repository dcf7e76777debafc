//! What became of the records of one call, part by part.

use metricast_sdk::{Batch, PublishError, Receipt, log};

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) receipt: Receipt,
    /// Why the first of those that are sent again were not taken.
    trouble: Option<PublishError>,
    /// An index or stream is not there any more.
    pub(crate) homeless: bool,
    /// A plain index that documents went to where a data stream should be.
    pub(crate) plain: Option<String>,
}

impl Tally {
    /// Records that nothing was written of.
    pub(crate) fn again(&mut self, rows: &[u32], why: PublishError) {
        self.receipt.retryable.extend_from_slice(rows);
        if let PublishError::Unavailable { retry_after_ms, .. } = why {
            self.receipt.retry_after_ms = self.receipt.retry_after_ms.max(retry_after_ms);
        }
        self.trouble.get_or_insert(why);
    }

    /// Records of which nobody knows.
    pub(crate) fn in_doubt(&mut self, rows: &[u32], why: PublishError) {
        self.receipt.in_doubt.extend_from_slice(rows);
        self.again(rows, why);
    }

    /// A document was written into a plain index: the stream and its template are gone.
    pub(crate) fn went_to_plain_index(&mut self, index: String) {
        self.homeless = true;
        self.plain.get_or_insert(index);
    }

    /// The answer for the whole batch. Where no record came through and none is in doubt, it is the error that all
    /// of them have.
    pub(crate) fn answer(self, batch: &Batch) -> Result<Receipt, PublishError> {
        let Self { mut receipt, trouble, .. } = self;
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
