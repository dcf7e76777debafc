//! What survives a crash: a log in parts, and what is known of publishers. It follows what `metricast_store` does.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use metricast_records::Batch;
use metricast_store::log::{Damage, Draft, Epoch, Found, Frame, Place};
use metricast_store::meta::{self, Change, Letter, Origin, Publisher, PublisherChange, State, StateChange};

use crate::plugin::Saved;
use crate::queue::backing::{Handed, Known};
use crate::queue::note::{Digest, InputPlace};
use crate::queue::remembered::NOTES;

/// Bytes of a part: a few small frames.
const PART: u64 = 2_000;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Medium(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    parts: VecDeque<Part>,
    /// Behind the last record that is synced.
    next: u64,
    /// All that was ever synced.
    history: Vec<Frame>,
    /// Frames of a sync that failed, which may be found at the next opening.
    left: Vec<(Draft, Epoch)>,
    publishers: BTreeMap<String, Publisher>,
    states: BTreeMap<String, State>,
    letters: BTreeMap<u64, Letter>,
    next_letter: u64,
    requests: HashMap<Digest, meta::Request>,
    places: BTreeMap<String, meta::Place>,
}

/// What is deleted as a whole.
struct Part {
    first: u64,
    bytes: u64,
    ended: bool,
    frames: Vec<Frame>,
    /// Offsets of frames that cannot be read.
    damaged: BTreeSet<u64>,
}

/// What an opening goes on from.
pub(super) struct Opened {
    pub(super) next: u64,
    pub(super) absent: BTreeMap<String, u64>,
    pub(super) notes_from: u64,
}

impl Medium {
    pub(super) fn open(&self) -> Opened {
        let mut inside = self.lock();
        for (draft, epoch) in std::mem::take(&mut inside.left) {
            inside.append(draft, epoch);
        }
        inside.parts.retain(|part| !part.frames.is_empty());
        inside.parts.iter_mut().for_each(|part| part.ended = true);
        let seen = inside.publishers.values().map(reached).max().unwrap_or(0);
        inside.next = inside.next.max(seen);
        let first = inside.first();
        let cursors = inside.publishers.values().filter_map(|it| Some((it.name.clone(), it.cursor?)));
        let mut absent: BTreeMap<String, u64> = cursors.collect();
        let notes_from = absent.remove(NOTES).unwrap_or(first);
        Opened { next: inside.next, absent, notes_from }
    }

    pub(super) fn append(&self, draft: Draft, epoch: Epoch) -> Place {
        self.lock().append(draft, epoch)
    }

    pub(super) fn leave(&self, draft: Draft, epoch: Epoch) {
        self.lock().left.push((draft, epoch));
    }

    pub(super) fn trim(&self, below: u64, eager: bool) {
        let mut inside = self.lock();
        let next = inside.next;
        if let Some(last) = inside.parts.back_mut().filter(|_| eager && next <= below) {
            last.ended = true;
        }
        loop {
            let behind = inside.parts.get(1).map_or(next, |second| second.first);
            let goes = inside.parts.front().is_some_and(|oldest| behind <= below && oldest.ended);
            if !goes {
                return;
            }
            inside.parts.pop_front();
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.lock().parts.iter().map(|part| part.bytes).sum()
    }

    pub(crate) fn boundaries(&self) -> Vec<u64> {
        self.lock().parts.iter().map(|part| part.first).collect()
    }

    /// What stands at an offset or behind it.
    pub(super) fn find(&self, offset: u64) -> Option<Found> {
        let inside = self.lock();
        let offset = offset.max(inside.first());
        if offset >= inside.next {
            return None;
        }
        let frames = inside.parts.iter().flat_map(|part| {
            let readable = |frame: &&Frame| !part.damaged.contains(&frame.first);
            part.frames.iter().filter(readable)
        });
        let next = frames.into_iter().find(|frame| frame.next > offset);
        let lost = |end| Found::Damage(Damage { offsets: offset..end, file: "part".into(), at: 0 });
        match next {
            _ if inside.parts.is_empty() => None,
            Some(frame) if frame.first <= offset => Some(Found::Frame(frame.clone())),
            Some(frame) => Some(lost(frame.first)),
            None => Some(lost(inside.next)),
        }
    }

    pub(super) fn frames_from(&self, offset: u64) -> Vec<Frame> {
        let inside = self.lock();
        inside.parts.iter().flat_map(|part| &part.frames).filter(|frame| frame.next > offset).cloned().collect()
    }

    /// The frame in which a record stands cannot be read any more.
    pub(crate) fn damage(&self, offset: u64) {
        let mut inside = self.lock();
        let part = inside.parts.iter_mut().rfind(|part| part.first <= offset).expect("the record is there");
        let frame = part.frames.iter().find(|frame| frame.next > offset).expect("the record is there");
        part.damaged.insert(frame.first);
    }

    /// All that was ever synced, in order.
    pub(crate) fn history(&self) -> Vec<Batch> {
        let read = |frame: &Frame| Batch::read_bytes(frame.body(), &frame.epoch.to_string(), frame.first);
        self.lock().history.iter().map(|frame| read(frame).expect("it was written by the queue")).collect()
    }

    /// The log is gone, and the database is there.
    pub(crate) fn lose_the_log(&self) {
        let mut inside = self.lock();
        inside.parts.clear();
        inside.next = 0;
    }

    /// The oldest record of the log, or the next one.
    pub(crate) fn first(&self) -> u64 {
        self.lock().first()
    }

    /// Behind the last record that is synced.
    pub(crate) fn next(&self) -> u64 {
        self.lock().next
    }

    pub(super) fn apply(&self, change: Change) {
        let mut inside = self.lock();
        for name in change.forget {
            inside.publishers.remove(&name);
            inside.states.remove(&name);
        }
        change.publishers.into_iter().for_each(|change| inside.apply(change));
        change.letters.into_iter().for_each(|letter| inside.file(letter));
        for number in change.remove_letters {
            inside.letters.remove(&number);
        }
        inside.requests.extend(change.requests.into_iter().map(|request| (request.digest, request)));
        for (input, place) in change.places {
            match place {
                Some(place) => inside.places.insert(input, place),
                None => inside.places.remove(&input),
            };
        }
    }

    /// What is kept of a publisher.
    pub(crate) fn publisher(&self, name: &str) -> Option<Publisher> {
        self.lock().publishers.get(name).cloned()
    }

    /// The state that is kept of its plugin.
    pub(crate) fn state(&self, name: &str) -> Option<State> {
        self.lock().states.get(name).cloned()
    }

    /// All dead letters, by number.
    pub(crate) fn letters(&self) -> Vec<(u64, Letter)> {
        self.lock().letters.iter().map(|(number, letter)| (*number, letter.clone())).collect()
    }

    pub(super) fn known(&self, name: &str) -> Option<Known> {
        let inside = self.lock();
        let row = inside.publishers.get(name)?;
        let state = inside.states.get(name).map(|state| Saved {
            version: state.version,
            next_offset: state.next_offset,
            state: state.bytes.clone().into(),
        });
        let (cursor, skipped, handed) = (row.cursor?, row.skipped.clone(), Handed::read(&row.extra));
        Some(Known { cursor, skipped, state, handed })
    }

    pub(super) fn request(&self, key: &Digest) -> Option<meta::Request> {
        self.lock().requests.get(key).cloned()
    }

    pub(super) fn place(&self, input: &str) -> Option<InputPlace> {
        let place = self.lock().places.get(input).cloned()?;
        Some(InputPlace { input: input.to_owned(), bytes: place.bytes, line: place.line, ended: false })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().expect("a test that panicked before")
    }
}

impl Inside {
    fn first(&self) -> u64 {
        self.parts.front().map_or(self.next, |oldest| oldest.first)
    }

