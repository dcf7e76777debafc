//! One body's records to the publisher, to the end or until the sender should hear that it is not reached.
//!
//! What a backend asks to have again is sent again within the request: a bounded number of times and with a bounded
//! loss of time, since a sender waits. Records go in pieces of the size that metricast's own host sends, in the order in which
//! they came: what keeps a watermark wants them so.

use std::collections::HashSet;
use std::time::Duration;

use metricast_records::{Batch, BatchBuilder};

use crate::publisher::{Flushed, PublishError, Publisher, Receipt, Surroundings};

/// So long may go by with calls that fail and the pauses after them.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A piece is sent so often at most, and a flush asked for.
const ATTEMPTS: u32 = 5;
/// The first pause; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Records of a piece.
const PIECE_RECORDS: usize = 1_000;
/// Bytes of distinct text of a piece: it ends with the record that goes beyond.
const PIECE_TEXT: usize = 4 << 20;

/// What became of the records.
#[derive(Debug, Default)]
pub struct Delivery {
    /// How many the publisher has taken and no longer holds.
    pub accepted: u64,
    /// Offset and reason of each that the backend will never take.
    pub rejected: Vec<(u64, String)>,
    /// Why records of earlier requests were given up.
    pub strays: Vec<String>,
    /// What ended it early.
    pub trouble: Option<PublishError>,
    /// Whether the publisher has taken something of it, also what it still holds; or may have, since it failed by its own
    /// fault.
    pub touched: bool,
}

/// Sends `batch` and flushes.
pub fn deliver<S: Surroundings>(surroundings: &S, publisher: &S::Publisher, batch: &Batch) -> Delivery {
    let (since, lost) = (surroundings.elapsed(), Duration::ZERO);
    let mut run = Run { surroundings, publisher, since, lost, delivery: Delivery::default() };
    let mut next = 0;
    while next < batch.len() && run.delivery.trouble.is_none() {
        let piece = piece(batch, &mut next);
        run.send(piece);
    }
    if run.delivery.touched || run.delivery.trouble.is_none() {
        run.flush(batch);
    }
    run.delivery
}

/// The records from the `next`th to come in.
fn piece(batch: &Batch, next: &mut usize) -> Batch {
    let first = batch.offsets().iter().min().copied().unwrap_or(0);
    let mut builder = BatchBuilder::new();
    while *next < batch.len() && builder.len() < PIECE_RECORDS && builder.text_len() < PIECE_TEXT {
        let offset = first + *next as u64;
        builder.append(batch, batch.rows_at(offset..offset + 1)).expect("a part of a batch's text fits into another");
        *next += 1;
    }
    builder.finish().with_redelivered(batch.redelivered())
}

struct Run<'a, S: Surroundings> {
    surroundings: &'a S,
    publisher: &'a S::Publisher,
    /// When the call began that is under way.
    since: Duration,
    /// What went by with those that failed.
    lost: Duration,
    delivery: Delivery,
}

