//! Looking without changing anything: for a person who asks what is in the database, and whether it is whole.

use std::path::{Path, PathBuf};

use redb::{ReadOnlyDatabase, ReadableDatabase as _};

use super::disk::{Disk as _, Folder};
use super::error::{Fault, MetaError, guarded};
use super::frame::Damage;
use super::letters::{self, Filed, Filter};
use super::opening::{glance, refuse_newer};
use super::publishers::{self, Publisher};
use super::tables::{ALL, Views};

/// No more is listed.
const LISTED: usize = 10_000;

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many values.
    pub values: u64,
    /// What is not as it was written, the first 10,000 of it.
    pub damage: Vec<Damage>,
}

/// Each value of each table.
pub(super) fn rows(views: &Views) -> Result<Checked, Fault> {
    let mut checked = Checked::default();
    for table in views.all() {
        let walked = guarded(|| {
            table.each(ALL, |_, fields| {
                checked.values += 1;
                checked.damage.extend(fields.err().filter(|_| checked.damage.len() < LISTED));
                Ok(true)
            })
        });
        match walked {
            Err(Fault::Damaged(_)) => {
                let what = "the table breaks off, and rows of it may be lost";
                checked.damage.push(Damage { table: table.name, key: String::new(), what });
            }
            walked => walked?,
        }
    }
    Ok(checked)
}

/// A database that is only read, as its last commit left it; nobody else may have it open.
///
/// Opening a [`Meta`](super::Meta) puts right what is damaged, once, and says so to whoever opens it: this leaves that to
/// who is concerned.
pub struct Looking {
    database: ReadOnlyDatabase,
    path: PathBuf,
}

impl Looking {
    /// The database in `folder`; `None` where there is none.
    ///
    /// # Errors
    /// [`MetaError::Damaged`] where the file is no database, [`MetaError::Newer`], or what the system says.
    pub fn open(folder: &Path) -> Result<Option<Self>, MetaError> {
        let disk = Folder::open(folder).map_err(|error| MetaError::io(folder, &error))?;
        refuse_newer(&disk)?;
        if !disk.is_made() {
            return Ok(None);
        }
        let path = disk.path().to_owned();
        let database = guarded(|| glance(&disk)).map_err(|fault| fault.into_error(&path))?;
        Ok(Some(Self { database, path }))
    }

    fn read<T>(&self, read: impl FnOnce(&Views) -> Result<T, Fault>) -> Result<T, MetaError> {
        let read = guarded(|| read(&Views::open(&self.database.begin_read()?)?));
        read.map_err(|fault| fault.into_error(&self.path))
    }

    /// Looks at every value's checksum.
    ///
    /// # Errors
    /// Where it cannot be read; so for all of these.
    pub fn check(&self) -> Result<Checked, MetaError> {
        self.read(rows)
    }

    /// As [`Meta::publishers`](super::Meta::publishers).
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn publishers(&self) -> Result<Vec<Publisher>, MetaError> {
        self.read(publishers::all)
    }

    /// As [`Meta::publisher`](super::Meta::publisher).
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn publisher(&self, name: &str) -> Result<Option<Publisher>, MetaError> {
        self.read(|views| publishers::one(views, name))
    }

    /// As [`Meta::letters`](super::Meta::letters).
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn letters(&self, filter: &Filter) -> Result<Vec<Filed>, MetaError> {
        self.read(|views| letters::list(views, filter))
    }

    /// As [`Meta::letter`](super::Meta::letter).
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn letter(&self, number: u64) -> Result<Option<Filed>, MetaError> {
        self.read(|views| letters::one(views, number))
    }
}

impl std::fmt::Debug for Looking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looking").field("path", &self.path).finish_non_exhaustive()
    }
}
