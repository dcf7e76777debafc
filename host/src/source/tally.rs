//! What came in over HTTP, counted for whoever looks at it from outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shared by a source and whoever looks at it.
#[derive(Debug, Default)]
pub struct Tally {
    requests: Mutex<BTreeMap<u16, u64>>,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    /// A request was answered with this status.
    pub(super) fn answered(&self, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(status).or_default() += 1;
    }

    /// The records of a body are in the queue, its bad lines apart.
    pub(super) fn took(&self, accepted: u64, refused: u64) {
        self.accepted.fetch_add(accepted, Ordering::Relaxed);
        self.refused.fetch_add(refused, Ordering::Relaxed);
    }

    /// Requests by the status of their answer.
    pub fn requests(&self) -> BTreeMap<u16, u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that were put into the queue.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Lines that were no records.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