impl<S: Surroundings> Run<'_, S> {
    fn send(&mut self, mut piece: Batch) {
        for attempt in 1.. {
            self.since = self.surroundings.elapsed();
            let error = match self.publisher.publish(&piece).and_then(|receipt| checked(receipt, &piece)) {
                Ok(receipt) => {
                    self.take(&receipt, &piece);
                    if receipt.retryable.is_empty() {
                        return;
                    }
                    let reason = "the backend asks for records to be sent again".to_owned();
                    let redelivered = piece.redelivered() || receipt.in_doubt;
                    piece = piece.select(&receipt.retryable).with_redelivered(redelivered);
                    PublishError::Unavailable { reason, retry_after_ms: receipt.retry_after_ms }
                }
                Err(PublishError::Rejected(reason)) => {
                    self.delivery.rejected.extend(piece.offsets().iter().map(|&offset| (offset, reason.clone())));
                    return;
                }
                Err(error) => {
                    self.delivery.touched |= matches!(error, PublishError::Internal(_));
                    error
                }
            };
            if let Err(error) = self.pause(attempt, error) {
                self.delivery.trouble = Some(error);
                return;
            }
        }
    }

    fn take(&mut self, receipt: &Receipt, piece: &Batch) {
        self.delivery.accepted += u64::from(receipt.accepted);
        self.delivery.touched |= receipt.accepted > 0;
        let offset = |index: u32| piece.offsets()[index as usize];
        self.delivery.rejected.extend(receipt.rejected.iter().map(|(index, reason)| (offset(*index), reason.clone())));
    }

    fn flush(&mut self, batch: &Batch) {
        for attempt in 1.. {
            self.since = self.surroundings.elapsed();
            let (error, pending) = match self.publisher.flush() {
                Ok(flushed) => {
                    let pending = flushed.pending;
                    let retry_after_ms = flushed.retry_after_ms;
                    let reason = told_pending(&flushed);
                    self.take_late(flushed, batch);
                    if pending == 0 {
                        return;
                    }
                    (PublishError::Unavailable { reason, retry_after_ms }, pending)
                }
                Err(error) => (error, self.delivery.accepted),
            };
            // A second trouble is not waited for: the sender comes again in any case.
            let waited = if self.delivery.trouble.is_some() { Err(error) } else { self.pause(attempt, error) };
            if let Err(error) = waited {
                self.delivery.accepted = self.delivery.accepted.saturating_sub(pending);
                self.delivery.trouble.get_or_insert(error);
                return;
            }
        }
    }

    /// A record that several legs of a composite gave up is one record.
    fn take_late(&mut self, flushed: Flushed, batch: &Batch) {
        let mut known: HashSet<u64> = self.delivery.rejected.iter().map(|(offset, _)| *offset).collect();
        for late in flushed.rejected {
            let reason = if late.leg.is_empty() { late.reason } else { format!("{}: {}", late.leg, late.reason) };
            if late.epoch != batch.epoch() || batch.rows_at(late.offset..late.offset.saturating_add(1)).next().is_none()
            {
                self.delivery.strays.push(reason);
            } else {
                if known.insert(late.offset) {
                    self.delivery.accepted = self.delivery.accepted.saturating_sub(1);
                }
                self.delivery.rejected.push((late.offset, reason));
            }
        }
    }

    /// Waits for the next attempt.
    ///
    /// # Errors
    /// `error` again, where none will be made.
    fn pause(&mut self, attempt: u32, error: PublishError) -> Result<(), PublishError> {
        let wish = match &error {
            PublishError::Unavailable { retry_after_ms, .. } => retry_after_ms.map(Duration::from_millis),
            PublishError::Internal(_) => None,
            _ => return Err(error),
        };
        let pause = wish.unwrap_or(FIRST_PAUSE * (1 << (attempt - 1)));
        self.lost += self.surroundings.elapsed().saturating_sub(self.since);
        let lost = self.lost.saturating_add(pause);
        if attempt >= ATTEMPTS || lost > PATIENCE {
            return Err(error);
        }
        self.lost = lost;
        self.surroundings.sleep(pause);
        Ok(())
    }
}

/// What keeps records from the backend that a flush left behind.
fn told_pending(flushed: &Flushed) -> String {
    let taken = "records are taken and not yet at the backend";
    if flushed.reason.is_empty() { taken.to_owned() } else { format!("{taken}: {}", flushed.reason) }
}

/// A receipt that adds up.
fn checked(mut receipt: Receipt, piece: &Batch) -> Result<Receipt, PublishError> {
    receipt.retryable.sort_unstable();
    let named = receipt.rejected.iter().map(|(index, _)| *index).chain(receipt.retryable.iter().copied());
    let distinct: HashSet<u32> = named.clone().collect();
    let listed = receipt.rejected.len() + receipt.retryable.len();
    let adds_up = distinct.len() == listed
        && receipt.accepted as usize + listed == piece.len()
        && distinct.iter().all(|&index| (index as usize) < piece.len());
    if adds_up {
        Ok(receipt)
    } else {
        Err(PublishError::Internal(format!(
            "the plugin's receipt does not add up: {} accepted, {} rejected and {} to be sent again of {} records",
            receipt.accepted,
            receipt.rejected.len(),
            receipt.retryable.len(),
            piece.len()
        )))
    }
}
