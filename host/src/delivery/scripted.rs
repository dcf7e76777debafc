//! A plugin that follows a script, for tests of the delivery alone: each of its calls can answer as it likes, fail, be
//! slow or hang.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};
use tokio::time::{Instant, sleep};

use super::sandbox::{Opener, Sandbox};
use crate::plugin::{CallError, Exposition, Fault, Flushed, Profile, PublishError, Receipt, Rejection, Saved};

/// What one call to publish does.
pub(super) type Act = Box<dyn FnMut(&Batch) -> Result<Receipt, CallError> + Send>;

/// All instances of one scripted publisher, and what they were asked.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    stateful: bool,
    flush_interval: Option<Duration>,
    max_instances: Option<u32>,
    acts: VecDeque<Act>,
    always: Option<Act>,
    opens: Answers<()>,
    flushes: Answers<Flushed>,
    closes: Answers<Flushed>,
    snapshots: Answers<()>,
    scrapes: Answers<()>,
    publish_takes: Duration,
    /// The offsets of each call to publish, with whether it was marked as sent before.
    calls: Vec<(Vec<u64>, bool)>,
    called_at: Vec<Instant>,
    /// What the backend has: the offsets that were accepted.
    stored: Vec<u64>,
    claim: Claim,
    latest: Option<Scripted>,
}

/// How the calls of one kind go: as told, then all the same, else well.
struct Answers<T> {
    next: VecDeque<Result<T, CallError>>,
    always: Option<Result<T, CallError>>,
    takes: Duration,
    calls: usize,
    good: usize,
}

/// What snapshots say.
#[derive(Clone, Copy, Default)]
pub(super) enum Claim {
    #[default]
    Truth,
    Nothing,
    Below(u64),
}

/// One instance.
#[derive(Clone)]
pub(crate) struct Scripted {
    script: Script,
    /// What a stateful instance has applied.
    applied: Arc<Mutex<Vec<u64>>>,
    dead: Arc<Mutex<bool>>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { next: VecDeque::new(), always: None, takes: Duration::ZERO, calls: 0, good: 0 }
    }
}

impl<T: Clone + Default> Answers<T> {
    fn take(&mut self) -> (Duration, Result<T, CallError>) {
        self.calls += 1;
        let next = self.next.pop_front().or_else(|| self.always.clone());
        let answer = next.unwrap_or_else(|| Ok(T::default()));
        self.good += usize::from(answer.is_ok());
        (self.takes, answer)
    }
}

/// Longer than any test lasts.
pub(crate) const FOR_EVER: Duration = Duration::from_hours(1_000_000);

impl Script {
    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        change(&mut self.lock());
        self
    }

    pub(super) fn stateful(self) -> Self {
        self.with(|inner| inner.stateful = true)
    }

    pub(super) fn instances(self, max: u32) -> Self {
        self.with(|inner| inner.max_instances = Some(max))
    }

    pub(super) fn flushed_every(self, interval: Duration) -> Self {
        self.with(|inner| inner.flush_interval = Some(interval))
    }

    /// The next call does this; calls without an act accept all.
    pub(super) fn then(self, act: impl FnMut(&Batch) -> Result<Receipt, CallError> + Send + 'static) -> Self {
        self.with(|inner| inner.acts.push_back(Box::new(act)))
    }

    /// Every call does this.
    pub(super) fn always(self, act: impl FnMut(&Batch) -> Result<Receipt, CallError> + Send + 'static) -> Self {
        self.with(|inner| inner.always = Some(Box::new(act)))
    }

    pub(super) fn publish_takes(self, time: Duration) -> Self {
        self.with(|inner| inner.publish_takes = time)
    }

    pub(super) fn snapshot_says(self, claim: Claim) -> Self {
        self.with(|inner| inner.claim = claim)
    }

    pub(super) fn snapshots_fail(self, error: &CallError, times: usize) -> Self {
        self.with(|inner| inner.snapshots.next.extend(vec![Err(error.clone()); times]))
    }

    pub(super) fn fail_open(self, error: impl Into<CallError>) -> Self {
        self.with(|inner| inner.opens.next.push_back(Err(error.into())))
    }

    pub(super) fn flush(self, answer: Result<Flushed, CallError>) -> Self {
        self.with(|inner| inner.flushes.next.push_back(answer))
    }

    pub(super) fn always_flush(self, answer: Result<Flushed, CallError>) -> Self {
        self.with(|inner| inner.flushes.always = Some(answer))
    }

    pub(super) fn flush_takes(self, time: Duration) -> Self {
        self.with(|inner| inner.flushes.takes = time)
    }

    pub(super) fn always_close(self, answer: Result<Flushed, CallError>) -> Self {
        self.with(|inner| inner.closes.always = Some(answer))
    }

    pub(crate) fn scrape_takes(self, time: Duration) -> Self {
        self.with(|inner| inner.scrapes.takes = time)
    }

    pub(super) fn opened(&self) -> usize {
        self.lock().opens.calls
    }

    pub(super) fn flushed(&self) -> usize {
        self.lock().flushes.calls
    }

    /// How many calls to close went well.
    pub(super) fn closed(&self) -> usize {
        self.lock().closes.good
    }

    pub(crate) fn scraped(&self) -> usize {
        self.lock().scrapes.calls
    }

    pub(super) fn calls(&self) -> Vec<(Vec<u64>, bool)> {
        self.lock().calls.clone()
    }

    /// The time between each call to publish and the next.
    pub(super) fn pauses(&self) -> Vec<Duration> {
        self.lock().called_at.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    pub(super) fn stored(&self) -> Vec<u64> {
        let mut stored = self.lock().stored.clone();
        stored.sort_unstable();
        stored
    }

    /// What the instance that was opened last has applied.
    pub(super) fn applied(&self) -> Vec<u64> {
        self.latest().applied()
    }

    pub(crate) fn latest(&self) -> Scripted {
        self.lock().latest.clone().expect("an instance was opened")
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("a test that panicked before")
    }
}

