//! The little that the log asks of a disk, so that tests can bring one that fails, forgets or lies.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// A folder of files.
pub trait Disk: Send + Sync + 'static {
    /// One of its files.
    type File: DiskFile;

    /// A new file of this name, empty.
    ///
    /// # Errors
    /// Where it exists, or the disk's own.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// A file that is there, to read and to truncate.
    ///
    /// # Errors
    /// The disk's own.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// The names of all files.
    ///
    /// # Errors
    /// The disk's own.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Removes a file.
    ///
    /// # Errors
    /// The disk's own.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes created and removed names last.
    ///
    /// # Errors
    /// The disk's own.
    fn sync_names(&self) -> io::Result<()>;
    /// Bytes that are free, for those who may not use what is kept for the system.
    ///
    /// # Errors
    /// The disk's own.
    fn free(&self) -> io::Result<u64>;
}

/// A file that is read and written by place.
pub trait DiskFile: Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The disk's own.
    fn length(&self) -> io::Result<u64>;
    /// Reads as much as there is, up to the buffer's length, and says how much that was.
    ///
    /// # Errors
    /// The disk's own.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of it.
    ///
    /// # Errors
    /// The disk's own; a part may have been written.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Takes room for a file of this length, filled with zeros.
    ///
    /// # Errors
    /// The disk's own, such as [`io::ErrorKind::StorageFull`].
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Cuts what lies behind.
    ///
    /// # Errors
    /// The disk's own.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes what was written last, and the length.
    ///
    /// # Errors
    /// The disk's own; what was written since the last success may or may not be there.
    fn sync(&self) -> io::Result<()>;
}

/// A real folder; its files are for its owner only.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder that is there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Disk for Folder {
    type File = File;

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(self.0.join(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.0.join(name))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let found = rustix::fs::statvfs(&self.0)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

impl DiskFile for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match std::os::unix::fs::FileExt::read_at(self, &mut buffer[read..], at + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        use rustix::io::Errno;
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, length) {
            // File systems without it grow as they are written.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