    fn append(&mut self, draft: Draft, epoch: Epoch) -> Place {
        let (first, bytes) = (self.next, draft.length());
        let next = first + u64::from(draft.count());
        let fits = self.parts.back().is_some_and(|part| !part.ended && part.bytes + bytes <= PART);
        if !fits {
            self.parts.iter_mut().for_each(|part| part.ended = true);
            self.parts.push_back(Part { first, bytes: 0, ended: false, frames: Vec::new(), damaged: BTreeSet::new() });
        }
        let frame = draft.at(first, epoch);
        self.history.push(frame.clone());
        if let Some(part) = self.parts.back_mut() {
            part.bytes += bytes;
            part.frames.push(frame);
        }
        self.next = next;
        Place { first, next }
    }

    fn apply(&mut self, change: PublisherChange) {
        let row = self.publishers.entry(change.name.clone()).or_default();
        row.name = change.name;
        let is_behind = change.cursor.is_some() && change.cursor < row.cursor;
        match change.state {
            _ if is_behind => {}
            Some(StateChange::Set(state)) => {
                row.state = Some(meta::StateHead { next_offset: state.next_offset, ..meta::StateHead::default() });
                self.states.insert(row.name.clone(), state);
            }
            Some(StateChange::Remove) => drop(self.states.remove(&row.name)),
            None => {}
        }
        row.cursor = row.cursor.max(change.cursor);
        let cursor = row.cursor.unwrap_or(0);
        let all: BTreeSet<u64> = row.skipped.iter().copied().chain(change.skip).filter(|it| *it >= cursor).collect();
        row.skipped = all.into_iter().collect();
        row.dropped += change.dropped;
        row.seen = change.seen.or(row.seen);
        row.extra = change.extra.unwrap_or_else(|| row.extra.clone());
    }

    fn file(&mut self, letter: Letter) {
        if self.letters.values().any(|filed| is_of_one_record(filed, &letter)) {
            return;
        }
        self.letters.insert(self.next_letter, letter);
        self.next_letter += 1;
    }
}

fn is_of_one_record(a: &Letter, b: &Letter) -> bool {
    let key = |letter: &Letter| match &letter.origin {
        Origin::Record { publisher, epoch, offset, .. } => Some((publisher.clone(), *epoch, *offset)),
        Origin::Line { .. } => None,
    };
    key(a).is_some() && key(a) == key(b)
}

/// Behind the last record that a publisher has seen.
fn reached(publisher: &Publisher) -> u64 {
    let skipped = publisher.skipped.iter().map(|offset| offset + 1);
    let state = publisher.state.map(|state| state.next_offset);
    skipped.chain(publisher.cursor).chain(state).max().unwrap_or(0)
}
