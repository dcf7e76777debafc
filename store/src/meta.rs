//! What is known of each publisher, and what did not arrive: a small database beside the log.
//!
//! It is one redb file, `meta.redb`. A [`Change`] is written whole or not at all: a publisher's cursor with its state, its
//! skipped offsets and the dead letters that belong to it. A thread of its own writes; all changes that wait go into one
//! transaction, and each caller is told when it is on the disk. Reading is done on the caller's thread and sees the last
//! commit.
//!
//! **Format 1.** Tables of bytes by bytes: `about`, `publishers`, `skipped`, `pieces` (of states), `letters`, `bodies` and
//! `letter_keys` (of dead letters), `evicted`, `requests`, `request_order`, `places`. Each value begins with a format byte
//! and a CRC32 over the table's name, the key and the value; fields are little-endian and of fixed widths, texts and bytes
//! with their length as four bytes before them. Numbers in keys are big-endian. A state lies in pieces just under 256 KiB.
//!
//! **Opening.** A newer format is refused before a byte is written. Then redb looks at the checksum of every page: time
//! goes with the file's size. A file that fails is kept as `meta.redb.damaged-<unix seconds>`, and what is whole in it, by
//! the values' own checksums, goes into a fresh one. [`Opened`] says so.
//!
//! **Damage while it is open.** A value with a wrong checksum is logged with its key and treated as absent. What stops a
//! transaction makes the database refuse everything until it is opened again.
//!
//! **A full disk.** A `ballast` file gives its room to the database, once; when there is none left, callers get
//! [`MetaError::Full`] and may come again. It is made anew when there is room.

mod change;
mod check;
mod disk;
mod error;
mod frame;
mod letters;
mod opening;
mod publishers;
mod requests;
mod salvage;
mod shared;
mod tables;
mod tally;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

pub use change::{
    Change, Kind, Letter, Limits, MAX_NAME, MAX_REASON, Origin, Place, Plugin, PublisherChange, Request, State,
    StateChange,
};
pub use check::{Checked, Looking};
pub use error::MetaError;
pub use frame::Damage;
pub use letters::{Filed, Filter, Group};
pub use opening::Opened;
pub use publishers::{Publisher, StateHead};
pub use tally::LetterCount;

use disk::{Disk, Folder};
use shared::Shared;
use thread::{Keeper, Waiting};

/// Changes that wait for the thread before [`Meta::commit`] waits too.
const WAITING: usize = 1024;

/// A handle on the database. Cheap to clone; when the last one is dropped, what waits is committed and the file closed.
#[derive(Clone)]
pub struct Meta(Arc<Handle>);

