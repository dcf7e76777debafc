//! What changes while a delivery goes on: another plugin or other settings in the place of those it has, or its end.
//!
//! ```text
//! what is under way comes to a stop -> snapshot of the old instance -> a new one opened from it
//! -> the others agree -> the snapshot is committed -> scrapes are switched -> the old instance is let go
//! ```
//!
//! Where the new one does not open, nothing has changed. The old instance of a plugin with state is let go without its
//! last word: the new one has all that it had, and two of them never send.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::breaker::Breaker;
use super::ledger::Ledger;
use super::leg::Leg;
use super::retry::Backoff;
use super::sandbox::Opener;
use super::slot::Slot;
use super::trouble::{Halt, Remedy, remedy};
use super::{Settings, SwapError};
use crate::plugin::{CallError, Profile, Saved};

/// What is under way may take so long to come to a stop, and the new one to open.
pub(super) const TRIAL: Duration = Duration::from_mins(2);
/// An instance without state may take so long to send what it holds.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What is to change.
pub(super) enum Change<O> {
    Swap(Box<Swap<O>>),
    /// What is answered for is kept, and the instances are closed; the rest stays in the queue.
    Retire,
}

/// Another plugin, or other settings.
pub(super) struct Swap<O> {
    pub(super) opener: O,
    pub(super) settings: Settings,
    /// Told whether it can be done.
    pub(super) ready: oneshot::Sender<Result<(), SwapError>>,
    /// Whether it is to be done: who asked has tried all others by then, or has left.
    pub(super) go: oneshot::Receiver<()>,
    /// Told when it is done.
    pub(super) done: oneshot::Sender<Result<(), SwapError>>,
}

/// What the new plugin is like, or how its backend is away.
type FirstTry = Result<Profile, CallError>;

impl<O: Opener> Leg<O> {
    /// One change, while nothing is under way.
    pub(super) async fn swap(&mut self, swap: Swap<O>) -> Result<(), Halt> {
        let Swap { opener, settings, ready, go, done } = swap;
        let opener = Arc::new(opener);
        let saved = self.save_old().await?;
        let mut next = self.successor(&opener, &settings);
        let tried = next.try_open().await?;
        let outcome = self.fits(&tried);
        let fits = outcome.is_ok();
        // Who asked may have left, which is a no.
        let _ = ready.send(outcome);
        if fits && go.await.is_ok() {
            let _ = done.send(self.take_over(opener, settings, saved, next, tried).await);
        }
        Ok(())
    }

    /// Where there is none, as in the middle of a batch, the last one and the records since then make the same state.
    async fn save_old(&mut self) -> Result<Option<Saved>, Halt> {
        match self.idle.first_mut().filter(|_| self.profile.stateful && self.left.is_empty()) {
            Some(old) => old.save(self.answered).await,
            None => Ok(None),
        }
    }

    /// A slot with the new plugin, to be opened with what the old one has.
    fn successor(&self, opener: &Arc<O>, settings: &Settings) -> Slot<O> {
        let flushes = self.flushes.subscribe();
        let breaker = Breaker::new(Backoff::new(&settings.retry, fastrand::Rng::new()));
        let ledger = Arc::new(Ledger::new(self.assembler.reader().committer(), self.status.name(), &opener.plugin()));
        let status = Arc::clone(&self.status);
        let interrupted = self.interrupt.subscribe();
        let mut next = Slot::new(Arc::clone(opener), &settings.retry, breaker, status, ledger, flushes, interrupted);
        if self.profile.stateful
            && let Some(old) = self.idle.first()
        {
            next.succeed(old, settings.reset_state);
        }
        next
    }

    /// Whether it is to be done, as far as the first try to open shows: where the backend is away, another one follows.
    fn fits(&self, tried: &FirstTry) -> Result<(), SwapError> {
        match tried {
            Ok(Profile { stateful, .. }) if *stateful != self.profile.stateful => {
                Err(SwapError::OtherKind { stateful: *stateful })
            }
            Err(error) if !is_away(error) => Err(SwapError::Refused(error.to_string())),
            _ => Ok(()),
        }
    }

    async fn take_over(
        &mut self,
        opener: Arc<O>,
        settings: Settings,
        saved: Option<Saved>,
        mut next: Slot<O>,
        tried: FirstTry,
    ) -> Result<(), SwapError> {
        if let Some(saved) = saved {
            let cursor = self.answered;
            let committed = self.ledger.commit(cursor, Some(saved)).await;
            committed.map_err(|error| SwapError::Unkept(error.to_string()))?;
            self.saved();
            self.committed(cursor, Ok(()));
        }
        for old in &mut self.idle {
            if !self.profile.stateful && timeout(LAST_WORDS, old.send_held()).await.is_err() {
                let publisher = self.status.name();
                tracing::warn!(publisher, "the instance that is replaced could not send all that it held");
            }
        }
        if let Some(current) = self.idle.first_mut().and_then(Slot::pass_on) {
            next.show(current);
        }
        self.breaker = Arc::clone(&next.breaker);
        self.ledger.move_letters_to(&next.ledger);
        self.ledger = Arc::clone(&next.ledger);
        self.opener = opener;
        self.saving.set_max_unsaved(settings.max_unsaved);
        self.settings = settings;
        self.is_like(*tried.as_ref().unwrap_or(&self.profile));
        self.slots = 1;
        self.flush_at = self.flush_at.and_then(|at| Some(at.min(self.next_flush()?)));
        self.begin_lastingly().await;
        match tried {
            Ok(_profile) => self.status.running(),
            Err(away) => next.open_later(&away),
        }
        self.idle = vec![next];
        Ok(())
    }
}

/// Whether a plugin cannot be opened now, and nothing speaks against its settings.
fn is_away(error: &CallError) -> bool {
    matches!(remedy(error), Remedy::Wait { .. } | Remedy::Doubt)
}
