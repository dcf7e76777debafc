//! One open publisher in a sandbox of its own. One task owns the sandbox; others send it messages on a bounded channel
//! and wait for the answer.

use std::ops::ControlFlow;
use std::sync::Arc;

use metricast_records::{Batch, EventMetrics, NetworkMetrics};
use tokio::sync::{mpsc, oneshot};

use super::fault::{CallError, Fault};
use super::publisher::OpenPublisher;
use super::runtime::PluginRuntime;
use super::types::{Exposition, Flushed, Profile, Receipt, Saved};
use crate::egress::{Egress, ExtraRoots, Secrets};
use crate::grants::Grants;
use crate::limits::Limits;

/// Calls that wait in line for one instance before their senders do.
const WAITING: usize = 8;

/// What one publisher's instances are opened with. Cheap to clone, and clones share one HTTP client with its
/// connections: keep one for each publisher and open every instance and every replacement from it.
#[derive(Clone)]
pub struct OpenOptions {
    pub(super) publisher: Arc<str>,
    pub(super) config: Arc<str>,
    pub(super) state: Option<Saved>,
    pub(super) egress: Egress,
    pub(super) limits: Limits,
}

impl OpenOptions {
    /// `publisher` is the name that the user gave it, `config` JSON text with placeholders for its secrets.
    pub fn new(publisher: &str, config: &str, grants: Grants, secrets: Secrets, limits: Limits) -> Self {
        Self::trusting(publisher, config, grants, secrets, limits, ExtraRoots::default())
    }

    /// As [`new`](Self::new), with certificate authorities beside those of this system.
    pub fn trusting(
        publisher: &str,
        config: &str,
        grants: Grants,
        secrets: Secrets,
        limits: Limits,
        trust: ExtraRoots,
    ) -> Self {
        let egress = Egress::trusting(grants, secrets, &limits, trust);
        Self { publisher: publisher.into(), config: config.into(), state: None, egress, limits }
    }

    /// For who only wants to know what a publisher is like: it reaches nothing, and nobody is told that it tried.
    pub fn without_network(publisher: &str, config: &str, limits: Limits) -> Self {
        let egress = Egress::silent(&limits);
        Self { publisher: publisher.into(), config: config.into(), state: None, egress, limits }
    }

    pub(crate) fn egress(&self) -> &Egress {
        &self.egress
    }

    /// The settings as the plugin sees them: JSON text with placeholders for secrets.
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Opens from this state.
    #[must_use]
    pub fn with_state(mut self, state: Option<Saved>) -> Self {
        self.state = state;
        self
    }
}

/// A handle on an open publisher; cheap to clone. The instance ends when the last one goes, without `close`.
///
/// One call at a time is under way and others wait for it. A call whose future is dropped goes on to its end all the
/// same, and its answer is lost. After a [`Fault`] the instance is dead: every further call is [`Fault::Gone`].
#[derive(Clone)]
pub struct Instance {
    calls: mpsc::Sender<Call>,
    profile: Profile,
    /// The task lives on its threads.
    _runtime: PluginRuntime,
}

type Reply<T> = oneshot::Sender<Result<T, CallError>>;

enum Call {
    Publish(Arc<Batch>, Reply<Receipt>),
    PublishEvent(Box<EventMetrics>, Reply<Receipt>),
    PublishNetwork(Box<NetworkMetrics>, Reply<Receipt>),
    Flush(Reply<Flushed>),
    Close(Reply<Flushed>),
    Snapshot(Reply<Option<Saved>>),
    Scrape(String, Reply<Option<Exposition>>),
}

impl Instance {
    /// Runs `opening` in a task that then serves the handle that is returned.
    pub(super) async fn start<F>(runtime: &PluginRuntime, opening: F) -> Result<Self, CallError>
    where
        F: Future<Output = Result<OpenPublisher, CallError>> + Send + 'static,
    {
        let (calls, waiting) = mpsc::channel(WAITING);
        let (opened, answer) = oneshot::channel();
        runtime.spawn(run(opening, opened, waiting));
        let profile = answer.await.unwrap_or(Err(Fault::Gone.into()))?;
        Ok(Self { calls, profile, _runtime: runtime.clone() })
    }