struct Handle {
    /// `None` only while the last handle is dropped.
    changes: Option<SyncSender<Waiting>>,
    shared: Arc<Shared>,
    limits: Limits,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Meta {
    /// Opens the database in `folder`, or makes folder and database.
    ///
    /// # Errors
    /// Where another process has it, a newer metricast wrote it, or the system refuses. Damage is no error.
    pub fn open(folder: &Path, limits: Limits) -> Result<(Self, Opened), MetaError> {
        let disk = Folder::open(folder).map_err(|error| MetaError::io(folder, &error))?;
        Self::open_on(disk, limits)
    }

    fn open_on<D: Disk>(disk: D, limits: Limits) -> Result<(Self, Opened), MetaError> {
        let (sender, receiver) = sync_channel::<Waiting>(WAITING);
        let (ready, opened) = sync_channel(1);
        let path = disk.path().to_owned();
        let for_thread = limits.clone();
        let body = move || {
            let (shared, opened) = match opening::open(&disk, &for_thread) {
                Ok(open) => (Arc::new(Shared::new(disk.path().to_owned(), open.database, open.tally)), open.opened),
                Err(error) => {
                    _ = ready.send(Err(error));
                    return;
                }
            };
            let keeper = Keeper::new(disk, for_thread, Arc::clone(&shared));
            if ready.send(Ok((shared, opened))).is_ok() {
                keeper.run(&receiver);
            }
        };
        let spawned = std::thread::Builder::new().name("metricast-meta".to_owned()).spawn(body);
        let thread = spawned.map_err(|error| MetaError::io(&path, &error))?;
        let (shared, opened) = opened.recv().map_err(|_| MetaError::Closed)??;
        let handle = Handle { changes: Some(sender), shared, limits, thread: Mutex::new(Some(thread)) };
        Ok((Self(Arc::new(handle)), opened))
    }

    /// Has the change written, whole or not at all, and calls `done` on the database's thread once it is on the disk or
    /// has failed. Changes are made in the order in which they come. Waits while very many wait already, so `done` must not
    /// commit by itself.
    pub fn commit(&self, change: Change, done: impl FnOnce(Result<(), MetaError>) + Send + 'static) {
        if let Err(error) = change.check(&self.0.limits) {
            return done(Err(error));
        }
        let waiting = Waiting { change, done: Box::new(done) };
        if let Some(changes) = &self.0.changes
            && let Err(unsent) = changes.send(waiting)
        {
            (unsent.0.done)(Err(MetaError::Closed));
        }
    }

    /// Has the change written and waits for it.
    ///
    /// # Errors
    /// As [`Meta::commit`] tells them.
    pub fn commit_and_wait(&self, change: Change) -> Result<(), MetaError> {
        let (told, answer) = sync_channel(1);
        self.commit(change, move |result| _ = told.send(result));
        answer.recv().unwrap_or(Err(MetaError::Closed))
    }

    /// Every publisher, by name.
    ///
    /// # Errors
    /// Where the database refuses or cannot be read; so for all that reads.
    pub fn publishers(&self) -> Result<Vec<Publisher>, MetaError> {
        self.0.shared.read(publishers::all)
    }

    /// The publisher of that name.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn publisher(&self, name: &str) -> Result<Option<Publisher>, MetaError> {
        self.0.shared.read(|views| publishers::one(views, name))
    }

    /// That publisher's state, or `None` where there is none or it is damaged; then [`Publisher::state`] is still there.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn state(&self, name: &str) -> Result<Option<State>, MetaError> {
        self.0.shared.read(|views| publishers::state(views, name))
    }

    /// The dead letters that the filter lets through, the oldest first.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn letters(&self, filter: &Filter) -> Result<Vec<Filed>, MetaError> {
        self.0.shared.read(|views| letters::list(views, filter))
    }

    /// The dead letter of that number.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn letter(&self, number: u64) -> Result<Option<Filed>, MetaError> {
        self.0.shared.read(|views| letters::one(views, number))
    }

    /// The dead letter of the record at that offset for that publisher.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn letter_at(&self, publisher: &str, epoch: [u8; 12], offset: u64) -> Result<Option<Filed>, MetaError> {
        self.0.shared.read(|views| letters::at(views, publisher, epoch, offset))
    }

    /// The dead letters by publisher and reason.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn summary(&self) -> Result<Vec<Group>, MetaError> {
        self.0.shared.read(letters::summary)
    }

    /// How many dead letters each publisher has and had; refused lines under the empty name. Reads nothing.
    pub fn letter_counts(&self) -> BTreeMap<String, LetterCount> {
        self.0.shared.tally().by_publisher
    }

    /// Looks at every value's checksum.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn check(&self) -> Result<Checked, MetaError> {
        self.0.shared.read(check::rows)
    }

    /// What the request of that digest was answered, while it is kept.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn request(&self, digest: &[u8; 32]) -> Result<Option<Request>, MetaError> {
        self.0.shared.read(|views| requests::one(views, digest))
    }

    /// How far the input of that key is read.
    ///
    /// # Errors
    /// As [`Meta::publishers`].
    pub fn place(&self, key: &str) -> Result<Option<Place>, MetaError> {
        self.0.shared.read(|views| requests::place(views, key))
    }
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meta").field("path", &self.0.shared.path).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.changes = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // What is told of a commit may drop the last handle on the thread itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            _ = thread.join();
        }
    }
}
