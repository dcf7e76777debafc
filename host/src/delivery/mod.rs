//! One publisher's way from the queue to its plugin: its *delivery*.
//!
//! ```text
//! queue::Reader -> Assembler (count, bytes, age) -> Slot (one instance: open, publish, again) -> receipt -> cursor
//! ```
//!
//! A delivery reads on from its own cursor and never waits for another one. What the receipt names is sent again after
//! a pause ([`retry`]); what the backend will never take is counted with its reason ([`Reasons`]). The cursor moves
//! only over records that are answered for; where the plugin keeps state, only over those that are in its last snapshot.
//!
//! An instance that trapped or ran out of time is replaced, a stateful one from its snapshot and the batches since
//! ([`kept`]). A batch that traps again is halved until the record that does it stands alone ([`poison`]): that one is
//! rejected. Time that ran out is never held against a record. After each failure there is a pause.
//!
//! What nothing can be done about halts the delivery ([`trouble`]): it says so, and its records stay in the queue.
//!
//! What a delivery did is made to last by its [`ledger`]: where the queue is durable a cursor is committed a moment after
//! it has moved ([`keeping`]), with the letters of the records that were not taken, and that of a plugin with state together
//! with its snapshot. After a start such a plugin has its records repeated, from its snapshot to the end of the queue,
//! before anybody sees what it shows.

mod assemble;
mod breaker;
mod ending;
mod keeping;
mod kept;
mod ledger;
mod leg;
mod opening;
mod poison;
mod progress;
mod receipt;
mod retry;
pub(crate) mod sandbox;
mod saving;
mod slot;
mod status;
mod swap;
mod trouble;
mod upkeep;
mod watermark;

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use swap::{Change, Swap, TRIAL};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use sandbox::{Opener, Sandbox};
pub use status::{Counts, Phase, Reasons, Status};
pub use trouble::{Halt, RestoreStep};

use crate::config::{Batching, Retry};
use crate::plugin::{PluginRuntime, Profile};
use crate::queue::Reader;

/// How a delivery works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When a batch is handed over.
    pub batching: Batching,
    /// When what was not delivered is tried again.
    pub retry: Retry,
    /// How many instances of a plugin that allows several may work side by side.
    pub max_instances: u32,
    /// Bytes of batches that a stateful plugin may have taken since its last snapshot: the queue holds them till then.
    pub max_unsaved: usize,
    /// A saved state that the plugin cannot be opened with is given up, and it begins with none.
    pub reset_state: bool,
}

/// How the first try to open a publisher went.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// It is still under way.
    NotYet,
    /// It is open.
    Yes(Profile),
    /// It is not, and is tried again: the backend is away or refuses the credentials.
    Later(String),
    /// It will never be: the plugin refuses its config, or breaks.
    Never(Halt),
}

/// Why a delivery goes on as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The plugin is not to be opened so.
    #[error("{0}")]
    Refused(String),
    /// A state cannot become none, nor none a state.
    #[error(
        "its plugin {}: a publisher keeps its place under its name, give this one another",
        if *.stateful { "keeps state, and the one before did not" } else { "keeps no state, and the one before did" }
    )]
    OtherKind {
        /// The new one keeps state.
        stateful: bool,
    },
    /// Its state could not be committed.
    #[error("its state could not be kept: {0}")]
    Unkept(String),
    /// What was under way did not come to a stop, or the plugin did not open, in time.
    #[error("it was not ready within {}", humantime::format_duration(TRIAL))]
    Late,
    /// It is ending, or has ended.
    #[error("it has ended")]
    Ended,
}

/// A swap that can be done.
#[derive(Debug)]
pub struct Ready {
    go: oneshot::Sender<()>,
    done: oneshot::Receiver<Result<(), SwapError>>,
}

impl Ready {
    /// Does it.
    ///
    /// # Errors
    /// [`SwapError::Unkept`] where nothing has changed after all.
    pub async fn go(self) -> Result<(), SwapError> {
        self.go.send(()).map_err(|()| SwapError::Ended)?;
        self.done.await.unwrap_or(Err(SwapError::Ended))
    }
}

/// A running delivery. It ends when its queue is closed and read to the end, or when it is told to stop or dropped. One
/// that halted holds its place in the queue till then.
#[derive(Debug)]
pub struct Delivery<O: Opener> {
    began_at: u64,
    status: Arc<Status>,
    opened: watch::Receiver<Opened>,
    current: watch::Receiver<Option<O::Sandbox>>,
    stop: watch::Sender<bool>,
    over: watch::Receiver<bool>,
    lost: Arc<Notify>,
    flush: Arc<Notify>,
    changes: mpsc::Sender<Change<O>>,
    task: JoinHandle<()>,
}

