//! What a queue knows from moment to moment: the batches in memory, and how far each publisher is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use metricast_records::BatchBuilder;

use super::{Entry, WINDOW, WhenBehind};

pub(super) struct State {
    pub(super) epoch: String,
    /// The newest entries: in memory all that is needed, of a durable queue as many as fit.
    window: VecDeque<Held>,
    pub(super) window_bytes: usize,
    /// Behind the last record that readers may see.
    pub(super) next: u64,
    /// Bytes that are being written to the log.
    pub(super) under_way: usize,
    /// Whatever waits below this offset is wanted now.
    pub(super) hurry: u64,
    pub(super) closed: bool,
    pub(super) places: Vec<Option<Place>>,
    /// Publishers that are known and have no reader, with their synced cursors.
    pub(super) absent: BTreeMap<String, u64>,
    /// Notes of records from this offset on are in the log only.
    pub(super) notes_from: Option<u64>,
    /// Those from this one on are being brought to the database.
    pub(super) notes_under_way: Option<u64>,
    pub(super) lost: u64,
    /// Where the log began when it was opened, till all publishers of the config have their readers.
    pub(super) unclaimed: Option<u64>,
    /// A publisher that is not known begins with the oldest record, whatever the config says: it may have been known.
    pub(super) oldest_for_all: bool,
}

/// How far one publisher is.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) when_behind: WhenBehind,
    /// It has read up to here.
    pub(super) read: u64,
    /// It has answered for every record below.
    pub(super) cursor: u64,
    /// And that is synced up to here.
    pub(super) synced: u64,
    /// Records that it was not given, since it held a full queue back. The few of them that it had read may still arrive.
    pub(super) dropped: u64,
    /// Of these so many are in no commit that went well.
    pub(super) drops_unkept: u64,
    /// It was moved on up to here, whatever is answered for below.
    pub(super) dropped_to: u64,
    /// A commit that tells of drops is under way.
    pub(super) dropping: bool,
    /// The last one failed.
    pub(super) drop_failed: bool,
    /// What lies below may have been shown, and is to be in its state before it is moved on.
    pub(super) shown_to: u64,
    /// Its cursor is that of a state, in which nothing that lies below it would be counted any more: what was in the
    /// queue before comes to it as something new.
    pub(super) stateful: bool,
}

/// An entry in memory, and for whom it is.
struct Held {
    entry: Entry,
    addressed: Option<Arc<str>>,
    /// As it was in the queue before, if it was.
    before: Option<Entry>,
}

impl Held {
    fn is_for(&self, reader: &str) -> bool {
        self.addressed.as_deref().is_none_or(|name| name == reader)
    }
}

impl Place {
    pub(super) fn new(name: String, when_behind: WhenBehind, cursor: u64) -> Self {
        Self {
            name,
            when_behind,
            read: cursor,
            cursor,
            synced: cursor,
            dropped: 0,
            drops_unkept: 0,
            dropped_to: 0,
            dropping: false,
            drop_failed: false,
            shown_to: 0,
            stateful: false,
        }
    }
}

impl Entry {
    /// In place of records that a reader is not given.
    pub(super) fn nothing(epoch: &str, first: u64, next: u64) -> Self {
        let batch = Arc::new(BatchBuilder::new().finish().placed(epoch, first));
        Self { batch, first, next, again: false }
    }
}

impl Entry {
    /// What is left of it where a reader begins in its middle. One that goes as it is has other offsets, and stays whole.
    pub(super) fn from(&self, offset: u64) -> Self {
        if offset <= self.first || self.again || self.batch.is_empty() {
            return self.clone();
        }
        let mut rows: Vec<u32> = self.batch.rows_at(offset..self.next).map(|row| row as u32).collect();
        rows.sort_unstable();
        Self { batch: Arc::new(self.batch.select(&rows)), first: offset, ..self.clone() }
    }
}

impl State {
    pub(super) fn new(epoch: String, next: u64, absent: BTreeMap<String, u64>) -> Self {
        Self {
            epoch,
            window: VecDeque::new(),
            window_bytes: 0,
            next,
            under_way: 0,
            hurry: 0,
            closed: false,
            places: Vec::new(),
            absent,
            notes_from: None,
            notes_under_way: None,
            lost: 0,
            unclaimed: None,
            oldest_for_all: false,
        }
    }

    pub(super) fn push(&mut self, entry: Entry, addressed: Option<Arc<str>>, before: Option<Entry>) {
        self.next = entry.next;
        self.window_bytes += entry.batch.byte_len();
        self.window.push_back(Held { entry, addressed, before });
    }

    /// The oldest record in memory, or the next one.
    pub(super) fn oldest(&self) -> u64 {
        self.window.front().map_or(self.next, |held| held.entry.first)
    }

