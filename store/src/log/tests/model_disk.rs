//! A disk in memory that writes down all that is done to it, so that a test can ask what would be left had the power
//! gone at any moment; it can also be full or fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::log::{Disk, DiskFile};

#[derive(Clone, Default)]
pub(super) struct ModelDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, Vec<u8>>,
    deeds: Vec<Deed>,
    /// Bytes that all files together may have.
    room: Option<usize>,
    failing_syncs: usize,
    /// What it says is free, where it says less than everything.
    free: Option<u64>,
}

#[derive(Clone, Debug)]
enum Deed {
    Create(String),
    Write(String, u64, Vec<u8>),
    Resize(String, u64),
    Sync(String),
    Remove(String),
    SyncNames,
}

pub(super) struct ModelFile {
    disk: ModelDisk,
    name: String,
}

impl ModelDisk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(super) fn deeds(&self) -> usize {
        self.lock().deeds.len()
    }

    pub(super) fn set_room(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    pub(super) fn fail_syncs(&self, count: usize) {
        self.lock().failing_syncs = count;
    }

    pub(super) fn set_free(&self, free: Option<u64>) {
        self.lock().free = free;
    }

    pub(super) fn files(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    pub(super) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.lock().files.get_mut(name).unwrap());
    }

    pub(super) fn forget(&self, name: &str) {
        self.lock().files.remove(name).unwrap();
    }

    /// What the disk may hold if the power goes after so many deeds: what was synced is there, of the rest each deed is
    /// done, done in part, or not done, as `random` says.
    pub(super) fn after_power_cut(&self, deeds: usize, random: &mut fastrand::Rng) -> Self {
        let inner = self.lock();
        let done = &inner.deeds[..deeds];
        let synced = |index: usize, by: &dyn Fn(&Deed) -> bool| done[index..].iter().any(by);
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (index, deed) in done.iter().enumerate() {
            let names_last = synced(index, &|later| matches!(later, Deed::SyncNames));
            let lasts = |name: &str| synced(index, &|later| matches!(later, Deed::Sync(synced) if synced == name));
            match deed {
                Deed::Create(name) if names_last || random.bool() => drop(files.insert(name.clone(), Vec::new())),
                Deed::Remove(name) if names_last || random.bool() => drop(files.remove(name)),
                Deed::Write(name, at, bytes) => {
                    let Some(file) = files.get_mut(name) else { continue };
                    if lasts(name) {
                        put(file, *at, bytes);
                    } else {
                        put_in_part(file, *at, bytes, random);
                    }
                }
                Deed::Resize(name, length) if lasts(name) || random.bool() => {
                    if let Some(file) = files.get_mut(name) {
                        file.resize(*length as usize, 0);
                    }
                }
                _ => {}
            }
        }
        Self(Arc::new(Mutex::new(Inner { files, ..Inner::default() })))
    }
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let end = at as usize + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at as usize..end].copy_from_slice(bytes);
}

/// Sectors of 512 bytes arrive in any order.
fn put_in_part(file: &mut Vec<u8>, at: u64, bytes: &[u8], random: &mut fastrand::Rng) {
    let chance = [0.0, 0.5, 1.0][random.usize(..3)];
    for (index, sector) in bytes.chunks(512).enumerate() {
        if random.f64() < chance {
            put(file, at + (index * 512) as u64, sector);
        }
    }
}

impl Disk for ModelDisk {
    type File = ModelFile;

    fn create(&self, name: &str) -> io::Result<ModelFile> {
        let mut inner = self.lock();
        if inner.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        inner.files.insert(name.to_owned(), Vec::new());
        inner.deeds.push(Deed::Create(name.to_owned()));
        drop(inner);
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<ModelFile> {
        if !self.lock().files.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(ModelFile { disk: self.clone(), name: name.to_owned() })
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.lock();
        inner.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        inner.deeds.push(Deed::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.lock().deeds.push(Deed::SyncNames);
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        Ok(self.lock().free.unwrap_or(u64::MAX))
    }
}

impl ModelFile {
    fn with<T>(&self, act: impl FnOnce(&mut Inner, &str) -> io::Result<T>) -> io::Result<T> {
        act(&mut self.disk.lock(), &self.name)
    }

    fn resize(&self, length: u64) -> io::Result<()> {
        self.with(|inner, name| {
            inner.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?.resize(length as usize, 0);
            inner.deeds.push(Deed::Resize(name.to_owned(), length));
            Ok(())
        })
    }
}

impl Inner {
    /// Room left for a file that is to end at `end`.
    fn check_room(&self, name: &str, end: usize) -> io::Result<()> {
        let Some(room) = self.room else { return Ok(()) };
        let others = self.files.iter().filter(|(other, _)| *other != name).map(|(_, file)| file.len()).sum::<usize>();
        let own = self.files.get(name).map_or(0, Vec::len);
        if end > own && others + end > room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl DiskFile for ModelFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|inner, name| Ok(inner.files.get(name).ok_or(io::ErrorKind::NotFound)?.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.with(|inner, name| {
            let file = inner.files.get(name).ok_or(io::ErrorKind::NotFound)?;
            let rest = file.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    /// A full disk takes the part that it has room for.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.with(|inner, name| {
            let room = inner.check_room(name, at as usize + bytes.len());
            let part = if room.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
            put(inner.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?, at, part);
            inner.deeds.push(Deed::Write(name.to_owned(), at, part.to_vec()));
            room
        })
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.with(|inner, name| inner.check_room(name, length as usize))?;
        self.resize(length)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.resize(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|inner, name| {
            if inner.failing_syncs > 0 {
                inner.failing_syncs -= 1;
                return Err(io::Error::other("the disk went away"));
            }
            inner.deeds.push(Deed::Sync(name.to_owned()));
            Ok(())
        })
    }
}
