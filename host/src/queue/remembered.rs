//! What came with records and outlives them: requests that were answered, and how far inputs were read.
//!
//! Notes are in the log with their records; from there they go to the database now and then, and only then may the log
//! go. What the log has beyond that is noted again at the start.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use metricast_store::meta::{self, Change, MetaError, PublisherChange};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::note::{Digest, InputPlace, Note, Request};
use super::{Queue, Shared};
use crate::clock;

/// Requests that are remembered; the oldest go first.
pub(crate) const MAX_REQUESTS: usize = 100_000;
/// How long.
pub(crate) const MAX_AGE: Duration = Duration::from_hours(24);
/// Bytes of their answers together.
const MAX_BYTES: usize = 16 << 20;
/// How soon a note is in the database too.
const KEEP_AFTER: Duration = Duration::from_millis(200);
/// A queue without notes moves on this often, so that a start has little to look through.
const IDLE: Duration = Duration::from_secs(5);
/// Under this name the database has where notes begin that are in the log only. No publisher is called so.
pub(crate) const NOTES: &str = "#notes";

/// The notes of a queue.
#[derive(Default)]
pub(super) struct Remembered {
    requests: HashMap<Digest, Request>,
    by_age: VecDeque<Digest>,
    bytes: usize,
    under_way: HashSet<Digest>,
    places: BTreeMap<String, InputPlace>,
    unkept: Change,
    /// Dead letters that were appended again and may still be in the database.
    retried: BTreeSet<u64>,
}

/// What is known of a request.
pub(crate) enum Recalled {
    /// Nothing: it may be taken. Nobody else gets this till the claim is dropped.
    Fresh(Claim),
    /// It was answered so.
    Answered(Vec<u8>),
    /// Its key came with another body.
    OtherBody,
    /// One with this key is being taken in.
    UnderWay,
}

/// A request that is being taken in.
pub(crate) struct Claim {
    shared: Arc<Shared>,
    key: Digest,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.remembered().under_way.remove(&self.key);
    }
}

impl Queue {
    /// What is known of a request.
    ///
    /// # Errors
    /// What the database of a durable queue says.
    pub(crate) async fn recall(&self, key: Digest, body: Digest) -> Result<Recalled, MetaError> {
        let known = self.0.remembered().recall(&key);
        let kept = match (&known, self.0.kept.clone()) {
            (None, Some(kept)) => {
                // A disk may have to be waited for.
                let looked_up = tokio::task::spawn_blocking(move || kept.request(&key)).await;
                looked_up.unwrap_or(Err(MetaError::Closed))?.and_then(|note| note.request)
            }
            _ => None,
        };
        let mut remembered = self.0.remembered();
        // It may have been taken in meanwhile.
        Ok(match remembered.recall(&key).or(kept) {
            Some(request) if request.body == body => Recalled::Answered(request.answer),
            Some(_) => Recalled::OtherBody,
            None if !remembered.under_way.insert(key) => Recalled::UnderWay,
            None => Recalled::Fresh(Claim { shared: Arc::clone(&self.0), key }),
        })
    }

    /// How far an input was read, by a run that did not come to its end.
    ///
    /// # Errors
    /// What the database of a durable queue says.
    pub(crate) fn place_of(&self, input: &str) -> Result<Option<InputPlace>, MetaError> {
        let remembered = self.0.remembered();
        match (remembered.places.get(input), &self.0.kept) {
            (Some(place), _) => Ok(Some(place.clone()).filter(|place| !place.ended)),
            (None, Some(kept)) => kept.place(input),
            (None, None) => Ok(None),
        }
    }

    /// An input was read to its end and all of it is delivered: who reads it again reads all of it.
    pub(crate) fn has_ended(&self, input: &str) {
        let place = InputPlace { input: input.to_owned(), bytes: 0, line: 0, ended: true };
        let next = self.appended();
        self.0.remembered().note(Note { place: Some(place), ..Note::default() }, next);
    }

    /// Dead letters that were appended again, and are none any more though the database may still have them.
    pub(crate) fn retried(&self) -> Vec<u64> {
        self.0.remembered().retried()
    }

    /// Takes a note that the log has and the database may not have, with records at `first..next`.
    pub(super) fn note_again(&self, note: Note, first: u64, next: u64) {
        if note.is_lasting() {
            self.0.lock().notes_from.get_or_insert(first);
            self.0.remembered().note(note, next);
        }
    }

