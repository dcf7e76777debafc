//! A publisher's end of the queue: what comes next, from memory or from the log.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use metricast_records::Batch;
use metricast_store::log::{Damage, Epoch, Found, Frame};
use metricast_store::meta::{Change, MetaError, PublisherChange};
use tokio::time::sleep;

use super::backing::{Handed, Known, ReadOn, Reading};
use super::commit::{Committer, change_and_wait, change_of};
use super::note::Note;
use super::state::Place;
use super::{Entry, Queue, Shared, Start, WhenBehind};
use crate::plugin::Saved;

/// A disk that cannot be read is tried again so often.
const AGAIN: Duration = Duration::from_secs(1);

/// The queue's end for one publisher.
pub struct Reader {
    shared: Arc<Shared>,
    place: usize,
    known: Known,
    /// Behind the last record that was there when it began.
    began_at: u64,
    log: Option<LogReader>,
    held: Option<Entry>,
}

/// Where the log is read, here or on a thread that may wait.
enum LogReader {
    Here(u64, Box<dyn ReadOn>),
    /// With the end of the queue when it was begun.
    There(Reading, u64),
}

/// What comes next.
enum Next {
    Entry(Entry),
    InTheLog(u64),
    NotYet,
    Never,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Queue {
    /// The reader of a publisher: from its own cursor on where the queue knows it, else from where `start` says. A new
    /// one is known when this has ended: after a crash it goes on from there too.
    ///
    /// # Errors
    /// What the database of a durable queue says.
    pub async fn reader_of(&self, publisher: &str, when_behind: WhenBehind, start: Start) -> Result<Reader, MetaError> {
        let known = match &self.0.kept {
            Some(kept) => {
                // What one before it asked for may still be on its way, and counts: commits are answered in order.
                let _ = change_and_wait(kept, Change::default()).await;
                kept.known(publisher)?
            }
            None => None,
        };
        let is_new = known.is_none();
        let known = known.unwrap_or_else(|| {
            let parts = self.0.kept.as_ref().map(|kept| kept.boundaries());
            let state = self.0.lock();
            let before = state.places.iter().flatten().find(|place| place.name == publisher);
            let cursor = match (start, parts) {
                // It takes the place of another one.
                _ if before.is_some() => before.map_or(state.next, |place| place.cursor),
                (Start::Now, _) if !state.oldest_for_all => state.next,
                (_, Some(parts)) => parts.first().copied().unwrap_or(state.next),
                (_, None) => state.oldest(),
            };
            Known { cursor, ..Known::default() }
        });
        let reader = Reader::new(&self.0, Place::new(publisher.to_owned(), when_behind, known.cursor), known);
        if let Some(kept) = self.0.kept.as_ref().filter(|_| is_new) {
            let change = PublisherChange { cursor: Some(reader.known.cursor), ..change_of(publisher) };
            change_and_wait(kept, Change { publishers: vec![change], ..Change::default() }).await?;
        }
        Ok(reader)
    }
}

impl Queue {
    /// What is known of a publisher from before.
    ///
    /// # Errors
    /// What the database of a durable queue says.
    pub(crate) fn known(&self, publisher: &str) -> Result<Option<Known>, MetaError> {
        self.0.kept.as_ref().map_or(Ok(None), |kept| kept.known(publisher))
    }
}

impl Reader {
    pub(super) fn new(shared: &Arc<Shared>, mut place: Place, known: Known) -> Self {
        let mut state = shared.lock();
        state.absent.remove(&place.name);
        let began_at = state.next;
        place.shown_to = if known.handed == Handed::Shown { began_at } else { 0 };
        state.places.push(Some(place));
        let place = state.places.len() - 1;
        drop(state);
        Self { shared: Arc::clone(shared), place, known, began_at, log: None, held: None }
    }

    /// The state that its plugin kept, with the records below the cursor in it.
    pub fn saved(&self) -> Option<Saved> {
        self.known.state.clone()
    }

    /// Records above the cursor that its plugin must never see again.
    pub fn skipped(&self) -> BTreeSet<u64> {
        self.known.skipped.iter().copied().collect()
    }

    /// Its cursor at the beginning, and the end of the queue at that time: what lies between may have been answered for
    /// in part.
    pub fn backlog(&self) -> Range<u64> {
        self.known.cursor..self.began_at
    }

    /// What its plugin may have been handed at or above the cursor.
    pub(crate) fn handed(&self) -> Handed {
        self.known.handed
    }

    /// What it has read and not answered for it will not answer for any more: where the queue is full, and it may drop,
    /// it is moved on.
    pub(crate) fn lets_go(&self) {
        self.with_place(|place| place.read = place.cursor);
    }

    pub(crate) fn committer(&self) -> Committer {
        Committer::new(Arc::clone(&self.shared), self.place)
    }

    /// Its cursor counts from now on as that of a state.
    pub(crate) fn is_stateful(&self, stateful: bool) {
        self.with_place(|place| place.stateful = stateful);
    }

    /// The next batch, or none where the queue is closed and read to its end. Cancel safe.
    pub async fn next(&mut self) -> Option<Entry> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        loop {
            let shared = Arc::clone(&self.shared);
            let appended = shared.appended.notified();
            match self.look() {
                Next::Entry(entry) => return Some(entry),
                Next::Never => return None,
                Next::NotYet => appended.await,
                Next::InTheLog(offset) => {
                    if let Some(entry) = self.read_log(offset).await {
                        return Some(entry);
                    }
                }
            }
        }
    }

    /// The next batch, where there is one and it is `wanted`. Cancel safe.
    pub async fn next_if(&mut self, wanted: impl FnOnce(&Batch) -> bool) -> Option<Entry> {
        if self.held.is_none() && matches!(self.look_on(), Next::NotYet | Next::Never) {
            return None;
        }
        let entry = self.next().await?;
        if wanted(&entry.batch) {
            return Some(entry);
        }
        self.held = Some(entry);
        None
    }

