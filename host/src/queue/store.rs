//! A durable queue's folder: who has it, the log and the database in it, and what is put right when it is opened.
//!
//! ```text
//! FOLDER/lock        held by the process that has the folder; its text says which one
//! FOLDER/log/        the records (metricast_store::log)
//! FOLDER/meta.redb   publishers, dead letters, requests (metricast_store::meta)
//! ```

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use metricast_store::log::{self, Epoch, Found, Log, LogError, Times};
use metricast_store::meta::{Change, Limits, Meta, MetaError, Opened, Publisher};
use serde::{Deserialize, Serialize};

use super::Queue;
use super::backing::{Appended, Backing, Committed, Handed, Known, ReadOn, Reading};
use super::note::{Digest, InputPlace, Note};
use super::remembered::{MAX_AGE, MAX_REQUESTS, NOTES};
use crate::clock;
use crate::plugin::Saved;

/// A log is deleted in parts, of which the largest queue has this many and none is larger than that many bytes.
const PARTS: u64 = 16;
const LARGEST_PART: u64 = 64 << 20;
const SMALLEST_PART: u64 = 1 << 20;
/// Bytes of dead letters that are kept.
const LETTER_BYTES: u64 = 256 << 20;
/// How long the database of a folder that nobody has any more is waited for.
const CLOSING: Duration = Duration::from_secs(5);

/// How a folder is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that the log may take.
    pub max_size: usize,
    /// How long a publisher that no config names any more keeps its place.
    pub forget_after: Duration,
    /// Dead letters that are kept; the oldest go first.
    pub max_dead_letters: u64,
}

/// A folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("the queue {} is in use by {holder}", .folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// What the system says of the folder.
    #[error("the queue {}: {source}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// Metricast's own fault.
    #[error("the queue could not be opened, please report it: {0}")]
    Panic(String),
    /// The log.
    #[error("the queue's log: {0}")]
    Log(#[from] LogError),
    /// The database.
    #[error("the queue's database: {0}")]
    Meta(#[from] MetaError),
}

/// Who has a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    #[serde(default)]
    pub pid: u32,
    /// Where it can be asked about the folder.
    #[serde(default)]
    pub admin: Option<SocketAddr>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            0 => write!(f, "another process"),
            pid => write!(f, "the metricast with process id {pid}"),
        }
    }
}

/// A folder that this process has, with all that is in it.
#[derive(Clone)]
pub struct Store {
    folder: PathBuf,
    log: Log,
    meta: Meta,
    /// Behind the others, so that it is given back when they are closed.
    lock: Arc<File>,
}

/// A folder that nobody else has while this is there.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is held, and that is all")] File);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a folder, or makes it, and the queue in it. What is damaged is told and left behind.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(folder: &Path, options: &Options) -> Result<(Self, Queue), StoreError> {
        let at = |source| StoreError::Folder { folder: folder.to_owned(), source };
        let log_folder = folder.join("log");
        DirBuilder::new().recursive(true).mode(0o700).create(&log_folder).map_err(at)?;
        let lock = lock(folder)?;
        let (meta, opened) = open_meta(folder, options)?;
        let publishers = remaining(&meta, options.forget_after)?;
        let segment = (options.max_size as u64 / PARTS).clamp(SMALLEST_PART, LARGEST_PART);
        let at_least = publishers.iter().map(reached).max().unwrap_or(0);
        let (log, found) = Log::open(log::Folder::new(log_folder), log::Options { segment, at_least })?;
        for damage in &found.damage {
            tracing::warn!("the queue's log is damaged: {damage}");
        }
        let store = Self { folder: folder.to_owned(), lock: Arc::new(lock), log, meta };
        let cursors = publishers.iter().filter_map(|it| Some((it.name.clone(), it.cursor?)));
        let mut absent: BTreeMap<String, u64> = cursors.collect();
        let notes_from = absent.remove(NOTES).unwrap_or(found.first);
        let queue = Queue::durable(Arc::new(store.clone()), found.first..found.next, absent, options.max_size);
        let has_forgotten = opened.created || opened.set_aside.is_some() || !opened.damage.is_empty();
        if has_forgotten && found.first < found.next {
            let (first, next) = (found.first, found.next);
            tracing::warn!(
                first,
                next,
                "the queue has records and does not know all publishers of before: whoever it does not know gets all of them, maybe again"
            );
            queue.start_everybody_with_the_oldest();
        }
        store.note_again(&queue, notes_from)?;
        tracing::info!(folder = %folder.display(), first = found.first, next = found.next, "the queue is open");
        Ok((store, queue))
    }

    /// Keeps everybody else out of a folder that is there, without opening what is in it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) fn hold(folder: &Path) -> Result<Held, StoreError> {
        lock(folder).map(Held)
    }

    /// Who has a folder; none where nobody does.
    pub fn holder(folder: &Path) -> Option<Holder> {
        match lock(folder) {
            Err(StoreError::InUse { holder, .. }) => Some(holder),
            _ => None,
        }
    }

    /// Says where this process can be asked about the folder.
    ///
    /// # Errors
    /// The system's own.
    pub fn announce(&self, admin: Option<SocketAddr>) -> io::Result<()> {
        write_holder(&self.lock, &Holder { pid: std::process::id(), admin })
    }

    /// The database: dead letters and publishers.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Reads the log from an offset on.
    pub(crate) fn read_log(&self, offset: u64) -> log::Reader<log::Folder> {
        self.log.reader(offset)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Notes that are in the log only.
    fn note_again(&self, queue: &Queue, from: u64) -> Result<(), StoreError> {
        let mut reader = self.log.reader(from);
        while let Some(found) = reader.read()? {
            if let Found::Frame(frame) = found {
                queue.note_again(Note::read(frame.note()), frame.first, frame.next);
            }
        }
        Ok(())
    }
}

