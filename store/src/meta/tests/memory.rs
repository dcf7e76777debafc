//! A disk in memory that records what is written, and fails, fills up and flips when told.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use super::super::disk::Disk;

const PAGE: u64 = 4096;

/// What a file was told, in order.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    /// The new file came to the database's place.
    Replace,
}

/// A file's bytes, and the pages that have room on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) bytes: Vec<u8>,
    allocated: BTreeSet<u64>,
}

/// The disk, shared by all that see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    database: Arc<Mutex<Image>>,
    anew: Arc<Mutex<Image>>,
    pub(super) aside: Vec<Vec<u8>>,
    /// What the files were told.
    pub(super) log: Vec<Op>,
    /// Writes and syncs that succeed before all of them fail.
    pub(super) good: Option<u64>,
    /// Pages that the disk has room for.
    pub(super) room: Option<u64>,
    pub(super) ballast: u64,
}

impl Memory {
    /// A disk with these bytes as its database.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let memory = Self::default();
        let allocated = (0..(bytes.len() as u64).div_ceil(PAGE)).collect();
        *lock(&memory.state().database) = Image { bytes, allocated };
        memory
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// The database's bytes as they are.
    pub(super) fn bytes(&self) -> Vec<u8> {
        lock(&self.state().database).bytes.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn used(&self) -> u64 {
        let pages = |file: &Arc<Mutex<Image>>| lock(file).allocated.len() as u64;
        pages(&self.database) + pages(&self.anew) + self.ballast.div_ceil(PAGE)
    }

    fn fail_if_due(&mut self) -> io::Result<()> {
        match &mut self.good {
            Some(0) => Err(io::Error::other("the disk is broken")),
            Some(good) => {
                *good -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Does to the bytes what the file was told.
pub(super) fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::SetLen(length) => bytes.resize(*length as usize, 0),
        Op::Sync | Op::Replace => {}
        // What was written behind an end that was never moved is gone with it.
        Op::Write(offset, data) => {
            let start = (*offset as usize).min(bytes.len());
            let end = (start + data.len()).min(bytes.len());
            bytes[start..end].copy_from_slice(&data[..end - start]);
        }
    }
}

impl Disk for Memory {
    type File = MemoryFile;

    fn path(&self) -> &Path {
        Path::new("memory/meta.redb")
    }

    fn is_made(&self) -> bool {
        !self.bytes().is_empty()
    }

    fn open(&self) -> io::Result<MemoryFile> {
        Ok(MemoryFile { file: Arc::clone(&self.state().database), disk: self.clone() })
    }

    fn begin_anew(&self) -> io::Result<MemoryFile> {
        let file = Arc::default();
        self.state().anew = Arc::clone(&file);
        Ok(MemoryFile { file, disk: self.clone() })
    }

    fn replace(&self) -> io::Result<Option<PathBuf>> {
        let mut state = self.state();
        state.log.push(Op::Replace);
        let anew = std::mem::take(&mut state.anew);
        let old = std::mem::replace(&mut state.database, anew);
        let old = lock(&old).bytes.clone();
        if old.is_empty() {
            return Ok(None);
        }
        state.aside.push(old);
        Ok(Some(PathBuf::from("memory/meta.redb.damaged-1")))
    }

    fn keep_ballast(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.ballast == 0 && state.room.is_some_and(|room| state.used() + bytes.div_ceil(PAGE) > room) {
            return Err(ErrorKind::StorageFull.into());
        }
        state.ballast = bytes;
        Ok(())
    }

    fn drop_ballast(&self) -> bool {
        std::mem::take(&mut self.state().ballast) > 0
    }
}

/// An open file of the disk.
#[derive(Debug)]
pub(super) struct MemoryFile {
    file: Arc<Mutex<Image>>,
    disk: Memory,
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.file).bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let file = lock(&self.file);
        let start = offset as usize;
        let found = file.bytes.get(start..start + out.len()).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.fail_if_due()?;
        state.log.push(Op::SetLen(length));
        let mut file = lock(&self.file);
        file.allocated.retain(|page| page * PAGE < length);
        file.bytes.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.fail_if_due()?;
        state.log.push(Op::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.fail_if_due()?;
        let used = state.used();
        let mut file = lock(&self.file);
        let pages = offset / PAGE..(offset + data.len() as u64).div_ceil(PAGE);
        let new = pages.clone().filter(|page| !file.allocated.contains(page)).count() as u64;
        if new > 0 && state.room.is_some_and(|room| used + new > room) {
            return Err(ErrorKind::StorageFull.into());
        }
        file.allocated.extend(pages);
        let op = Op::Write(offset, data.to_vec());
        apply(&mut file.bytes, &op);
        state.log.push(op);
        Ok(())
    }
}
