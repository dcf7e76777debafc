//! What can go wrong with the database, and which of it passes by itself.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

/// Why the database did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetaError {
    /// Another process has the database open.
    #[error("{}: another process has it open", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer metricast wrote the database. Nothing was changed.
    #[error("{}: written in format {found} by a newer metricast, and this one knows formats up to {known}: start the \
             newer one, or give another folder", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// The disk is full. The change was not made; once there is room, the same change can be given again.
    #[error("{}: the disk is full: {detail}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The system refused something.
    #[error("{}: {detail}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What sort of refusal it was.
        kind: ErrorKind,
        /// What the system said.
        detail: String,
    },
    /// The file does not hold what was written to it. Opening it again sets it aside and keeps what is whole.
    #[error("{}: damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// An earlier commit failed, so that what is on the disk is not known: all is refused until the database is opened
    /// again.
    #[error("refused since an earlier failure, until it is opened again: {first}")]
    Failed {
        /// The first failure.
        first: String,
    },
    /// A change breaks a rule; nothing of it was made.
    #[error("{what} is {found} and may be at most {limit}")]
    TooMuch {
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The most that is taken.
        limit: u64,
        /// What the change has.
        found: u64,
    },
    /// A change contradicts itself; nothing of it was made.
    #[error("a change contradicts itself: {0}")]
    Contradiction(&'static str),
    /// The database's thread has ended.
    #[error("the database is closed")]
    Closed,
}

impl MetaError {
    /// Whether the disk was full: the same change may be given again later.
    pub fn is_full(&self) -> bool {
        self.kind() == Some(ErrorKind::StorageFull)
    }

    /// The sort of refusal, where it came from the system. A disk quota that is used up counts as a full disk.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Full { .. } => Some(ErrorKind::StorageFull),
            Self::Io { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Fault::from_io(error).into_error(path)
    }
}

/// A failure of the file or of redb, before it has its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    InUse,
    /// The disk is full.
    Full(String),
    /// The bytes are not what was written.
    Damaged(String),
    Io(ErrorKind, String),
}

impl Fault {
    pub(super) fn from_io(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
            // A sector that cannot be read is damage like any other; what else the system refuses is not.
            _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Self::Damaged(error.to_string()),
            kind => Self::Io(kind, error.to_string()),
        }
    }

    pub(super) fn into_error(self, path: &Path) -> MetaError {
        let path = path.to_owned();
        match self {
            Self::InUse => MetaError::InUse { path },
            Self::Full(detail) => MetaError::Full { path, detail },
            Self::Damaged(detail) => MetaError::Damaged { path, detail },
            Self::Io(kind, detail) => MetaError::Io { path, kind, detail },
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => Self::from_io(&error),
            StorageError::Corrupted(detail) => Self::Damaged(detail),
            StorageError::LockPoisoned(_) => Self::Damaged(error.to_string()),
            other => Self::Io(ErrorKind::Other, other.to_string()),
        }
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::Io(ErrorKind::Other, other.to_string()),
        }
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<redb::SetDurabilityError> for Fault {
    fn from(error: redb::SetDurabilityError) -> Self {
        Self::Io(ErrorKind::Other, error.to_string())
    }
}

/// Runs what calls redb, which may panic on bytes that it did not write.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Fault::Damaged(format!("the database's reader panicked: {said}")))
    })
}