    /// What it is like; does not change while it is open.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Publishes a batch.
    ///
    /// # Errors
    /// [`CallError::Publish`] is of the whole batch; [`CallError::Fault`] ends the instance.
    pub async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        self.ask(|reply| Call::Publish(batch, reply)).await
    }

    /// Publishes one event that has no place in a queue.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_event_metrics(&self, metrics: EventMetrics) -> Result<Receipt, CallError> {
        self.ask(|reply| Call::PublishEvent(Box::new(metrics), reply)).await
    }

    /// Publishes one network operation that has no place in a queue.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_network_metrics(&self, metrics: NetworkMetrics) -> Result<Receipt, CallError> {
        self.ask(|reply| Call::PublishNetwork(Box::new(metrics), reply)).await
    }

    /// Sends what is due at an interval.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn flush(&self) -> Result<Flushed, CallError> {
        self.ask(Call::Flush).await
    }

    /// Sends the last of it; only [`snapshot`](Self::snapshot) may follow.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn close(&self) -> Result<Flushed, CallError> {
        self.ask(Call::Close).await
    }

    /// The state to save; `Some` exactly where the profile says that there is state.
    ///
    /// # Errors
    /// [`CallError::Fault`] only.
    pub async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        self.ask(Call::Snapshot).await
    }

    /// The exposition that suits an HTTP Accept header.
    ///
    /// # Errors
    /// [`CallError::Fault`] only.
    pub async fn scrape(&self, accept: &str) -> Result<Option<Exposition>, CallError> {
        let accept = accept.to_owned();
        self.ask(|reply| Call::Scrape(accept, reply)).await
    }

    async fn ask<T>(&self, call: impl FnOnce(Reply<T>) -> Call) -> Result<T, CallError> {
        let (reply, answer) = oneshot::channel();
        self.calls.send(call(reply)).await.map_err(|_| Fault::Gone)?;
        answer.await.unwrap_or(Err(Fault::Gone.into()))
    }
}

async fn run<F>(opening: F, opened: Reply<Profile>, mut waiting: mpsc::Receiver<Call>)
where
    F: Future<Output = Result<OpenPublisher, CallError>> + Send,
{
    let (publisher, answer) = match opening.await {
        Ok(publisher) => {
            let profile = publisher.profile();
            (Some(publisher), Ok(profile))
        }
        Err(error) => (None, Err(error)),
    };
    // Nobody waits any more: then the channel of calls is closed as well, and the loop ends at once.
    let _ = opened.send(answer);
    let Some(mut publisher) = publisher else { return };
    while let Some(call) = waiting.recv().await {
        if serve(&mut publisher, call).await.is_break() {
            break;
        }
    }
}

async fn serve(publisher: &mut OpenPublisher, call: Call) -> ControlFlow<()> {
    match call {
        Call::Publish(batch, reply) => settle(publisher.publish(&batch).await, reply),
        Call::PublishEvent(metrics, reply) => settle(publisher.publish_event(&metrics).await, reply),
        Call::PublishNetwork(metrics, reply) => settle(publisher.publish_network(&metrics).await, reply),
        Call::Flush(reply) => settle(publisher.flush().await, reply),
        Call::Close(reply) => settle(publisher.close().await, reply),
        Call::Snapshot(reply) => settle(publisher.snapshot().await, reply),
        Call::Scrape(accept, reply) => settle(publisher.scrape(&accept).await, reply),
    }
}

fn settle<T>(answer: Result<T, CallError>, reply: Reply<T>) -> ControlFlow<()> {
    let dead = matches!(answer, Err(CallError::Fault(_)));
    // Who asked may be gone; what was done is done.
    let _ = reply.send(answer);
    if dead { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