impl<O: Opener> Delivery<O> {
    /// Starts delivering what `reader` reads.
    pub fn start(name: &str, opener: O, reader: Reader, settings: Settings, runtime: &PluginRuntime) -> Self {
        Self::start_on(name, opener, reader, settings, |leg| runtime.spawn(leg))
    }

    pub(crate) fn start_on(
        name: &str,
        opener: O,
        reader: Reader,
        settings: Settings,
        spawn: impl FnOnce(BoxFuture<'static, ()>) -> JoinHandle<()>,
    ) -> Self {
        let status = Arc::new(Status::new(name));
        let began_at = reader.backlog().start;
        let (tell_outcome, outcome) = watch::channel(Opened::NotYet);
        let (tell_current, current) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let (tell_over, over) = watch::channel(false);
        let lost = Arc::new(Notify::new());
        let flush = Arc::new(Notify::new());
        let channels = leg::Channels {
            opened: tell_outcome,
            current: tell_current,
            stopped,
            over: tell_over,
            lost: Arc::clone(&lost),
            flush: Arc::clone(&flush),
        };
        let (changes, to_change) = mpsc::channel(1);
        let leg = leg::Leg::new(opener, reader, settings, Arc::clone(&status), channels, to_change);
        let task = spawn(leg.run().boxed());
        Self { began_at, status, opened: outcome, current, stop, over, lost, flush, changes, task }
    }

    /// The offset below which every record was answered for when it started.
    pub fn began_at(&self) -> u64 {
        self.began_at
    }

    /// What it has done so far and how it stands.
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Whether an instance was ever open.
    pub fn is_open(&self) -> bool {
        matches!(*self.opened.borrow(), Opened::Yes(_))
    }

    /// Waits until the first try to open the publisher has an outcome.
    pub async fn opened(&self) -> Opened {
        let mut opened = self.opened.clone();
        let outcome = opened.wait_for(|opened| *opened != Opened::NotYet).await;
        outcome.map_or(Opened::NotYet, |outcome| outcome.clone())
    }

    /// Waits until it is open, however many tries that takes; none where it never comes to that.
    pub fn profile(&self) -> impl Future<Output = Option<Profile>> + Send + use<O> {
        let mut opened = self.opened.clone();
        async move {
            let outcome = opened.wait_for(|opened| matches!(opened, Opened::Yes(_) | Opened::Never(_))).await;
            outcome.ok().and_then(|outcome| if let Opened::Yes(profile) = *outcome { Some(profile) } else { None })
        }
    }

    /// The instance that answers scrapes: changes when it is replaced, and is none while there is none.
    pub fn current(&self) -> watch::Receiver<Option<O::Sandbox>> {
        self.current.clone()
    }

    /// To be notified by whoever finds the instance of [`current`](Self::current) dead: it is replaced.
    pub fn lost(&self) -> Arc<Notify> {
        Arc::clone(&self.lost)
    }

    /// Lets a plugin that sends at an interval send what it holds now.
    pub fn flush_now(&self) {
        self.flush.notify_one();
    }

    /// Opens another plugin, or the same with other settings, in the place of the one it has, and with its state. What it
    /// gives is to be [carried out](Ready::go), or dropped: then nothing changes. Meanwhile nothing is delivered.
    ///
    /// # Errors
    /// [`SwapError`]; nothing has changed.
    pub async fn swap(&self, opener: O, settings: Settings) -> Result<Ready, SwapError> {
        let (ready, is_ready) = oneshot::channel();
        let (go, goes) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let swap = Box::new(Swap { opener, settings, ready, go: goes, done });
        let tried = async {
            self.changes.send(Change::Swap(swap)).await.map_err(|_gone| SwapError::Ended)?;
            is_ready.await.unwrap_or(Err(SwapError::Ended))
        };
        timeout(TRIAL, tried).await.unwrap_or(Err(SwapError::Late))?;
        Ok(Ready { go, done: is_done })
    }

    /// Tells it to end: what it has answered for is kept, its instances are closed, and the rest stays in the queue.
    pub async fn retire(&self) {
        // One that has ended needs no telling.
        let _ = self.changes.send(Change::Retire).await;
    }

    /// Tells it to end without delivering the rest.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when it has ended or halted.
    pub fn over(&self) -> watch::Receiver<bool> {
        self.over.clone()
    }

    /// Whether it has ended or halted.
    pub fn has_ended(&self) -> bool {
        *self.over.borrow() || self.task.is_finished()
    }

    /// Waits until it has ended or halted.
    pub async fn ended(&mut self) {
        // Its task may have been ended from outside, with its threads.
        let _ = self.over.wait_for(|over| *over).await;
    }
}
