//! Reading on from an offset, past damage.

use std::ops::Range;
use std::sync::Arc;

use super::open::of;
use super::segment::{HEADER, Segment, Whole};
use super::{Damage, Disk, Epoch, LogError, Shared, lock};

/// Reads records in order. Each has a place of its own.
pub struct Reader<D: Disk> {
    shared: Arc<Shared<D>>,
    /// The offset that comes next.
    next: u64,
    /// The segment that was read from last, by its first offset, and where in it to read on.
    place: Option<(u64, u64)>,
}

/// A part of a segment, up to what is synced, in which records below `behind` stand.
struct Stretch<D: Disk> {
    segment: Arc<Segment<D::File>>,
    at: u64,
    end: u64,
    behind: u64,
}

/// What is found at the next place.
#[derive(Clone, Debug)]
pub enum Found {
    /// Records.
    Frame(Frame),
    /// Records that were there and cannot be read.
    Damage(Damage),
}

/// Records that were appended together.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The opening of the log that took them.
    pub epoch: Epoch,
    /// The offset of the first.
    pub first: u64,
    /// The offset behind the last.
    pub next: u64,
    payload: Vec<u8>,
    note: usize,
}

impl Frame {
    pub(super) fn new(
        epoch: Epoch,
        Range { start: first, end: next }: Range<u64>,
        payload: Vec<u8>,
        note: usize,
    ) -> Self {
        Self { epoch, first, next, payload, note }
    }

    /// What was noted about them.
    pub fn note(&self) -> &[u8] {
        &self.payload[..self.note]
    }

    /// Their bytes.
    pub fn body(&self) -> &[u8] {
        &self.payload[self.note..]
    }
}

impl<D: Disk> Reader<D> {
    pub(super) fn new(shared: Arc<Shared<D>>, from: u64) -> Self {
        Self { shared, next: from, place: None }
    }

    /// The offset that comes next.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// What comes next; none at the end of what is synced.
    ///
    /// # Errors
    /// What the disk says; the next call tries again.
    pub fn read(&mut self) -> Result<Option<Found>, LogError> {
        while let Some(Stretch { segment, at, end, behind }) = self.find() {
            let whole = segment.whole_from(at, end).map_err(|error| of(&segment.name, error))?;
            let Some(Whole { at: place, header, payload }) = whole else {
                self.place = Some((segment.first, end));
                if self.next < behind {
                    return Ok(Some(self.lost(&segment, at, behind)));
                }
                continue;
            };
            if header.first > self.next {
                self.place = Some((segment.first, place));
                return Ok(Some(self.lost(&segment, at, header.first)));
            }
            self.place = Some((segment.first, place + header.length()));
            if header.next() > self.next {
                self.next = header.next();
                let note = header.note as usize;
                let frame = Frame::new(header.epoch, header.first..header.next(), payload, note);
                return Ok(Some(Found::Frame(frame)));
            }
        }
        Ok(None)
    }

    fn lost(&mut self, segment: &Segment<D::File>, at: u64, up_to: u64) -> Found {
        let offsets = self.next..up_to;
        self.next = up_to;
        Found::Damage(Damage { offsets, file: segment.name.clone(), at })
    }

    /// Where the next offset stands, if anywhere; none at the end.
    fn find(&mut self) -> Option<Stretch<D>> {
        let written = lock(&self.shared.written);
        if self.next >= written.next {
            return None;
        }
        // What lies below the oldest was trimmed: nobody needs that any more.
        self.next = self.next.max(written.segments.front().map_or(written.next, |oldest| oldest.first));
        let index = written.segments.partition_point(|segment| segment.first <= self.next).checked_sub(1)?;
        let segment = Arc::clone(&written.segments[index]);
        let behind = written.segments.get(index + 1).map_or(written.next, |following| following.first);
        let at = self.place.filter(|(first, _)| *first == segment.first).map_or(HEADER as u64, |(_, at)| at);
        let end = segment.end();
        Some(Stretch { segment, at, end, behind })
    }
}