    /// Keeps notes in the database, for as long as there is a queue.
    pub(crate) async fn keep_notes_for_ever(self) {
        loop {
            let idle = self.0.lock().notes_from.is_none();
            sleep(if idle { IDLE } else { KEEP_AFTER }).await;
            self.keep_notes().await;
            if self.0.lock().closed {
                return;
            }
        }
    }

    /// What is noted is in the database when this has ended; where that fails, the log keeps it.
    pub(crate) async fn keep_notes(&self) {
        let Some(kept) = &self.0.kept else { return };
        let (mut change, up_to) = {
            let mut state = self.0.lock();
            let from = state.notes_from.take();
            state.notes_under_way = state.notes_under_way.into_iter().chain(from).min();
            (std::mem::take(&mut self.0.remembered().unkept), state.next)
        };
        change.publishers.push(PublisherChange {
            name: NOTES.to_owned(),
            cursor: Some(up_to),
            ..PublisherChange::default()
        });
        let (tell, told) = oneshot::channel();
        let again = change.clone();
        let gone: BTreeSet<u64> = change.remove_letters.iter().copied().collect();
        kept.commit(change, Box::new(move |answer| drop(tell.send(answer))));
        match told.await.unwrap_or(Err(MetaError::Closed)) {
            Ok(()) => {
                self.0.remembered().retried.retain(|number| !gone.contains(number));
                self.0.notes_kept();
            }
            Err(error) => {
                tracing::warn!("the notes of the queue could not be kept, and are tried again: {error}");
                let mut state = self.0.lock();
                state.notes_from = state.notes_under_way.take().or(state.notes_from);
                self.0.remembered().put_back(again);
            }
        }
    }
}

impl Shared {
    fn notes_kept(&self) {
        self.lock().notes_under_way = None;
        self.trim();
    }
}

impl Remembered {
    /// Takes what came with records that end at `next`, to be kept in the database.
    pub(super) fn note(&mut self, note: Note, next: u64) {
        if let Some(request) = &note.request {
            let (digest, answer, time) = (request.key, request.answer.clone(), request.time);
            let answer = [&request.body[..], &answer].concat();
            self.unkept.requests.push(meta::Request { digest, time, next_offset: next, answer });
        }
        if let Some(place) = &note.place {
            let kept = meta::Place { bytes: place.bytes, line: place.line, extra: Vec::new() };
            self.unkept.places.push((place.input.clone(), (!place.ended).then_some(kept)));
        }
        self.unkept.remove_letters.extend(&note.retried);
        self.retried.extend(&note.retried);
        self.take(note);
    }

    /// Takes a note that is kept nowhere else, or is kept already.
    pub(super) fn take(&mut self, note: Note) {
        if let Some(request) = note.request {
            self.bytes += request.answer.len();
            self.by_age.push_back(request.key);
            if let Some(before) = self.requests.insert(request.key, request) {
                self.bytes -= before.answer.len();
            }
        }
        if let Some(place) = note.place {
            self.places.insert(place.input.clone(), place);
        }
        self.forget_old();
    }

    /// Dead letters that are such no more, as far as the log has it, though the database may still have them.
    pub(super) fn retried(&self) -> Vec<u64> {
        self.retried.iter().copied().collect()
    }

    fn recall(&mut self, key: &Digest) -> Option<Request> {
        self.forget_old();
        self.requests.get(key).cloned()
    }

    fn forget_old(&mut self) {
        let oldest = clock::now() - MAX_AGE.as_secs_f64();
        while let Some(key) = self.by_age.front() {
            let is_old = self.requests.get(key).is_none_or(|request| request.time < oldest);
            if !is_old && self.requests.len() <= MAX_REQUESTS && self.bytes <= MAX_BYTES {
                return;
            }
            if let Some(gone) = self.by_age.pop_front().and_then(|key| self.requests.remove(&key)) {
                self.bytes -= gone.answer.len();
            }
        }
    }

    /// What was noted meanwhile comes after it.
    fn put_back(&mut self, mut before: Change) {
        before.publishers.clear();
        let newer = std::mem::replace(&mut self.unkept, before);
        self.unkept.requests.extend(newer.requests);
        self.unkept.places.extend(newer.places);
        self.unkept.remove_letters.extend(newer.remove_letters);
    }
}

impl From<meta::Request> for Note {
    fn from(kept: meta::Request) -> Self {
        let mut body = Digest::default();
        let (digest, answer) = kept.answer.split_at(kept.answer.len().min(body.len()));
        body[..digest.len()].copy_from_slice(digest);
        let request = Request { key: kept.digest, body, time: kept.time, answer: answer.to_vec() };
        Self { request: Some(request), ..Self::default() }
    }
}
