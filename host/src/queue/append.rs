//! The sources' side: waiting for room, and for the disk where there is one.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use metricast_records::Batch;
use metricast_store::log::{self, Draft, Epoch, Place};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::backing::Kept;
use super::commit::Committer;
use super::note::Note;
use super::state::State;
use super::{AppendError, Entry, Queue, Shared};

/// A disk does not tell when it has room: whoever waits for that looks this often.
const LOOK: Duration = Duration::from_millis(50);

impl Queue {
    /// Appends a batch fresh from a builder, waiting for room as long as it takes.
    ///
    /// # Errors
    /// [`AppendError`] but [`Full`](AppendError::Full)
    pub async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        self.append_unless(batch, Note::default(), pending()).await
    }

    /// As [`append`](Self::append), waiting no longer than `patience`.
    ///
    /// # Errors
    /// [`AppendError`]; the batch is not in the queue then.
    pub async fn append_within(&self, batch: Batch, patience: Duration) -> Result<(), AppendError> {
        self.append_unless(batch, Note::default(), sleep(patience)).await
    }

    /// As [`append`](Self::append), with a note that is kept with the batch.
    ///
    /// # Errors
    /// [`AppendError`] but [`Full`](AppendError::Full)
    pub(crate) async fn append_with(&self, batch: Batch, note: Note) -> Result<(), AppendError> {
        self.append_unless(batch, note, pending()).await
    }

    /// As [`append_within`](Self::append_within), with a note that is kept with the batch.
    ///
    /// # Errors
    /// [`AppendError`]
    pub(crate) async fn append_noted(&self, batch: Batch, note: Note, patience: Duration) -> Result<(), AppendError> {
        self.append_unless(batch, note, sleep(patience)).await
    }

    async fn append_unless(
        &self,
        batch: Batch,
        note: Note,
        given_up: impl Future<Output = ()>,
    ) -> Result<(), AppendError> {
        if batch.is_empty() && note == Note::default() {
            return if self.0.lock().closed { Err(AppendError::Closed) } else { Ok(()) };
        }
        let mut given_up = pin!(given_up);
        loop {
            let released = self.0.released.notified();
            if self.0.reserve(&batch)? {
                break;
            }
            // Nothing can come that would fill up a batch which is held back.
            self.hurry();
            self.0.make_room();
            tokio::select! {
                () = released => {}
                () = sleep(LOOK), if self.is_durable() => {}
                () = &mut given_up => return Err(AppendError::Full),
            }
        }
        if let Some(kept) = self.0.kept.clone() {
            return self.0.write(&kept, batch, note).await;
        }
        self.0.place(batch, note);
        Ok(())
    }

    /// Whether a batch would not have to wait now; a closed one lets nobody wait.
    pub fn has_room_for(&self, batch: &Batch) -> bool {
        let state = self.0.lock();
        state.closed || self.0.has_room(&state, batch.byte_len())
    }
}

impl Shared {
    /// Keeps room for a batch; says whether there is any.
    fn reserve(&self, batch: &Batch) -> Result<bool, AppendError> {
        let mut state = self.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        let room = self.has_room(&state, batch.byte_len());
        if room {
            state.under_way += batch.byte_len();
        }
        Ok(room)
    }

    fn has_room(&self, state: &State, bytes: usize) -> bool {
        let held = match &self.kept {
            // What all have answered for goes as soon as there is need.
            Some(_) if state.needed_from() >= state.next => 0,
            Some(kept) => kept.bytes() as usize,
            None => state.window_bytes,
        };
        let held = held + state.under_way;
        held == 0 || held.saturating_add(bytes) <= self.max_bytes
    }

    /// Lets those who may drop do so, and asks for the room that nobody needs.
    fn make_room(self: &Arc<Self>) {
        let parts = self.kept.as_ref().map(|kept| kept.boundaries());
        let dropped = {
            let mut state = self.lock();
            let parts = parts.unwrap_or_else(|| state.parts());
            state.drop_oldest(&parts)
        };
        for dropped in dropped {
            let (publisher, count) = (&dropped.publisher, dropped.count);
            if count > 0 {
                tracing::warn!(
                    publisher,
                    count,
                    "the queue is full: its oldest records are dropped, as when_behind says"
                );
            }
            Committer::new(Arc::clone(self), dropped.place).dropped(dropped.up_to, dropped.unkept);
        }
        match &self.kept {
            Some(kept) => {
                let below = self.lock().needed_from();
                kept.trim(below, true);
            }
            None => self.trim(),
        }
    }

    /// Of a queue in memory.
    fn place(&self, batch: Batch, note: Note) {
        let mut state = self.lock();
        state.under_way -= batch.byte_len();
        let first = state.next;
        let next = first + batch.len() as u64;
        let batch = Arc::new(batch.placed(&state.epoch, first));
        state.push(Entry { batch, first, next, again: false }, note.addressed.as_deref().map(Arc::from), None);
        state.drop_answered();
        drop(state);
        if note.is_lasting() {
            self.remembered().take(note);
        }
        self.appended.notify_waiters();
    }

    async fn write(self: &Arc<Self>, kept: &Kept, batch: Batch, note: Note) -> Result<(), AppendError> {
        let bytes = batch.byte_len();
        let draft = Draft::new(batch.len() as u32, &note.to_bytes(), |body| batch.write_bytes(0, body));
        let draft = match draft {
            Ok(draft) => draft,
            Err(error) => {
                self.lock().under_way -= bytes;
                return Err(AppendError::Unkept(error.to_string()));
            }
        };
        let (tell, told) = oneshot::channel();
        let shared = Arc::clone(self);
        let done = move |placed: Result<Place, log::AppendError>| {
            let answer = placed.map_err(AppendError::from).map(|place| shared.placed(batch, note, place));
            if answer.is_err() {
                shared.lock().under_way -= bytes;
            }
            // Who waited may have left.
            let _ = tell.send(answer);
        };
        kept.append(draft, Box::new(done));
        told.await.unwrap_or_else(|_gone| Err(AppendError::Broken("its writer has ended".to_owned())))
    }

    /// The log has it: now it may be read.
    fn placed(&self, batch: Batch, note: Note, Place { first, next }: Place) {
        let mut state = self.lock();
        state.under_way -= batch.byte_len();
        let addressed = note.addressed.as_deref().map(Arc::from);
        if note.is_lasting() {
            state.notes_from.get_or_insert(first);
        }
        let entry = |batch, again| Entry { batch: Arc::new(batch), first, next, again };
        let before = note.again.map(|it| entry(batch.clone().placed(&Epoch(it.epoch).to_string(), it.base), true));
        let batch = batch.placed(&state.epoch, first);
        state.push(entry(batch, false), addressed, before);
        state.narrow_window();
        // In the order of the places, which another lock would not keep.
        self.remembered().note(note, next);
        drop(state);
        self.appended.notify_waiters();
    }
}

impl From<log::AppendError> for AppendError {
    fn from(error: log::AppendError) -> Self {
        match error {
            log::AppendError::DiskFull(_) | log::AppendError::Unavailable(_) => Self::Unkept(error.to_string()),
            log::AppendError::Failed(_) => Self::Broken(error.to_string()),
            log::AppendError::Closed => Self::Closed,
        }
    }
}
