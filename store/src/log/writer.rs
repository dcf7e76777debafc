//! The thread that writes: takes what waits, writes it at one stroke, syncs, and tells all who waited.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::segment::{HEADER, Segment, name};
use super::{AppendError, Disk, DiskFile, Done, Draft, Place, Shared, Trim, lock};

/// So much is written and synced together at most: more would make the first of them wait long.
const COMMIT: u64 = 8 << 20;
/// Bytes of the disk that no segment takes: the database beside the log goes on with them when the disk is full.
const LEFT_FREE: u64 = 8 << 20;

pub(super) struct Writer<D: Disk> {
    disk: D,
    shared: Arc<Shared<D>>,
    segment_bytes: u64,
    /// The segment in use; none before the first record and after trouble.
    active: Option<Arc<Segment<D::File>>>,
    buffer: Vec<u8>,
    failed: Option<String>,
}

struct Work {
    drafts: Vec<(Draft, Done)>,
    trim: Option<Trim>,
    ended: bool,
}

enum Trouble {
    /// A later try may do better.
    Passing(AppendError),
    Failed(String),
}

impl Trouble {
    fn passing(error: &io::Error) -> Self {
        let text = error.to_string();
        Self::Passing(if is_full(error) { AppendError::DiskFull(text) } else { AppendError::Unavailable(text) })
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(disk: D, shared: Arc<Shared<D>>, segment_bytes: u64) -> Self {
        Self { disk, shared, segment_bytes, active: None, buffer: Vec::new(), failed: None }
    }

    pub(super) fn run(&mut self) {
        loop {
            let work = self.wait();
            if let Some(trim) = work.trim {
                self.trim(trim);
            }
            if !work.drafts.is_empty() {
                self.commit(work.drafts);
            }
            if work.ended {
                self.seal();
                return;
            }
        }
    }

    fn wait(&self) -> Work {
        let mut pending = lock(&self.shared.pending);
        while pending.drafts.is_empty() && pending.trim.is_none() && !pending.closed {
            pending = self.shared.work.wait(pending).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let (mut drafts, mut bytes) = (Vec::new(), 0);
        while let Some((draft, done)) =
            pending.drafts.pop_front_if(|(draft, _)| bytes == 0 || bytes + draft.length() <= COMMIT)
        {
            bytes += draft.length();
            drafts.push((draft, done));
        }
        Work { drafts, trim: pending.trim.take(), ended: pending.closed && pending.drafts.is_empty() }
    }

    /// Writes as many at once as fit into the segment in use, then the rest into the next.
    fn commit(&mut self, drafts: Vec<(Draft, Done)>) {
        let mut drafts = drafts.into_iter().peekable();
        while let Some((draft, done)) = drafts.next() {
            let mut bytes = draft.length();
            let segment = self.room_for(bytes);
            let mut group = vec![(draft, done)];
            let segment = match segment {
                Ok(segment) => segment,
                Err(trouble) => {
                    refuse(group.into_iter().chain(drafts), trouble);
                    return;
                }
            };
            while let Some(next) = drafts.next_if(|(draft, _)| self.fits(&segment, bytes + draft.length())) {
                bytes += next.0.length();
                group.push(next);
            }
            if let Err(trouble) = self.write(&segment, &group) {
                refuse(group.into_iter().chain(drafts), trouble);
                return;
            }
            self.tell(&segment, group, bytes);
        }
    }

    fn fits(&self, segment: &Segment<D::File>, bytes: u64) -> bool {
        segment.end() + bytes <= self.segment_bytes
    }

    /// The segment in use, or a new one where that is full.
    fn room_for(&mut self, bytes: u64) -> Result<Arc<Segment<D::File>>, Trouble> {
        if let Some(failed) = &self.failed {
            return Err(Trouble::Failed(failed.clone()));
        }
        if let Some(segment) = &self.active
            && (segment.is_empty() || self.fits(segment, bytes))
        {
            return Ok(Arc::clone(segment));
        }
        self.seal();
        let segment = Arc::new(self.begin(bytes).map_err(|error| Trouble::passing(&error))?);
        lock(&self.shared.written).segments.push_back(Arc::clone(&segment));
        self.active = Some(Arc::clone(&segment));
        Ok(segment)
    }

    fn begin(&self, bytes: u64) -> io::Result<Segment<D::File>> {
        let first = lock(&self.shared.written).next;
        let name = name(first);
        let length = self.segment_bytes.max(bytes + HEADER as u64);
        let free = self.disk.free()?;
        if free < length + LEFT_FREE {
            let text = format!("{} MiB are free, of which the last {} are the database's", free >> 20, LEFT_FREE >> 20);
            return Err(io::Error::new(io::ErrorKind::StorageFull, text));
        }
        let begun = self.disk.create(&name).and_then(|file| {
            let segment = Segment::begin(first, self.shared.epoch, file, length)?;
            self.disk.sync_names()?;
            Ok(segment)
        });
        if begun.is_err() {
            // An empty segment is none; the next try makes it anew.
            let _ = self.disk.remove(&name);
        }
        begun
    }

    fn write(&mut self, segment: &Segment<D::File>, group: &[(Draft, Done)]) -> Result<(), Trouble> {
        self.buffer.clear();
        let mut next = lock(&self.shared.written).next;
        for (draft, _) in group {
            draft.write(next, self.shared.epoch, &mut self.buffer);
            next += u64::from(draft.count());
        }
        if let Err(error) = segment.file.write_at(&self.buffer, segment.end()) {
            return Err(self.abandon(segment, &error));
        }
        let began = Instant::now();
        if let Err(error) = segment.file.sync() {
            return Err(self.fail(&error));
        }
        self.shared.times.add(began.elapsed());
        if self.buffer.capacity() > 2 * COMMIT as usize {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// A part of a group may stand behind the segment's end now, and must never be taken for records.
    fn abandon(&mut self, segment: &Segment<D::File>, error: &io::Error) -> Trouble {
        self.active = None;
        let cut = if segment.is_empty() {
            lock(&self.shared.written).segments.pop_back();
            self.disk.remove(&segment.name)
        } else {
            segment.file.truncate(segment.end()).and_then(|()| segment.file.sync())
        };
        match cut {
            Ok(()) if is_full(error) => Trouble::passing(error),
            Ok(()) => self.fail(error),
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &io::Error) -> Trouble {
        tracing::error!("the log cannot be written, and takes nothing before a restart: {error}");
        self.failed = Some(error.to_string());
        Trouble::Failed(error.to_string())
    }

    fn tell(&self, segment: &Segment<D::File>, group: Vec<(Draft, Done)>, bytes: u64) {
        let mut first = {
            let mut written = lock(&self.shared.written);
            let first = written.next;
            segment.grow_to(segment.end() + bytes);
            written.next += group.iter().map(|(draft, _)| u64::from(draft.count())).sum::<u64>();
            first
        };
        for (draft, done) in group {
            let next = first + u64::from(draft.count());
            done(Ok(Place { first, next }));
            first = next;
        }
    }

    /// Ends the segment in use: the room that it did not need is given back.
    fn seal(&mut self) {
        let Some(segment) = self.active.take() else { return };
        if let Err(error) = segment.file.truncate(segment.end()).and_then(|()| segment.file.sync()) {
            // What was answered for is synced already; opening cuts the rest.
            tracing::warn!(file = segment.name, "the end of a segment could not be cut: {error}");
        }
    }

    fn trim(&mut self, trim: Trim) {
        let in_use = self.active.as_ref().is_some_and(|active| !active.is_empty());
        if trim.eager && in_use && lock(&self.shared.written).next <= trim.below {
            self.seal();
        }
        loop {
            let gone = {
                let mut written = lock(&self.shared.written);
                let behind = written.segments.get(1).map_or(written.next, |second| second.first);
                let only_the_active = written.segments.len() == 1 && self.active.is_some();
                if behind > trim.below || written.segments.is_empty() || only_the_active {
                    return;
                }
                written.segments.pop_front()
            };
            let Some(gone) = gone else { return };
            if let Err(error) = self.disk.remove(&gone.name) {
                tracing::warn!(file = gone.name, "a segment that nobody needs could not be removed: {error}");
            }
        }
    }
}

fn refuse(group: impl Iterator<Item = (Draft, Done)>, trouble: Trouble) {
    let error = match trouble {
        Trouble::Passing(error) => error,
        Trouble::Failed(text) => AppendError::Failed(text),
    };
    group.for_each(|(_, done)| done(Err(error.clone())));
}
