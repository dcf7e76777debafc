//! What a delivery did that is to last: how far it is, what its plugin kept, and what was not taken.
//!
//! Letters wait here for the commit that moves the cursor over their records: neither is there without the other, and a
//! record that is handed over again after a crash has no letter yet. They wait till that has gone well, whoever left
//! meanwhile. In memory nothing waits, for nothing lasts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metricast_records::Batch;
use metricast_store::meta::{Kind, Letter, MetaError, Origin};

use crate::plugin::{LateRejection, Saved};
use crate::queue::backing::{Effects, Handed};
use crate::queue::commit::Committer;
use crate::queue::letters::Sender;

/// Letters that wait for a commit; when there are more, no more records are handed over.
const MANY: usize = 10_000;

pub(super) struct Ledger {
    committer: Committer,
    sender: Sender,
    letters: Mutex<Waiting>,
}

/// Letters in the order in which they came.
#[derive(Default)]
struct Waiting {
    by_number: BTreeMap<u64, Letter>,
    next: u64,
}

impl Waiting {
    fn push(&mut self, letter: Letter) {
        self.by_number.insert(self.next, letter);
        self.next += 1;
    }

    /// Those that effects are to be kept with.
    fn of(&self, effects: &Effects) -> impl Iterator<Item = (&u64, &Letter)> {
        self.by_number.iter().filter(|(_, letter)| match letter.origin {
            Origin::Record { offset, .. } => offset < effects.cursor || effects.skipped.contains(&offset),
            Origin::Line { .. } => true,
        })
    }
}

impl Ledger {
    pub(super) fn new(committer: Committer, publisher: &str, plugin: &str) -> Self {
        let sender = Sender { publisher: publisher.to_owned(), plugin: plugin.to_owned() };
        Self { committer, sender, letters: Mutex::default() }
    }

    pub(super) fn is_durable(&self) -> bool {
        self.committer.is_durable()
    }

    /// Whether so much waits for a commit that nothing is to be added.
    pub(super) fn is_full(&self) -> bool {
        self.letters().by_number.len() >= MANY
    }

    /// Whether letters wait whose records lie below a cursor.
    pub(super) fn waits_below(&self, cursor: u64) -> bool {
        self.letters().of(&Effects { cursor, ..Effects::default() }).next().is_some()
    }

    /// A record is not taken, after so many tries.
    pub(super) fn file(&self, batch: &Batch, index: usize, kind: Kind, reason: &str, attempts: u32) {
        if self.is_durable() {
            let letter = self.sender.letter(batch.epoch(), &batch.record(index), kind, reason, attempts);
            self.letters().push(letter);
        }
    }

    /// A record that was taken before is not taken after all.
    pub(super) fn file_late(&self, late: &LateRejection, reason: &str) {
        if self.is_durable() {
            self.letters().push(self.sender.gone(&late.epoch, late.offset, reason));
        }
    }

    /// Makes a cursor last, with a state that belongs to it and the letters of the records below it.
    pub(super) async fn commit(&self, cursor: u64, state: Option<Saved>) -> Result<(), MetaError> {
        self.commit_all(Effects { cursor, state, ..Effects::default() }).await
    }

    /// What is handed over from now on may be so without a cursor that tells of it.
    pub(super) async fn begin(&self, handed: Handed) -> Result<(), MetaError> {
        self.committer.begin(&self.sender.plugin, handed).await
    }

    /// The cursor tells of all that was handed over.
    pub(super) async fn end(&self) -> Result<(), MetaError> {
        self.committer.end().await
    }

    /// These records are never to be handed over again.
    pub(super) async fn skip(&self, skipped: Vec<u64>) -> Result<(), MetaError> {
        self.commit_all(Effects { skipped, ..Effects::default() }).await
    }

    /// Makes effects last, with the letters of the records that they are of.
    pub(super) async fn commit_all(&self, effects: Effects) -> Result<(), MetaError> {
        let (numbers, letters): (Vec<u64>, Vec<Letter>) =
            self.letters().of(&effects).map(|(at, it)| (*at, it.clone())).unzip();
        self.committer.commit(Effects { letters, ..effects }).await?;
        let mut waiting = self.letters();
        for number in numbers {
            waiting.by_number.remove(&number);
        }
        Ok(())
    }

    /// Those that wait go with another one's commits.
    pub(super) fn move_letters_to(&self, other: &Self) {
        let waiting = std::mem::take(&mut *self.letters());
        let mut others = other.letters();
        for letter in waiting.by_number.into_values() {
            others.push(letter);
        }
    }

    fn letters(&self) -> MutexGuard<'_, Waiting> {
        // What stands behind it is whole at every point.
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
