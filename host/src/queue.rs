//! The queue between sources and publishers: one log of batches, a cursor for each publisher.
//!
//! A source appends a batch and has its answer when the queue has it. Each publisher reads on from its own place and
//! answers for what it took; what every publisher has answered for goes. The queue is bounded in bytes: when it is full,
//! appending waits, and with it the sources, unless a publisher that holds it back is one that [may drop](WhenBehind).
//!
//! In memory it is there while the process is. A durable queue has a [`backing`]: a batch is in the queue when it is
//! synced, and nobody reads it before; a cursor counts when it is synced with all that belongs to it ([`commit`]), and
//! only below the synced cursors of all is the log deleted. What was appended last is kept in memory too, and read from
//! there.
//!
//! A record's name is its epoch (one opening of the queue) and its offset, which runs on.

mod append;
pub(crate) mod backing;
pub(crate) mod commit;
pub(crate) mod letters;
mod look;
pub(crate) mod note;
mod reader;
pub(crate) mod remembered;
mod state;
pub mod store;

#[cfg(test)]
pub(crate) mod forgetful;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metricast_records::Batch;
use metricast_store::log::Times;
use tokio::sync::Notify;

use backing::{Kept, Known};
use remembered::Remembered;
use state::State;

pub use look::Standing;
pub use reader::Reader;

/// Bytes of what was appended last that a durable queue keeps in memory.
const WINDOW: usize = 16 << 20;

/// The queue's end for sources. Cheap to clone.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

/// A batch at its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The batch, its records at `first..next`; fewer where some are for others or lost.
    pub batch: Arc<Batch>,
    /// The offset of its first record.
    pub first: u64,
    /// The offset behind its last record.
    pub next: u64,
    /// Its records carry an epoch and offsets from before: it goes by itself, as it is.
    pub again: bool,
}

/// Why a batch is not in the queue.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The publishers did not make room in time.
    #[error("the queue is full")]
    Full,
    /// The queue takes no more: metricast is stopping.
    #[error("metricast is stopping")]
    Closed,
    /// The disk is full or the log cannot be written for now.
    #[error("the queue cannot keep it: {0}")]
    Unkept(String),
    /// The disk failed.
    #[error("the queue takes nothing: {0}")]
    Broken(String),
}

/// What happens to the oldest records of a publisher that holds a full queue back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBehind {
    /// They stay, and sources wait.
    #[default]
    Block,
    /// They are dropped and counted.
    DropOldest,
}

/// Where a publisher that the queue does not know begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next record.
    #[default]
    Now,
    /// With the oldest record that is there.
    Oldest,
}

/// How full the queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Records that some publisher has not answered for.
    pub records: u64,
    /// The memory or the disk that they hold.
    pub bytes: usize,
    /// As many bytes may be held.
    pub max_bytes: usize,
}

struct Shared {
    state: Mutex<State>,
    max_bytes: usize,
    appended: Notify,
    released: Notify,
    /// A commit that tells of drops has ended.
    drop_ended: Notify,
    remembered: Mutex<Remembered>,
    kept: Option<Kept>,
}

impl Fill {
    /// Whether there is hardly room for another batch.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.max_bytes - self.max_bytes / 8
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("fill", &self.fill()).finish_non_exhaustive()
    }
}

impl Queue {
    /// An empty queue that holds at most `max_bytes` of batches, or one batch that is larger by itself.
    pub fn in_memory(max_bytes: usize) -> Self {
        Self::new(State::new(new_epoch(), 0, BTreeMap::new()), max_bytes, None)
    }

    /// A queue that keeps its records in a backing with this `log`; `absent` are publishers that are known and may come,
    /// with their cursors. The log stays as it is till [`all_are_there`](Self::all_are_there).
    pub(crate) fn durable(
        kept: Kept,
        log: std::ops::Range<u64>,
        absent: BTreeMap<String, u64>,
        max_bytes: usize,
    ) -> Self {
        let mut state = State::new(kept.epoch().to_string(), log.end, absent);
        state.unclaimed = Some(log.start);
        Self::new(state, max_bytes, Some(kept))
    }

    fn new(state: State, max_bytes: usize, kept: Option<Kept>) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            max_bytes,
            appended: Notify::new(),
            released: Notify::new(),
            drop_ended: Notify::new(),
            remembered: Mutex::default(),
            kept,
        }))
    }

    /// Whether what it takes survives the process.
    pub fn is_durable(&self) -> bool {
        self.0.kept.is_some()
    }

    /// A reader from the oldest record on. All readers are made before the first batch is appended: one that comes
    /// later may miss what the others have released.
    pub fn reader(&self) -> Reader {
        let first = self.0.lock().oldest();
        Reader::new(&self.0, state::Place::new(String::new(), WhenBehind::Block, first), Known::default())
    }

    /// Who was known is not, for the database is damaged or gone.
    pub(crate) fn start_everybody_with_the_oldest(&self) {
        self.0.lock().oldest_for_all = true;
    }

    /// Every publisher of the config has its reader: what none of them needs may go.
    pub(crate) fn all_are_there(&self) {
        let mut state = self.0.lock();
        (state.unclaimed, state.oldest_for_all) = (None, false);
        drop(state);
        self.0.trim();
    }

    /// Takes no more. Readers come to the end when they have read what is there.
    pub fn close(&self) {
        self.0.lock().closed = true;
        self.0.appended.notify_waiters();
        self.0.released.notify_waiters();
    }

    /// Ends the backing, when nobody appends or reads any more.
    pub async fn end(&self) {
        self.close();
        self.keep_notes().await;
        if let Some(kept) = self.0.kept.clone() {
            // A backing that panics has nothing more to keep.
            let _ = tokio::task::spawn_blocking(move || kept.close()).await;
        }
    }

    /// Whoever holds records back for a fuller batch hands over now what is here.
    pub fn hurry(&self) {
        let mut state = self.0.lock();
        state.hurry = state.next;
        drop(state);
        self.0.appended.notify_waiters();
    }

    /// The offset behind the last record: how many were appended so far, in all the time that there is a log.
    pub fn appended(&self) -> u64 {
        self.0.lock().next
    }

    /// How full it is.
    pub fn fill(&self) -> Fill {
        let state = self.0.lock();
        let bytes = self.0.kept.as_ref().map_or(state.window_bytes, |kept| kept.bytes() as usize);
        let records = state.next.saturating_sub(state.lowest_cursor().min(state.next));
        Fill { records, bytes, max_bytes: self.0.max_bytes }
    }

    /// Records that damage of the log has cost, each counted once a publisher that needed it.
    pub fn lost(&self) -> u64 {
        self.0.lock().lost
    }

    /// How long syncs took, of a durable queue.
    pub fn syncs(&self) -> Option<(Vec<(f64, u64)>, f64)> {
        self.0.kept.as_ref()?.times().map(|times: &Times| (times.buckets(), times.sum()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go what nobody needs any more.
    fn trim(&self) {
        match &self.kept {
            Some(kept) => {
                let below = self.lock().needed_from();
                kept.trim(below, false);
            }
            None if self.lock().drop_answered() => {}
            None => return,
        }
        self.released.notify_waiters();
    }
}

/// 96 random bits: an epoch never comes twice.
fn new_epoch() -> String {
    metricast_store::log::Epoch::random().to_string()
}
