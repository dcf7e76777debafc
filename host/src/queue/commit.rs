//! Cursors and what belongs to them: what a publisher did is made to last at one stroke.

use std::sync::Arc;

use metricast_store::meta::{Change, Letter, MetaError, Plugin, PublisherChange, State as KeptState, StateChange};
use tokio::sync::oneshot;

use super::backing::{Effects, Handed, Kept};
use super::{Queue, Shared};
use crate::clock;

/// Commits for one publisher. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Committer {
    shared: Arc<Shared>,
    place: usize,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, place: usize) -> Self {
        Self { shared, place }
    }

    /// Whether anything lasts.
    pub(crate) fn is_durable(&self) -> bool {
        self.shared.kept.is_some()
    }

    /// Makes effects last, all of them or none. In memory only the cursor moves.
    ///
    /// # Errors
    /// What the database says; nothing has changed then.
    pub(crate) async fn commit(&self, effects: Effects) -> Result<(), MetaError> {
        let Some(kept) = self.shared.kept.clone() else {
            self.synced(effects.cursor);
            return Ok(());
        };
        // A cursor beyond what was dropped is not to be kept without the count.
        let dropped = self.claim_drops().await;
        let Some((name, cursor)) = self.name_and(effects.cursor) else { return Ok(()) };
        let change = self.change(&name, cursor, effects, dropped);
        let (tell, told) = oneshot::channel();
        let this = self.clone();
        let done = move |answer: Result<(), MetaError>| {
            // Who waited may have left.
            this.drop_ended(if answer.is_ok() { dropped } else { 0 });
            if answer.is_ok() {
                this.synced(cursor);
            }
            let _ = tell.send(answer);
        };
        kept.commit(change, Box::new(done));
        told.await.unwrap_or(Err(MetaError::Closed))
    }

    fn change(&self, name: &str, cursor: u64, effects: Effects, dropped: u64) -> Change {
        let state = effects.state.map(|saved| {
            let bytes = saved.state.to_vec();
            StateChange::Set(KeptState { version: saved.version, next_offset: saved.next_offset, bytes })
        });
        let extra = effects.handed.map(Handed::to_bytes);
        let publisher =
            PublisherChange { cursor: Some(cursor), skip: effects.skipped, state, dropped, extra, ..change_of(name) };
        let mut change = Change { publishers: vec![publisher], letters: effects.letters, ..Change::default() };
        if !change.letters.is_empty() {
            // A record that is rejected once more must not find its first letter, which goes in a moment.
            change.remove_letters = self.shared.remembered().retried();
        }
        change
    }

    /// Drops that are in no commit that went well, when none of another commit is under way.
    async fn claim_drops(&self) -> u64 {
        loop {
            let ended = self.shared.drop_ended.notified();
            match self.shared.lock().places[self.place].as_mut() {
                Some(place) if place.dropping => {}
                Some(place) => {
                    place.dropping = true;
                    return place.drops_unkept;
                }
                None => return 0,
            }
            ended.await;
        }
    }

    /// Its plugin may be handed records from now on.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn begin(&self, plugin: &str, handed: Handed) -> Result<(), MetaError> {
        let plugin = Some(Plugin { name: plugin.to_owned(), ..Plugin::default() });
        let extra = Some(handed.to_bytes());
        self.note(|name| PublisherChange { plugin, extra, ..change_of(name) }).await
    }

    /// Its plugin was handed no records but those that the cursor tells of.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn end(&self) -> Result<(), MetaError> {
        self.note(|name| PublisherChange { extra: Some(Handed::Nothing.to_bytes()), ..change_of(name) }).await
    }

    async fn note(&self, change: impl FnOnce(&str) -> PublisherChange) -> Result<(), MetaError> {
        let Some(kept) = self.shared.kept.clone() else { return Ok(()) };
        let Some((name, _)) = self.name_and(0) else { return Ok(()) };
        change_and_wait(&kept, Change { publishers: vec![change(&name)], ..Change::default() }).await
    }

    /// Its oldest records were dropped: its cursor is at `up_to`.
    pub(super) fn dropped(&self, up_to: u64, count: u64) {
        let Some((name, cursor)) = self.name_and(up_to) else { return };
        let Some(kept) = &self.shared.kept else {
            self.drop_ended(count);
            return self.synced(cursor);
        };
        let publisher = PublisherChange { cursor: Some(cursor), dropped: count, ..change_of(&name) };
        let this = self.clone();
        let done = move |answer: Result<(), MetaError>| {
            this.drop_ended(if answer.is_ok() { count } else { 0 });
            let failed_before = this.drop_failed(answer.is_err());
            match answer {
                Ok(()) => this.synced(cursor),
                Err(_) if failed_before => {}
                Err(error) => {
                    tracing::error!(publisher = name, "a drop could not be kept, and is tried again: {error}");
                }
            }
        };
        kept.commit(Change { publishers: vec![publisher], ..Change::default() }, Box::new(done));
    }

    /// Says whether the one before failed.
    fn drop_failed(&self, failed: bool) -> bool {
        let mut state = self.shared.lock();
        state.places[self.place].as_mut().is_some_and(|place| std::mem::replace(&mut place.drop_failed, failed))
    }

    fn drop_ended(&self, kept: u64) {
        if let Some(place) = &mut self.shared.lock().places[self.place] {
            place.dropping = false;
            place.drops_unkept -= kept;
        }
        self.shared.drop_ended.notify_waiters();
    }

    /// A cursor never goes back, whoever moved it.
    fn name_and(&self, cursor: u64) -> Option<(String, u64)> {
        let state = self.shared.lock();
        let place = state.places[self.place].as_ref()?;
        Some((place.name.clone(), cursor.max(place.synced).max(place.dropped_to)))
    }

    fn synced(&self, cursor: u64) {
        let mut state = self.shared.lock();
        let before = state.needed_from();
        if let Some(place) = &mut state.places[self.place] {
            place.cursor = place.cursor.max(cursor);
            place.synced = place.synced.max(cursor);
        }
        let moved = state.needed_from() > before;
        drop(state);
        if moved || self.shared.kept.is_none() {
            self.shared.trim();
        }
    }
}

impl Queue {
    /// Files dead letters that no cursor belongs to. In memory nothing is filed.
    ///
    /// # Errors
    /// What the database says; nothing is filed then.
    pub(crate) async fn file(&self, letters: Vec<Letter>) -> Result<(), MetaError> {
        match &self.0.kept {
            Some(kept) if !letters.is_empty() => change_and_wait(kept, Change { letters, ..Change::default() }).await,
            _ => Ok(()),
        }
    }
}

pub(super) async fn change_and_wait(kept: &Kept, change: Change) -> Result<(), MetaError> {
    let (tell, told) = oneshot::channel();
    // Who waited may have left.
    kept.commit(change, Box::new(move |answer| drop(tell.send(answer))));
    told.await.unwrap_or(Err(MetaError::Closed))
}

/// A change of a publisher that is in the config now.
pub(super) fn change_of(name: &str) -> PublisherChange {
    PublisherChange { name: name.to_owned(), seen: Some(clock::now() as u64), ..PublisherChange::default() }
}
