//! One place for an instance: opens it, replaces it when it breaks, brings a stateful one to where the last one was.
//!
//! What is done with a batch is in `receipt`, what is done between batches and at the end in `upkeep`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::breaker::{Breaker, Pass};
use super::kept::Kept;
use super::ledger::Ledger;
use super::retry::Backoff;
use super::sandbox::{Opener, Sandbox};
use super::status::Status;
use super::trouble::{Halt, Remedy, remedy};
use crate::config::Retry;
use crate::plugin::{CallError, Fault, Profile, PublishError, Saved};

pub(super) struct Slot<O: Opener> {
    opener: Arc<O>,
    sandbox: Option<O::Sandbox>,
    pub(super) kept: Kept,
    /// The pauses of this place: for an instance that breaks, and for what a busy backend puts off.
    pub(super) backoff: Backoff,
    pub(super) breaker: Arc<Breaker>,
    /// Leave to ask the backend, till it is known how that went.
    pub(super) pass: Option<Pass>,
    /// The plugin keeps state, as far as an instance has told.
    stateful: bool,
    /// A state of before that the plugin refuses may be given up.
    may_reset: bool,
    pub(super) give_up_after: Option<Duration>,
    /// Records below this are never given up: they may have been seen in a state.
    pub(super) shown_to: u64,
    pub(super) status: Arc<Status>,
    pub(super) ledger: Arc<Ledger>,
    /// Tells who scrapes which instance to ask; of the first slot only.
    current: Option<watch::Sender<Option<O::Sandbox>>>,
    /// Goes up whenever a flush is due.
    pub(super) flushes: watch::Receiver<u64>,
    /// True when what it does is to come to a stop.
    interrupted: watch::Receiver<bool>,
    /// When an instance that was lost is opened again, if no batch needs it before.
    revive_at: Option<Instant>,
    /// What it was handed so far: the epoch, and the offset behind the last record.
    pub(super) handed: (String, u64),
    /// Records that the plugin says it still holds.
    pub(super) pending: u64,
    /// What keeps the plugin from sending what is due, if anything does.
    pub(super) flush_trouble: Option<String>,
}

impl<O: Opener> Slot<O> {
    pub(super) fn new(
        opener: Arc<O>,
        retry: &Retry,
        breaker: Arc<Breaker>,
        status: Arc<Status>,
        ledger: Arc<Ledger>,
        flushes: watch::Receiver<u64>,
        interrupted: watch::Receiver<bool>,
    ) -> Self {
        Self {
            opener,
            sandbox: None,
            kept: Kept::default(),
            backoff: Backoff::new(retry, fastrand::Rng::new()),
            breaker,
            pass: None,
            stateful: false,
            may_reset: false,
            give_up_after: retry.give_up_after,
            shown_to: 0,
            status,
            ledger,
            current: None,
            flushes,
            interrupted,
            revive_at: None,
            handed: (String::new(), 0),
            pending: 0,
            flush_trouble: None,
        }
    }

    /// Opens with a state of before; with none where the plugin refuses it and it `may_reset`.
    pub(super) fn from(mut self, saved: Option<Saved>, may_reset: bool) -> Self {
        self.may_reset = may_reset && saved.is_some();
        self.stateful = saved.is_some();
        self.kept = Kept::from(saved);
        self
    }

    /// Is to be opened where another one is: with its state, and the records since then.
    pub(super) fn succeed(&mut self, old: &Self, may_reset: bool) {
        self.stateful = old.stateful;
        self.kept = old.kept.of_another();
        self.may_reset = may_reset && self.kept.snapshot().is_some();
        self.handed = old.handed.clone();
        self.shown_to = old.shown_to;
        self.pending = old.pending;
    }

    /// Whoever scrapes it is told of another one.
    pub(super) fn pass_on(&mut self) -> Option<watch::Sender<Option<O::Sandbox>>> {
        self.current.take()
    }

    /// It is the one that is scraped from now on.
    pub(super) fn show(&mut self, current: watch::Sender<Option<O::Sandbox>>) {
        if self.is_open() {
            current.send_replace(self.sandbox.clone());
        }
        self.current = Some(current);
    }

    /// Whether it is the one that is scraped.
    pub(super) fn is_scraped(&self) -> bool {
        self.current.is_some()
    }

    pub(super) fn is_open(&self) -> bool {
        self.sandbox.is_some()
    }

    /// One try to open; with an instance that is there, nothing is done.
    pub(super) async fn try_open(&mut self) -> Result<Result<Profile, CallError>, Halt> {
        if let Some(sandbox) = &self.sandbox {
            return Ok(Ok(sandbox.profile()));
        }
        match self.open().await {
            Ok(sandbox) => self.bring_up(sandbox).await,
            Err(error) => {
                self.kept.restore_failed(None, &error)?;
                Ok(Err(error))
            }
        }
    }

    async fn open(&mut self) -> Result<O::Sandbox, CallError> {
        let opened = self.opener.open(self.kept.snapshot()).await;
        self.may_reset &= opened.is_err();
        let Err(error @ CallError::Publish(PublishError::StateIncompatible(_))) = &opened else { return opened };
        if !std::mem::take(&mut self.may_reset) {
            return opened;
        }
        let publisher = self.status.name();
        tracing::warn!(publisher, "its state is given up, as reset_state says, and it begins with none: {error}");
        self.kept = Kept::default();
        self.opener.open(None).await
    }