/// Opens the database of a folder that is this process's. Whoever had it before may be a moment behind with closing it:
/// a database closes on its own thread.
fn open_meta(folder: &Path, options: &Options) -> Result<(Meta, Opened), MetaError> {
    let deadline = Instant::now() + CLOSING;
    loop {
        match Meta::open(folder, limits(options)) {
            Err(MetaError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(CLOSING / 500),
            opened => return opened,
        }
    }
}

fn limits(options: &Options) -> Limits {
    Limits {
        max_letters: options.max_dead_letters,
        max_letter_bytes: LETTER_BYTES,
        max_requests: MAX_REQUESTS as u64,
        max_request_age: MAX_AGE,
        ..Limits::default()
    }
}

/// Those that are not forgotten now.
fn remaining(meta: &Meta, forget_after: Duration) -> Result<Vec<Publisher>, MetaError> {
    let oldest = (clock::now() as u64).saturating_sub(forget_after.as_secs());
    let is_old = |publisher: &Publisher| publisher.name != NOTES && publisher.seen.is_some_and(|seen| seen < oldest);
    let (old, known): (Vec<_>, Vec<_>) = meta.publishers()?.into_iter().partition(is_old);
    for publisher in &old {
        let (name, days) = (&publisher.name, forget_after.as_secs() / 86_400);
        tracing::warn!(publisher = name, "its place in the queue is forgotten: no config has named it for {days} days");
    }
    if !old.is_empty() {
        let forget = old.into_iter().map(|publisher| publisher.name).collect();
        meta.commit_and_wait(Change { forget, ..Change::default() })?;
    }
    Ok(known)
}

/// Behind the last record that a publisher has seen.
fn reached(publisher: &Publisher) -> u64 {
    let skipped = publisher.skipped.iter().map(|offset| offset + 1);
    let state = publisher.state.map(|state| state.next_offset);
    skipped.chain(publisher.cursor).chain(state).max().unwrap_or(0)
}

/// Takes the folder for this process.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let at = |source| StoreError::Folder { folder: folder.to_owned(), source };
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock"));
    let file = file.map_err(at)?;
    match file.try_lock() {
        Ok(()) => {
            write_holder(&file, &Holder { pid: std::process::id(), admin: None }).map_err(at)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { folder: folder.to_owned(), holder: read_holder(&file) })
        }
        Err(TryLockError::Error(source)) => Err(at(source)),
    }
}

fn write_holder(mut file: &File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(holder)?.as_bytes())
}

/// What the text of a lock says: who wrote it may be in the middle of that.
fn read_holder(mut file: &File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

impl Backing for Store {
    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }

    fn append(&self, draft: log::Draft, done: Appended) {
        self.log.append(draft, done);
    }

    fn read_from(&self, offset: u64) -> Box<dyn ReadOn> {
        Box::new(self.log.reader(offset))
    }

    fn trim(&self, below: u64, eager: bool) {
        self.log.trim(below, eager);
    }

    fn bytes(&self) -> u64 {
        self.log.bytes()
    }

    fn boundaries(&self) -> Vec<u64> {
        self.log.boundaries()
    }

    fn commit(&self, change: Change, done: Committed) {
        self.meta.commit(change, done);
    }

    fn known(&self, publisher: &str) -> Result<Option<Known>, MetaError> {
        let Some(found) = self.meta.publisher(publisher)? else { return Ok(None) };
        let Some(cursor) = found.cursor else { return Ok(None) };
        let state = self.meta.state(publisher)?.map(|state| Saved {
            version: state.version,
            next_offset: state.next_offset,
            state: state.bytes.into(),
        });
        if let (Some(head), None) = (found.state, &state) {
            let next = head.next_offset;
            tracing::error!(publisher, "its state, with the records below {next} in it, is damaged, and begins anew");
        }
        Ok(Some(Known { cursor, skipped: found.skipped, state, handed: Handed::read(&found.extra) }))
    }

    fn request(&self, key: &Digest) -> Result<Option<Note>, MetaError> {
        Ok(self.meta.request(key)?.map(Note::from))
    }

    fn place(&self, input: &str) -> Result<Option<InputPlace>, MetaError> {
        let place = self.meta.place(input)?;
        Ok(place.map(|it| InputPlace { input: input.to_owned(), bytes: it.bytes, line: it.line, ended: false }))
    }

    fn times(&self) -> Option<&Times> {
        Some(self.log.times())
    }

    fn close(&self) {
        self.log.close();
    }
}

impl ReadOn for log::Reader<log::Folder> {
    fn read(mut self: Box<Self>) -> Reading {
        tokio::task::spawn_blocking(move || {
            let found = log::Reader::read(&mut self);
            (self as Box<dyn ReadOn>, found)
        })
    }
}
