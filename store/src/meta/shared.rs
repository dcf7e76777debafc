//! What the thread and the handles share: the database while it is open, the counts, and the first failure.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{Database, ReadableDatabase};

use super::error::{Fault, MetaError, guarded};
use super::tables::Views;
use super::tally::Tally;

/// See the module.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    /// Held for reading while it is used, so that the thread can close the file.
    database: RwLock<Option<Database>>,
    tally: Mutex<Tally>,
    failed: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn new(path: PathBuf, database: Database, tally: Tally) -> Self {
        Self { path, database: RwLock::new(Some(database)), tally: Mutex::new(tally), failed: Mutex::default() }
    }

    /// What `read` reads of the last commit.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Views) -> Result<T, Fault>) -> Result<T, MetaError> {
        self.refuse_if_failed()?;
        let look = |database: &Database| guarded(|| read(&Views::open(&database.begin_read()?)?));
        self.with(look).map_err(|fault| fault.into_error(&self.path))
    }

    /// Lends the database. It is closed only while a full disk keeps it from being opened again.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Some(database) => work(database),
            None => Err(Fault::Full("the database waits for room to be opened again".to_owned())),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn take(&self) -> Option<Database> {
        self.database.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn put(&self, database: Database, tally: Tally) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.set_tally(tally);
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_tally(&self, tally: Tally) {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = tally;
    }

    /// From now on everything is refused.
    pub(super) fn set_failed(&self, error: &MetaError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn refuse_if_failed(&self) -> Result<(), MetaError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map_or(Ok(()), |first| Err(MetaError::Failed { first: first.clone() }))
    }
}