    /// What comes next for a publisher, where that is in memory.
    pub(super) fn next_of(&self, place: &Place) -> Option<Entry> {
        let held = self.held_at(place.read)?;
        let before = held.before.as_ref().filter(|_| !place.stateful);
        Some(if held.is_for(&place.name) {
            before.unwrap_or(&held.entry).from(place.read)
        } else {
            self.nothing_of(held)
        })
    }

    fn held_at(&self, offset: u64) -> Option<&Held> {
        if offset < self.oldest() {
            return None;
        }
        self.window.get(self.window.partition_point(|held| held.entry.next <= offset))
    }

    fn nothing_of(&self, held: &Held) -> Entry {
        Entry::nothing(&self.epoch, held.entry.first, held.entry.next)
    }

    fn present(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().flatten()
    }

    /// Whether a publisher has a reader.
    pub(super) fn is_present(&self, name: &str) -> bool {
        self.present().any(|place| place.name == name)
    }

    /// Of the publisher that is furthest behind.
    pub(super) fn lowest_cursor(&self) -> u64 {
        self.present().map(|place| place.cursor).min().unwrap_or(self.next)
    }

    /// The log is needed from here on.
    pub(super) fn needed_from(&self) -> u64 {
        let synced = self.present().map(|place| place.synced);
        let absent = self.absent.values().copied();
        let notes = self.notes_from.into_iter().chain(self.notes_under_way);
        synced.chain(absent).chain(notes).chain(self.unclaimed).min().unwrap_or(self.next)
    }

    /// Of a queue in memory: what all have answered for; says whether there was anything.
    pub(super) fn drop_answered(&mut self) -> bool {
        let before = self.window.len();
        let answered = self.present().map(|place| place.cursor).min().unwrap_or(u64::MAX);
        self.drop_below(answered);
        self.window.len() < before
    }

    /// Of a durable queue: what all have read, and what is beyond the window's bound.
    pub(super) fn narrow_window(&mut self) {
        let read = self.present().map(|place| place.read).min().unwrap_or(u64::MAX);
        self.drop_below(read);
        while self.window_bytes > WINDOW && self.window.len() > 1 {
            self.drop_first();
        }
    }

    #[cfg(test)]
    pub(super) fn forget_window(&mut self) {
        self.drop_below(u64::MAX);
    }

    fn drop_below(&mut self, offset: u64) {
        while self.window.front().is_some_and(|held| held.entry.next <= offset) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(held) = self.window.pop_front() {
            self.window_bytes -= held.entry.batch.byte_len();
        }
    }

    /// Moves on those that may drop, where that makes room: up to the end of the oldest part that goes as a whole.
    /// `parts` are where the parts begin. Says who was moved, and by how many records.
    pub(super) fn drop_oldest(&mut self, parts: &[u64]) -> Vec<Dropped> {
        let Some(&up_to) = parts.get(1) else { return Vec::new() };
        let behind = |place: &Place| place.synced.min(place.cursor) < up_to;
        // While anybody else needs them, dropping makes no room. Who has taken records that are in no synced state yet
        // will have them there soon.
        let may = |place: &Place| {
            place.when_behind == WhenBehind::DropOldest
                && (!place.stateful || place.read == place.cursor)
                && place.cursor >= place.shown_to
        };
        let all_may = self.present().filter(|place| behind(place)).all(may);
        if !all_may || self.absent.values().any(|&cursor| cursor < up_to) {
            return Vec::new();
        }
        let mut moved = Vec::new();
        for (index, place) in self.places.iter_mut().enumerate() {
            let Some(place) = place.as_mut().filter(|place| behind(place)) else { continue };
            let count = up_to.saturating_sub(place.cursor);
            place.dropped += count;
            place.drops_unkept += count;
            if count > 0 {
                (place.read, place.cursor, place.dropped_to) = (place.read.max(up_to), up_to, up_to);
            }
            // Till its cursor is synced no room is made, and it is asked for again and again.
            if place.dropped_to > place.synced && !std::mem::replace(&mut place.dropping, true) {
                let (publisher, up_to, unkept) = (place.name.clone(), place.dropped_to, place.drops_unkept);
                moved.push(Dropped { place: index, publisher, up_to, count, unkept });
            }
        }
        moved
    }

    /// Of a queue in memory: where its entries begin, and behind the first.
    pub(super) fn parts(&self) -> Vec<u64> {
        self.window.iter().take(1).flat_map(|held| [held.entry.first, held.entry.next]).collect()
    }
}

/// A publisher that was not given its oldest records.
pub(super) struct Dropped {
    pub(super) place: usize,
    pub(super) publisher: String,
    pub(super) up_to: u64,
    pub(super) count: u64,
    /// With those of drops that could not be kept.
    pub(super) unkept: u64,
}
