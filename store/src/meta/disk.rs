//! The files: the database, the one that is to replace it, those set aside, and the ballast.
//!
//! The rest of the database sees [`Disk`] only, so that tests bring disks that fail, forget and flip.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// Where the database is.
pub(super) trait Disk: Send + 'static {
    /// What redb reads and writes.
    type File: StorageBackend;

    /// The database's path, for messages.
    fn path(&self) -> &Path;

    /// Whether there is a database.
    fn is_made(&self) -> bool;

    /// The database's file.
    fn open(&self) -> io::Result<Self::File>;

    /// An empty file beside it, which may replace it.
    fn begin_anew(&self) -> io::Result<Self::File>;

    /// Puts the new file at the database's place. What was there is kept under another name, which is given back.
    fn replace(&self) -> io::Result<Option<PathBuf>>;

    /// Makes the ballast if it is not there.
    fn keep_ballast(&self, bytes: u64) -> io::Result<()>;

    /// Gives the ballast's room back to the disk; whether there was any.
    fn drop_ballast(&self) -> bool;
}

/// A folder of the file system.
#[derive(Debug)]
pub(super) struct Folder {
    folder: PathBuf,
    path: PathBuf,
}

impl Folder {
    /// The folder, made for its owner alone where there is none.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        if !folder.is_dir() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        Ok(Self { folder: folder.to_owned(), path: folder.join("meta.redb") })
    }

    /// An empty file that only its owner reads.
    fn begin(path: &Path) -> io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
    }

    fn new_path(&self) -> PathBuf {
        self.folder.join("meta.redb.new")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// A name that is not taken, from the time.
    fn aside(&self) -> PathBuf {
        let name = |second| self.folder.join(format!("meta.redb.damaged-{second}"));
        let mut second = unix_seconds();
        while name(second).exists() {
            second += 1;
        }
        name(second)
    }
}

#[expect(clippy::disallowed_methods, reason = "it only names a file that is set aside")]
fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl Disk for Folder {
    type File = FileBackend;

    fn path(&self) -> &Path {
        &self.path
    }

    fn is_made(&self) -> bool {
        self.path.metadata().is_ok_and(|found| found.len() > 0)
    }

    fn open(&self) -> io::Result<FileBackend> {
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        FileBackend::new(file).map_err(io::Error::other)
    }

    fn begin_anew(&self) -> io::Result<FileBackend> {
        FileBackend::new(Self::begin(&self.new_path())?).map_err(io::Error::other)
    }

    fn replace(&self) -> io::Result<Option<PathBuf>> {
        let aside = self.is_made().then(|| self.aside());
        if let Some(aside) = &aside {
            // With a second name first there is a database under the usual one at every moment.
            std::fs::hard_link(&self.path, aside).or_else(|_| std::fs::rename(&self.path, aside))?;
        }
        std::fs::rename(self.new_path(), &self.path)?;
        self.sync()?;
        Ok(aside)
    }

    fn keep_ballast(&self, bytes: u64) -> io::Result<()> {
        let path = self.ballast();
        if bytes == 0 || path.metadata().is_ok_and(|found| found.len() >= bytes) {
            return Ok(());
        }
        let mut file = Self::begin(&path)?;
        allocate(&mut file, bytes).inspect_err(|_| _ = std::fs::remove_file(&path))
    }

    fn drop_ballast(&self) -> bool {
        std::fs::remove_file(self.ballast()).is_ok()
    }
}

fn allocate(file: &mut File, bytes: u64) -> io::Result<()> {
    let done = rustix::fs::fallocate(&*file, rustix::fs::FallocateFlags::empty(), 0, bytes).map_err(io::Error::from);
    match done {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let zeros = [0; 8 << 10];
            (0..bytes.div_ceil(zeros.len() as u64)).try_for_each(|_| file.write_all(&zeros))
        }
        done => done,
    }
}

/// A file that is read only, whatever state it is in.
///
/// redb reads a file that a living writer shares with it by its committed slot alone: it trusts neither the file's length
/// nor its free pages, so that a torn end or a lost free list hides nothing. So this says that such a writer is there.
#[derive(Debug)]
pub(super) struct Glance<F>(pub(super) F);

/// The byte that a living writer of a shared file holds locked (redb's design document, "Lock bytes").
const CONSISTENT_BYTE: u64 = (1 << 62) + 4;

impl<F: StorageBackend> StorageBackend for Glance<F> {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(start == Bound::Included(CONSISTENT_BYTE))
    }
}
