//! The log: records in the order in which they came in, each kept until whoever needs it has moved on.
//!
//! # Promise
//!
//! A [`Draft`] that was answered with its [`Place`] was synced: it survives the end of the process at any moment, and of
//! the machine where the disk honours a flush. After a sync that failed nothing is taken any more until the log is opened
//! anew: what such a sync left behind nobody knows.
//!
//! # Format
//!
//! A folder of segment files, each named by the offset of its first record: `00000000000000001234.log`. Numbers are
//! little-endian.
//!
//! ```text
//! segment  magic "mcastlog" | version u16 | zeros, 6 | first offset u64 | epoch, 12 bytes | zeros up to byte 60
//!          | crc32 of these u32
//! frame    magic "mcf1" | crc32 of the rest of the header u32 | note length u32 | body length u32
//!          | crc32 of note and body u32 | records u32 | first offset u64 | epoch, 12 bytes | zeros, 4
//!          | note | body | zeros up to a multiple of 8
//! ```
//!
//! Offsets run on: a frame begins where the one before it ended. A gap is damage, or the jump that [`Options::at_least`]
//! asked for. A segment in use is allocated in full, with zeros behind its last frame.
//!
//! # Recovery
//!
//! Only the last segment is gone through at the start: what lies behind its last whole frame is cut off. Damage before
//! that, there and in older segments, costs the frames that it hit: a reader searches on for the next whole frame and
//! tells which offsets were lost. Each opening begins a segment and an epoch of its own, so nothing is ever written
//! behind bytes of an earlier run.
//!
//! What holds the log back (cursors) and how large it may become are not in here, nor is a bound on drafts that wait:
//! whoever appends bounds what is under way.

mod disk;
mod frame;
mod open;
mod reader;
mod segment;
mod times;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use disk::{Disk, DiskFile, Folder};
pub use frame::{Draft, TooLarge};
pub use reader::{Found, Frame, Reader};
pub use times::Times;

use segment::Segment;

/// Bytes of an epoch.
pub const EPOCH: usize = 12;

/// One opening of the log. With an offset it names a record for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub [u8; EPOCH]);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Epoch {
    /// One that never came before: 96 random bits.
    pub fn random() -> Self {
        Self(std::array::from_fn(|_| fastrand::u8(..)))
    }
}

/// How a log is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of a segment; the unit in which the log is deleted.
    pub segment: u64,
    /// No record is placed below this offset: above what anybody has seen, in case the log lost its end.
    pub at_least: u64,
}

/// What opening found.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The oldest record that is there, or the next one where there is none.
    pub first: u64,
    /// Behind the last record.
    pub next: u64,
    /// Damage in the last segment. That of older ones is found by who reads them.
    pub damage: Vec<Damage>,
}

/// Records that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Their offsets.
    pub offsets: Range<u64>,
    /// The file.
    pub file: String,
    /// Where in the file it begins.
    pub at: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offsets, file, at } = self;
        write!(f, "the records {} to {} are lost: {file} is damaged at byte {at}", offsets.start, offsets.end - 1)
    }
}

/// Bytes at the end of the log that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The file.
    pub file: String,
    /// Where in the file they begin.
    pub at: u64,
    /// How many there are, up to the last that is not zero.
    pub bytes: u64,
}

/// The log cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// What the disk says of a file.
    #[error("{file}: {source}")]
    File {
        /// The file.
        file: String,
        /// What it says.
        source: io::Error,
    },
    /// What the disk says of the folder.
    #[error("the folder of the log: {0}")]
    Folder(io::Error),
    /// A later version wrote it.
    #[error("{file} has format {version}, and this metricast knows format {known}: a newer one wrote it", known = segment::VERSION)]
    Newer {
        /// The file.
        file: String,
        /// Its format.
        version: u16,
    },
    /// No thread.
    #[error("no thread to write with: {0}")]
    Thread(io::Error),
}

/// Why records are not in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. A later try may do better.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// No segment can be begun. A later try may do better.
    #[error("the log cannot be written now: {0}")]
    Unavailable(String),
    /// The disk failed: nothing is taken till the log is opened anew.
    #[error("the disk failed, and nothing is taken before a restart: {0}")]
    Failed(String),
    /// It is closed.
    #[error("the log is closed")]
    Closed,
}