    /// As [`look`](Self::look), without taking it.
    fn look_on(&self) -> Next {
        let state = self.shared.lock();
        let Some(place) = &state.places[self.place] else { return Next::Never };
        match state.next_of(place) {
            Some(entry) => Next::Entry(entry),
            None if place.read < state.next => Next::InTheLog(place.read),
            None if state.closed && state.under_way == 0 => Next::Never,
            None => Next::NotYet,
        }
    }

    fn look(&mut self) -> Next {
        let next = self.look_on();
        if let Next::Entry(entry) = &next {
            self.read_to(entry.next);
        }
        next
    }

    /// A batch from the log; nothing where it was moved on meanwhile, or has to try again.
    async fn read_log(&mut self, offset: u64) -> Option<Entry> {
        let end = self.shared.lock().next;
        self.log = Some(match self.log.take() {
            Some(LogReader::There(reading, end)) => LogReader::There(reading, end),
            Some(LogReader::Here(at, reader)) if at == offset => LogReader::There(reader.read(), end),
            _ => LogReader::There(self.shared.kept.as_ref()?.read_from(offset).read(), end),
        });
        let Some(LogReader::There(reading, end)) = &mut self.log else { return None };
        let end = *end;
        let read = reading.await;
        self.log = None;
        let Ok((reader, found)) = read else { return None };
        let entry = match found {
            Ok(Some(Found::Frame(frame))) => self.entry_of(&frame),
            Ok(Some(Found::Damage(damage))) => self.lost(&damage),
            Ok(None) if offset < end => self.gone(offset..end),
            Ok(None) => return None,
            Err(error) => {
                tracing::error!(publisher = self.name(), "the queue's log cannot be read, and is tried again: {error}");
                sleep(AGAIN).await;
                return None;
            }
        };
        self.log = Some(LogReader::Here(entry.next, reader));
        // It may have been moved on while the disk was read.
        let read = self.with_place(|place| place.read)?;
        self.read_to(entry.next);
        (read < entry.next).then(|| entry.from(read))
    }

    fn entry_of(&self, frame: &Frame) -> Entry {
        let (first, next) = (frame.first, frame.next);
        let note = Note::read(frame.note());
        if note.addressed.as_ref().is_some_and(|addressed| *addressed != self.name()) {
            return Entry::nothing(&frame.epoch.to_string(), first, next);
        }
        let again = note.again.filter(|_| !self.with_place(|place| place.stateful).unwrap_or(false));
        let (epoch, base) = again.map_or((frame.epoch, first), |again| (Epoch(again.epoch), again.base));
        match Batch::read_bytes(frame.body(), &epoch.to_string(), base) {
            Ok(batch) => Entry { batch: Arc::new(batch), first, next, again: again.is_some() },
            Err(error) => {
                let publisher = self.name();
                tracing::error!(publisher, first, next, "records of the queue cannot be read, and are lost: {error}");
                self.count_lost(next - first);
                Entry::nothing(&frame.epoch.to_string(), first, next)
            }
        }
    }

    fn lost(&self, damage: &Damage) -> Entry {
        tracing::error!(publisher = self.name(), "the queue is damaged: {damage}");
        self.nothing(&damage.offsets)
    }

    /// There is no log where there was one.
    fn gone(&self, offsets: Range<u64>) -> Entry {
        let Range { start, end } = offsets;
        tracing::error!(
            publisher = self.name(),
            "the records from {start} to below {end} are not in the queue's log any more"
        );
        self.nothing(&offsets)
    }

    fn nothing(&self, lost: &Range<u64>) -> Entry {
        self.count_lost(lost.end - lost.start);
        Entry::nothing(&Epoch::random().to_string(), lost.start, lost.end)
    }

    fn count_lost(&self, records: u64) {
        self.shared.lock().lost += records;
    }

    fn read_to(&mut self, offset: u64) {
        let mut state = self.shared.lock();
        if let Some(place) = &mut state.places[self.place] {
            place.read = place.read.max(offset);
        }
        if self.shared.kept.is_some() {
            state.narrow_window();
        }
    }

    fn name(&self) -> String {
        self.with_place(|place| place.name.clone()).unwrap_or_default()
    }

    fn with_place<T>(&self, act: impl FnOnce(&mut Place) -> T) -> Option<T> {
        self.shared.lock().places[self.place].as_mut().map(act)
    }

    /// Waits until somebody is in a [hurry](Queue::hurry) for the record at `offset`.
    pub fn hurried(&self, offset: u64) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            loop {
                let appended = shared.appended.notified();
                if shared.lock().hurry > offset {
                    return;
                }
                appended.await;
            }
        }
    }

    /// Every record below `offset` is answered for. Of a durable queue that counts when it is committed.
    pub fn release(&self, offset: u64) {
        self.with_place(|place| place.cursor = place.cursor.max(offset));
        if self.shared.kept.is_none() {
            self.shared.trim();
        }
    }

    /// How many records this publisher has not answered for.
    pub fn lag(&self) -> u64 {
        let state = self.shared.lock();
        state.places[self.place].as_ref().map_or(0, |place| state.next.saturating_sub(place.cursor))
    }
}

impl Drop for Reader {
    /// In memory a publisher that is gone holds nothing back; a durable queue keeps its place, for it may come again,
    /// where it has not done so by now.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let gone = state.places[self.place].take();
        if let Some(place) = gone.filter(|place| self.shared.kept.is_some() && !state.is_present(&place.name)) {
            state.absent.insert(place.name, place.synced);
        }
        drop(state);
        self.shared.trim();
    }
}