    /// Gives a new instance what the last one took since its snapshot.
    async fn bring_up(&mut self, sandbox: O::Sandbox) -> Result<Result<Profile, CallError>, Halt> {
        for batch in self.kept.since() {
            if let Err(error) = sandbox.publish(Arc::clone(&batch)).await {
                if matches!(error, CallError::Fault(_)) {
                    self.status.fault();
                }
                self.kept.restore_failed(Some(&batch), &error)?;
                return Ok(Err(error));
            }
        }
        self.kept.restored();
        let profile = sandbox.profile();
        self.stateful = profile.stateful;
        self.revive_at = None;
        self.put(Some(sandbox));
        Ok(Ok(profile))
    }

    /// How long an error asks to wait, and tells that.
    pub(super) fn pause(&mut self, error: &CallError) -> Duration {
        match remedy(error) {
            Remedy::Person => {
                self.status.needs_a_person(&error.to_string());
                self.leave_alone(Backoff::long_pause)
            }
            Remedy::Wait { wish } => {
                self.status.waiting(&error.to_string());
                self.leave_alone(|backoff| backoff.pause(wish))
            }
            Remedy::Doubt => {
                self.status.waiting(&error.to_string());
                self.leave_alone(|backoff| backoff.pause(None))
            }
            Remedy::Lost | Remedy::Reject { .. } | Remedy::Suspect { .. } => {
                self.status.waiting(&error.to_string());
                let pause = self.backoff.pause(None);
                self.status.set_next_try(Some(pause));
                pause
            }
        }
    }

    /// Waits for leave to ask the backend; there is none where it is interrupted.
    pub(super) async fn may_ask(&mut self) -> bool {
        self.pass = None;
        let breaker = Arc::clone(&self.breaker);
        tokio::select! {
            biased;
            () = self.interruption() => {}
            pass = breaker.admit() => self.pass = Some(pass),
        }
        self.pass.is_some()
    }

    /// Waits, and no longer than until it is interrupted.
    pub(super) async fn rest(&mut self, pause: Duration) {
        tokio::select! {
            () = self.interruption() => {}
            () = sleep(pause) => {}
        }
    }

    fn interruption(&self) -> impl Future<Output = ()> + Send + use<O> {
        let mut interrupted = self.interrupted.clone();
        async move {
            if interrupted.wait_for(|interrupted| *interrupted).await.is_err() {
                // Nobody is there to interrupt it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The backend answers.
    pub(super) fn went_well(&mut self) {
        self.backoff.reset();
        self.status.set_next_try(None);
        if let Some(pass) = self.pass.take() {
            pass.went_well();
        }
    }

    /// Nobody asks the backend for a while; says how long.
    pub(super) fn leave_alone(&mut self, pause: impl FnOnce(&mut Backoff) -> Duration) -> Duration {
        let pause = match self.pass.take() {
            Some(pass) => pass.trip(pause),
            None => pause(&mut self.backoff),
        };
        self.status.set_next_try(Some(pause));
        pause
    }

    pub(super) async fn pause_after(&mut self, error: &CallError) {
        let pause = self.pause(error);
        self.pass = None;
        self.rest(pause).await;
    }

    /// When it wants to be opened again.
    pub(super) fn revive_at(&self) -> Option<Instant> {
        self.revive_at
    }

    /// Finds out whether its instance was lost to somebody else's call, such as a scrape, and makes one try to open
    /// another where there is none.
    pub(super) async fn revive(&mut self) -> Result<(), Halt> {
        if self.is_open() && self.is_found_dead().await && self.revive_at > Some(Instant::now()) {
            return Ok(());
        }
        match self.try_open().await? {
            Ok(_profile) => self.status.running(),
            Err(error) => self.open_later(&error),
        }
        Ok(())
    }

    /// Not before a pause.
    pub(super) fn open_later(&mut self, error: &CallError) {
        self.revive_at = Some(Instant::now() + self.pause(error));
    }

    /// Any call tells.
    async fn is_found_dead(&mut self) -> bool {
        let dead = matches!(self.snapshot().await, Err(CallError::Fault(_)));
        if dead {
            self.backoff.failed();
        }
        dead
    }

    /// Drops an instance that broke. It is opened again with the next batch, or by itself: the first time at once, and
    /// later after a pause.
    pub(super) fn replace(&mut self, error: &CallError) {
        tracing::warn!(publisher = self.status.name(), "the plugin's instance is replaced: {error}");
        self.status.fault();
        self.status.waiting(&error.to_string());
        self.revive_at = Some(Instant::now() + self.backoff.rest());
        if !self.is_stateful() {
            // What it held is lost: in the counts it stays at the plugin, and never arrives.
            self.pending = 0;
        }
        self.put(None);
    }

    fn put(&mut self, sandbox: Option<O::Sandbox>) {
        if let Some(current) = &self.current {
            current.send_replace(sandbox.clone());
        }
        self.sandbox = sandbox;
    }

    /// Nobody scrapes it from now on.
    pub(super) fn hide(&mut self) {
        if let Some(current) = self.current.take() {
            current.send_replace(None);
        }
    }

    pub(super) fn is_stateful(&self) -> bool {
        self.stateful
    }

    /// Calls its instance; one that a fault ended is dropped.
    pub(super) async fn call<T, F>(&mut self, call: impl FnOnce(O::Sandbox) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let sandbox = self.sandbox.clone().ok_or(Fault::Gone)?;
        let answer = call(sandbox).await;
        if let Err(error @ CallError::Fault(_)) = &answer {
            self.replace(error);
        }
        answer
    }

    pub(super) async fn snapshot(&mut self) -> Result<Option<Saved>, CallError> {
        self.call(|sandbox| async move { sandbox.snapshot().await }).await
    }
}