impl Opener for Script {
    type Sandbox = Scripted;

    fn plugin(&self) -> String {
        "script@1.0.0".to_owned()
    }

    async fn open(&self, state: Option<Saved>) -> Result<Scripted, CallError> {
        let mut inner = self.lock();
        inner.opens.take().1?;
        let applied = state.map_or_else(Vec::new, |saved| {
            saved.state.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
        });
        let opened = Scripted { script: self.clone(), applied: Arc::new(Mutex::new(applied)), dead: Arc::default() };
        inner.latest = Some(opened.clone());
        Ok(opened)
    }
}

impl Scripted {
    pub(super) fn applied(&self) -> Vec<u64> {
        self.applied.lock().expect("a test that panicked before").clone()
    }

    /// As another's call would, by a trap.
    pub(crate) fn kill(&self) {
        *self.dead.lock().expect("a test that panicked before") = true;
    }

    fn alive(&self) -> Result<(), CallError> {
        if *self.dead.lock().expect("a test that panicked before") { Err(Fault::Gone.into()) } else { Ok(()) }
    }

    async fn answer<T: Clone + Default>(&self, of: impl FnOnce(&mut Inner) -> &mut Answers<T>) -> Result<T, CallError> {
        self.alive()?;
        let (takes, answer) = of(&mut self.script.lock()).take();
        sleep(takes).await;
        if let Err(CallError::Fault(_)) = answer {
            self.kill();
        }
        answer
    }
}

impl Sandbox for Scripted {
    fn profile(&self) -> Profile {
        let inner = self.script.lock();
        let many = inner.max_instances.unwrap_or(if inner.stateful { 1 } else { 4 });
        let max_instances = NonZeroU32::new(many).expect("at least one");
        Profile { stateful: inner.stateful, max_instances, flush_interval: inner.flush_interval, scrapes: false }
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        self.alive()?;
        let time = self.script.lock().publish_takes;
        if time > Duration::ZERO {
            sleep(time).await;
        } else {
            tokio::task::yield_now().await;
        }
        let mut inner = self.script.lock();
        let mut offsets = batch.offsets().to_vec();
        offsets.sort_unstable();
        inner.calls.push((offsets, batch.redelivered()));
        inner.called_at.push(Instant::now());
        let act = inner.acts.pop_front();
        let answer = match (act, &mut inner.always) {
            (Some(mut act), _) => act(&batch),
            (None, Some(act)) => act(&batch),
            (None, None) => Ok(all(&batch)),
        };
        match &answer {
            Ok(receipt) => {
                let taken = |index: u32| {
                    !receipt.retryable.contains(&index) && !receipt.rejected.iter().any(|it| it.index == index)
                };
                let taken: Vec<u64> = batch.records().filter(|it| taken(it.index)).map(|it| it.offset).collect();
                inner.stored.extend(&taken);
                self.applied.lock().expect("a test that panicked before").extend(taken);
            }
            Err(CallError::Fault(_)) => self.kill(),
            Err(CallError::Publish(_)) => {}
        }
        answer
    }

    async fn flush(&self) -> Result<Flushed, CallError> {
        self.answer(|inner| &mut inner.flushes).await
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        self.answer(|inner| &mut inner.closes).await
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        self.answer(|inner| &mut inner.snapshots).await?;
        let applied = self.applied();
        let state: Vec<u8> = applied.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let applied_to = applied.iter().max().map_or(0, |offset| offset + 1);
        let next_offset = match self.script.lock().claim {
            Claim::Truth => applied_to,
            Claim::Below(claimed) => claimed,
            Claim::Nothing => return Ok(None),
        };
        Ok(self.script.lock().stateful.then(|| Saved { version: 1, state: state.into(), next_offset }))
    }

    /// Each call has another page.
    async fn scrape(&self, accept: &str) -> Result<Option<Exposition>, CallError> {
        let page = format!("{accept} {}", self.script.scraped() + 1);
        self.answer(|inner| &mut inner.scrapes).await?;
        Ok(Some(Exposition { content_type: "text/plain".into(), body: page.into() }))
    }
}

/// A batch of `len` events.
pub(super) fn batch(len: usize) -> Batch {
    let event = EventMetrics { event_name: "e".into(), status: "completed".into(), ..EventMetrics::default() };
    let mut builder = BatchBuilder::new();
    for _ in 0..len {
        builder.push(&MetricsRef::Event(event.as_ref()), crate::clock::now()).expect("it is small");
    }
    builder.finish()
}

/// The receipt that accepts all.
pub(super) fn all(batch: &Batch) -> Receipt {
    Receipt { accepted: batch.len() as u32, ..Receipt::default() }
}

/// The receipt that takes nothing.
pub(super) fn rejected(batch: &Batch) -> Receipt {
    let rejection = |index| Rejection { index, reason: "mapping".into() };
    Receipt { rejected: (0..batch.len() as u32).map(rejection).collect(), ..Receipt::default() }
}

/// A trap.
pub(super) fn trap() -> CallError {
    Fault::Trap { message: "unreachable".into(), backtrace: String::new() }.into()
}

/// A call that took too long.
pub(super) fn timed_out() -> CallError {
    Fault::Timeout { after: Duration::from_secs(30) }.into()
}

/// A backend that is away.
pub(super) fn unavailable(retry_after: Option<Duration>) -> CallError {
    PublishError::Unavailable { reason: "connection refused".into(), retry_after }.into()
}
