//! A plugin that follows a script, for tests of the delivery alone.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};

use super::sandbox::{Opener, Sandbox};
use crate::plugin::{CallError, Fault, Flushed, Profile, Receipt, Saved};

/// What one call does.
pub(super) type Act = Box<dyn FnMut(&Batch) -> Result<Receipt, CallError> + Send>;

/// All instances of one scripted publisher, and what they were asked.
#[derive(Clone, Default)]
pub(super) struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    stateful: bool,
    acts: VecDeque<Act>,
    always: Option<Act>,
    open_errors: VecDeque<CallError>,
    opened: usize,
    /// The offsets of each call, with whether it was marked as sent before.
    calls: Vec<(Vec<u64>, bool)>,
    /// What the backend has: the offsets that were accepted.
    stored: Vec<u64>,
    closed: usize,
    claim: Claim,
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
pub(super) struct Scripted {
    script: Script,
    /// What a stateful instance has applied.
    applied: Arc<Mutex<Vec<u64>>>,
    dead: Arc<Mutex<bool>>,
}

impl Script {
    pub(super) fn stateful(self) -> Self {
        self.lock().stateful = true;
        self
    }

    /// The next call does this; calls without an act accept all.
    pub(super) fn then(self, act: impl FnMut(&Batch) -> Result<Receipt, CallError> + Send + 'static) -> Self {
        self.lock().acts.push_back(Box::new(act));
        self
    }

    /// Every call does this.
    pub(super) fn always(self, act: impl FnMut(&Batch) -> Result<Receipt, CallError> + Send + 'static) -> Self {
        self.lock().always = Some(Box::new(act));
        self
    }

    pub(super) fn snapshot_says(self, claim: Claim) -> Self {
        self.lock().claim = claim;
        self
    }

    pub(super) fn fail_open(self, error: impl Into<CallError>) -> Self {
        self.lock().open_errors.push_back(error.into());
        self
    }

    pub(super) fn opened(&self) -> usize {
        self.lock().opened
    }

    pub(super) fn closed(&self) -> usize {
        self.lock().closed
    }

    pub(super) fn calls(&self) -> Vec<(Vec<u64>, bool)> {
        self.lock().calls.clone()
    }

    pub(super) fn stored(&self) -> Vec<u64> {
        let mut stored = self.lock().stored.clone();
        stored.sort_unstable();
        stored
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("a test that panicked before")
    }
}

impl Opener for Script {
    type Sandbox = Scripted;

    async fn open(&self, state: Option<Saved>) -> Result<Scripted, CallError> {
        let mut inner = self.lock();
        inner.opened += 1;
        if let Some(error) = inner.open_errors.pop_front() {
            return Err(error);
        }
        let applied = state.map_or_else(Vec::new, |saved| {
            saved.state.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes"))).collect()
        });
        Ok(Scripted { script: self.clone(), applied: Arc::new(Mutex::new(applied)), dead: Arc::default() })
    }
}

impl Scripted {
    pub(super) fn applied(&self) -> Vec<u64> {
        self.applied.lock().expect("a test that panicked before").clone()
    }

    /// As another's call would, by a trap.
    pub(super) fn kill(&self) {
        *self.dead.lock().expect("a test that panicked before") = true;
    }

    fn alive(&self) -> Result<(), CallError> {
        if *self.dead.lock().expect("a test that panicked before") { Err(Fault::Gone.into()) } else { Ok(()) }
    }
}

impl Sandbox for Scripted {
    fn profile(&self) -> Profile {
        let stateful = self.script.lock().stateful;
        let max_instances = if stateful { NonZeroU32::MIN } else { NonZeroU32::MIN.saturating_add(3) };
        Profile { stateful, max_instances, flush_interval: None, scrapes: false }
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        self.alive()?;
        tokio::task::yield_now().await;
        let mut inner = self.script.lock();
        let mut offsets = batch.offsets().to_vec();
        offsets.sort_unstable();
        inner.calls.push((offsets, batch.redelivered()));
        let act = inner.acts.pop_front();
        let answer = match (act, &mut inner.always) {
            (Some(mut act), _) => act(&batch),
            (None, Some(act)) => act(&batch),
            (None, None) => Ok(Receipt { accepted: batch.len() as u32, ..Receipt::default() }),
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
        self.alive().map(|()| Flushed::default())
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        self.alive()?;
        self.script.lock().closed += 1;
        Ok(Flushed::default())
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        self.alive()?;
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

/// A trap.
pub(super) fn trap() -> CallError {
    Fault::Trap { message: "unreachable".into(), backtrace: String::new() }.into()
}
