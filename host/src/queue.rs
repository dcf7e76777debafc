//! The queue between sources and publishers, in memory: one log of batches, a cursor for each publisher.
//!
//! A source appends a batch and has its answer when the batch is in the queue. Each publisher reads on from its own
//! place and releases what it has answered for; an entry goes when every publisher has released it. The queue is
//! bounded in bytes: when it is full, appending waits, and with it the sources.
//!
//! A record's name is its epoch (one opening of the queue) and its offset, which runs on. What keeps records across
//! the end of the process is not in here.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricast_records::Batch;
use tokio::sync::Notify;
use tokio::time::sleep;

/// The queue's end for sources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

/// The queue's end for one publisher.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    place: usize,
    next: u64,
}

/// A batch at its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The batch, its records at `first..next`.
    pub batch: Arc<Batch>,
    /// The offset of its first record.
    pub first: u64,
    /// The offset behind its last record.
    pub next: u64,
}

/// Why a batch is not in the queue.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The publishers did not make room in time.
    #[error("the queue is full")]
    Full,
    /// The queue takes no more: metricast is stopping.
    #[error("metricast is stopping")]
    Closed,
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Records that some publisher has not answered for.
    pub records: u64,
    /// The memory that they hold.
    pub bytes: usize,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    max_bytes: usize,
    appended: Notify,
    released: Notify,
}

#[derive(Debug)]
struct State {
    epoch: String,
    entries: VecDeque<Entry>,
    bytes: usize,
    next: u64,
    /// Whatever waits below this offset is wanted now.
    hurry: u64,
    closed: bool,
    /// Each reader's cursor: the offset below which it has answered for every record.
    cursors: Vec<u64>,
}

impl Queue {
    /// An empty queue that holds at most `max_bytes` of batches, or one batch that is larger by itself.
    pub fn in_memory(max_bytes: usize) -> Self {
        let state = State {
            epoch: new_epoch(),
            entries: VecDeque::new(),
            bytes: 0,
            next: 0,
            hurry: 0,
            closed: false,
            cursors: Vec::new(),
        };
        Self(Arc::new(Shared { state: Mutex::new(state), max_bytes, appended: Notify::new(), released: Notify::new() }))
    }

    /// A reader from the oldest record on. All readers are made before the first batch is appended: one that comes
    /// later may miss what the others have released.
    pub fn reader(&self) -> Reader {
        let mut state = self.0.lock();
        let first = state.entries.front().map_or(state.next, |entry| entry.first);
        state.cursors.push(first);
        Reader { shared: Arc::clone(&self.0), place: state.cursors.len() - 1, next: first }
    }

    /// Appends a batch fresh from a builder, waiting for room as long as it takes.
    ///
    /// # Errors
    /// [`AppendError::Closed`]
    pub async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        self.append_unless(batch, pending()).await
    }

    /// As [`append`](Self::append), waiting no longer than `patience`.
    ///
    /// # Errors
    /// [`AppendError`]; the batch is not in the queue then.
    pub async fn append_within(&self, batch: Batch, patience: Duration) -> Result<(), AppendError> {
        self.append_unless(batch, sleep(patience)).await
    }

    async fn append_unless(&self, mut batch: Batch, given_up: impl Future<Output = ()>) -> Result<(), AppendError> {
        let mut given_up = pin!(given_up);
        loop {
            let released = self.0.released.notified();
            match self.0.try_append(batch)? {
                None => return Ok(()),
                Some(refused) => batch = refused,
            }
            // Nothing can come that would fill up a batch which is held back.
            self.hurry();
            tokio::select! {
                () = released => {}
                () = &mut given_up => return Err(AppendError::Full),
            }
        }
    }

    /// Whether a batch would not have to wait now; a closed one lets nobody wait.
    pub fn has_room_for(&self, batch: &Batch) -> bool {
        let state = self.0.lock();
        state.closed || state.has_room_for(batch, self.0.max_bytes)
    }

    /// Takes no more. Readers come to the end when they have read what is there.
    pub fn close(&self) {
        self.0.lock().closed = true;
        self.0.appended.notify_waiters();
        self.0.released.notify_waiters();
    }

    /// Whoever holds records back for a fuller batch hands over now what is here.
    pub fn hurry(&self) {
        let mut state = self.0.lock();
        state.hurry = state.next;
        drop(state);
        self.0.appended.notify_waiters();
    }

    /// How many records were appended so far.
    pub fn appended(&self) -> u64 {
        self.0.lock().next
    }

    /// How full it is.
    pub fn fill(&self) -> Fill {
        let state = self.0.lock();
        let oldest = state.cursors.iter().copied().min().unwrap_or(state.next);
        Fill { records: state.next.saturating_sub(oldest), bytes: state.bytes }
    }
}