/// Where records came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of the first one.
    pub first: u64,
    /// Behind the last one.
    pub next: u64,
}

type Done = Box<dyn FnOnce(Result<Place, AppendError>) + Send>;

/// An open log. Cheap to clone; it is sealed when [`close`](Self::close)d.
pub struct Log<D: Disk = Folder> {
    shared: Arc<Shared<D>>,
}

impl<D: Disk> Clone for Log<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<D: Disk> {
    epoch: Epoch,
    pending: Mutex<Pending>,
    work: Condvar,
    written: Mutex<Written<D::File>>,
    times: Times,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer is asked for.
#[derive(Default)]
struct Pending {
    drafts: VecDeque<(Draft, Done)>,
    trim: Option<Trim>,
    closed: bool,
}

#[derive(Clone, Copy)]
struct Trim {
    below: u64,
    eager: bool,
}

/// What is synced.
struct Written<F> {
    /// By their first offsets, ascending. The last one is in use.
    segments: VecDeque<Arc<Segment<F>>>,
    next: u64,
}

impl<D: Disk> Log<D> {
    /// Opens what a disk has, or begins it. One process at a time: keeping others out is the caller's.
    ///
    /// # Errors
    /// [`LogError`]; damage is none.
    pub fn open(disk: D, options: Options) -> Result<(Self, Recovered), LogError> {
        open::open(disk, options)
    }

    /// A reader of what a disk has, from the oldest record on: nothing is written, so another process may have the log.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn look(disk: &D) -> Result<Reader<D>, LogError> {
        open::look(disk)
    }

    /// What lies behind the last whole frame of a log that nobody has open, other than zeros: the next opening cuts it
    /// off. It is a write that was cut short, or was whole once.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn remainder(disk: &D) -> Result<Option<Remainder>, LogError> {
        open::remainder(disk)
    }

    /// Of this opening.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// Appends records; `done` is told, on the writer's thread and in the order of the places, when they are synced.
    pub fn append(&self, draft: Draft, done: impl FnOnce(Result<Place, AppendError>) + Send + 'static) {
        let mut pending = lock(&self.shared.pending);
        if pending.closed {
            drop(pending);
            return done(Err(AppendError::Closed));
        }
        pending.drafts.push_back((draft, Box::new(done)));
        drop(pending);
        self.shared.work.notify_one();
    }

    /// Records below this offset are needed by nobody: segments of nothing else go. Where it is `eager` the one in use
    /// is ended for that too.
    pub fn trim(&self, below: u64, eager: bool) {
        let mut pending = lock(&self.shared.pending);
        let before = pending.trim.unwrap_or(Trim { below: 0, eager: false });
        pending.trim = Some(Trim { below: before.below.max(below), eager: before.eager || eager });
        drop(pending);
        self.shared.work.notify_one();
    }

    /// Reads from an offset on, or from the oldest record where that is later.
    pub fn reader(&self, from: u64) -> Reader<D> {
        Reader::new(Arc::clone(&self.shared), from)
    }

    /// Behind the last record that is synced.
    pub fn next(&self) -> u64 {
        lock(&self.shared.written).next
    }

    /// The oldest record that is there, or the next one.
    pub fn first(&self) -> u64 {
        let written = lock(&self.shared.written);
        written.segments.iter().find(|segment| !segment.is_empty()).map_or(written.next, |segment| segment.first)
    }

    /// Where the segments begin, ascending: all below one of these can be trimmed.
    pub fn boundaries(&self) -> Vec<u64> {
        lock(&self.shared.written).segments.iter().map(|segment| segment.first).collect()
    }

    /// The bytes of all segments.
    pub fn bytes(&self) -> u64 {
        lock(&self.shared.written).segments.iter().map(|segment| segment.end()).sum()
    }

    /// How long syncs took.
    pub fn times(&self) -> &Times {
        &self.shared.times
    }

    /// Takes no more, waits until all that was appended is synced, and ends the writer.
    pub fn close(&self) {
        lock(&self.shared.pending).closed = true;
        self.shared.work.notify_one();
        let writer = lock(&self.shared.writer).take();
        if let Some(writer) = writer {
            // A panic of the writer has been told as failed appends.
            let _ = writer.join();
        }
    }
}

impl<D: Disk> fmt::Debug for Log<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("epoch", &self.shared.epoch).field("next", &self.next()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What stands behind these is whole at every point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