impl Reader {
    /// The next batch, or none where the queue is closed and read to its end. Cancel safe.
    pub async fn next(&mut self) -> Option<Entry> {
        loop {
            let appended = self.shared.appended.notified();
            {
                let state = self.shared.lock();
                if let Some(entry) = state.entry_at(self.next) {
                    self.next = entry.next;
                    return Some(entry);
                }
                if state.closed {
                    return None;
                }
            }
            appended.await;
        }
    }

    /// The next batch, where there is one and it is `wanted`.
    pub fn next_if(&mut self, wanted: impl FnOnce(&Batch) -> bool) -> Option<Entry> {
        let entry = self.shared.lock().entry_at(self.next).filter(|entry| wanted(&entry.batch))?;
        self.next = entry.next;
        Some(entry)
    }

    /// Waits until somebody is in a [hurry](Queue::hurry) for the record at `offset`.
    pub fn hurried(&self, offset: u64) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            loop {
                let appended = shared.appended.notified();
                if shared.lock().hurry > offset {
                    return;
                }
                appended.await;
            }
        }
    }

    /// Every record below `offset` is answered for and will not be asked for again.
    pub fn release(&self, offset: u64) {
        let mut state = self.shared.lock();
        let cursor = &mut state.cursors[self.place];
        *cursor = (*cursor).max(offset);
        state.drop_released();
        drop(state);
        self.shared.released.notify_waiters();
    }

    /// How many records this publisher has not answered for.
    pub fn lag(&self) -> u64 {
        let state = self.shared.lock();
        state.next.saturating_sub(state.cursors[self.place])
    }
}

impl Drop for Reader {
    /// A publisher that is gone holds nothing back.
    fn drop(&mut self) {
        self.release(u64::MAX);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the batch back where there is no room.
    fn try_append(&self, batch: Batch) -> Result<Option<Batch>, AppendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        if batch.is_empty() {
            return Ok(None);
        }
        if !state.has_room_for(&batch, self.max_bytes) {
            return Ok(Some(batch));
        }
        let bytes = batch.byte_len();
        let first = state.next;
        let batch = Arc::new(batch.placed(&state.epoch, first));
        state.next += batch.len() as u64;
        state.bytes += bytes;
        let next = state.next;
        state.entries.push_back(Entry { batch, first, next });
        state.drop_released();
        drop(state);
        self.appended.notify_waiters();
        Ok(None)
    }
}

impl State {
    fn has_room_for(&self, batch: &Batch, max_bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + batch.byte_len() <= max_bytes
    }

    fn entry_at(&self, offset: u64) -> Option<Entry> {
        let index = self.entries.partition_point(|entry| entry.next <= offset);
        self.entries.get(index).cloned()
    }

    fn drop_released(&mut self) {
        let released = self.cursors.iter().copied().min().unwrap_or(u64::MAX);
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.next <= released) {
            self.bytes -= entry.batch.byte_len();
        }
    }
}

/// 96 random bits: an epoch never comes twice.
fn new_epoch() -> String {
    format!("{:024x}", fastrand::u128(..) >> 32)
}

#[cfg(test)]
mod tests;
