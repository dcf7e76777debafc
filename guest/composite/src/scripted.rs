//! A leg that does what a test says, and remembers what it was given.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use metricast_records::{BatchBuilder, EventMetrics, MetricsRef};

use crate::batch::{len, lower};
use crate::leg::{Leg, OpenLeg};
use crate::part::LEGS;
use crate::types::{
    Attribute, Batch, Description, Exposition, Finding, Flushed, Profile, PublishError, Receipt, Rejection, Saved,
    Snippet, Unavailable,
};

/// What the leg does with the next batch. By default it takes all.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Take,
    /// Not the records of these offsets, for good.
    Reject(Vec<u64>),
    /// Not the records of these offsets, now.
    PutOff(Vec<u64>),
    Fail(PublishError),
    /// A receipt that does not add up.
    Lie,
}

/// All that a script knows; clones share it.
#[derive(Clone)]
pub(crate) struct Script(Rc<Inner>);

struct Inner {
    name: String,
    pub(crate) profile: Cell<Profile>,
    acts: RefCell<VecDeque<Act>>,
    opens: RefCell<VecDeque<PublishError>>,
    flushes: RefCell<VecDeque<Result<Flushed, PublishError>>>,
    /// How often each record was taken, by epoch and offset.
    taken: RefCell<BTreeMap<(String, u64), u32>>,
    batches: RefCell<Vec<Batch>>,
    checked: RefCell<Vec<String>>,
    wrong: RefCell<Option<String>>,
    findings: RefCell<Vec<Finding>>,
    snippets: RefCell<Vec<Snippet>>,
    calls: Cell<u32>,
    closed: Cell<u32>,
    slow: RefCell<Option<(Stepped, Duration)>>,
}

pub(crate) const STATELESS: Profile =
    Profile { stateful: false, max_instances: 4, flush_interval_ms: None, scrapes: false };
pub(crate) const SCRAPED: Profile =
    Profile { stateful: true, max_instances: 1, flush_interval_ms: None, scrapes: true };

impl Script {
    pub(crate) fn new(name: &str) -> Self {
        Self(Rc::new(Inner {
            name: name.to_owned(),
            profile: Cell::new(STATELESS),
            acts: RefCell::default(),
            opens: RefCell::default(),
            flushes: RefCell::default(),
            taken: RefCell::default(),
            batches: RefCell::default(),
            checked: RefCell::default(),
            wrong: RefCell::default(),
            findings: RefCell::default(),
            snippets: RefCell::default(),
            calls: Cell::new(0),
            closed: Cell::new(0),
            slow: RefCell::default(),
        }))
    }

    /// Each of its calls takes so long by this clock.
    pub(crate) fn takes(&self, time: Duration, clock: &Stepped) {
        *self.0.slow.borrow_mut() = Some((clock.clone(), time));
    }

    fn pass_time(&self) {
        if let Some((clock, time)) = &*self.0.slow.borrow() {
            clock.step(*time);
        }
    }

    pub(crate) fn with_profile(self, profile: Profile) -> Self {
        self.0.profile.set(profile);
        self
    }

    pub(crate) fn then(&self, act: Act) -> &Self {
        self.0.acts.borrow_mut().push_back(act);
        self
    }

    pub(crate) fn away(&self, times: usize) -> &Self {
        for _ in 0..times {
            self.then(Act::Fail(unavailable("away")));
        }
        self
    }

    pub(crate) fn open_fails(&self, error: PublishError) {
        self.0.opens.borrow_mut().push_back(error);
    }

    pub(crate) fn flush_says(&self, answer: Result<Flushed, PublishError>) {
        self.0.flushes.borrow_mut().push_back(answer);
    }

    pub(crate) fn misconfigured(&self, text: &str) {
        *self.0.wrong.borrow_mut() = Some(text.to_owned());
    }

    pub(crate) fn answer_probe(&self, findings: Vec<Finding>) {
        *self.0.findings.borrow_mut() = findings;
    }

    pub(crate) fn answer_snippets(&self, snippets: Vec<Snippet>) {
        *self.0.snippets.borrow_mut() = snippets;
    }

    pub(crate) fn checked(&self) -> Vec<String> {
        self.0.checked.borrow().clone()
    }

    /// The offsets that it took, and how often each.
    pub(crate) fn taken(&self) -> Vec<(u64, u32)> {
        self.0.taken.borrow().iter().map(|((_, offset), times)| (*offset, *times)).collect()
    }

    /// The batches that it was given, whatever it did with them.
    pub(crate) fn batches(&self) -> Vec<Batch> {
        self.0.batches.borrow().clone()
    }

    /// Calls of publish so far.
    pub(crate) fn calls(&self) -> u32 {
        self.0.calls.get()
    }

    pub(crate) fn closed(&self) -> u32 {
        self.0.closed.get()
    }

    fn take(&self, batch: &Batch, but: &[u64]) -> u32 {
        let taken = batch.offsets.iter().filter(|offset| !but.contains(offset));
        let mut count = 0;
        for offset in taken {
            *self.0.taken.borrow_mut().entry((batch.epoch.clone(), *offset)).or_default() += 1;
            count += 1;
        }
        count
    }
}

fn places(batch: &Batch, offsets: &[u64]) -> Vec<u32> {
    (0_u32..).zip(&batch.offsets).filter(|(_, offset)| offsets.contains(offset)).map(|(index, _)| index).collect()
}

impl Leg for Script {
    fn describe(&self) -> Description {
        description(&self.0.name, None)
    }

    fn check(&self, config: &str) -> Result<(), PublishError> {
        self.0.checked.borrow_mut().push(config.to_owned());
        self.0.wrong.borrow().clone().map_or(Ok(()), |text| Err(PublishError::Misconfigured(text)))
    }

    fn probe(&self, _config: &str) -> Result<Vec<Finding>, PublishError> {
        Ok(self.0.findings.borrow().clone())
    }

    fn snippets(&self, _config: &str) -> Result<Vec<Snippet>, PublishError> {
        Ok(self.0.snippets.borrow().clone())
    }

    fn open(&self, _config: &str, state: Option<&Saved>) -> Result<Box<dyn OpenLeg>, PublishError> {
        self.pass_time();
        if let Some(error) = self.0.opens.borrow_mut().pop_front() {
            return Err(error);
        }
        if let Some(saved) = state {
            // What was taken after the snapshot is not in this state.
            let kept = saved.state.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
            *self.0.taken.borrow_mut() = kept.map(|offset| (("e".to_owned(), offset), 1)).collect();
        }
        Ok(Box::new(self.clone()))
    }
}

impl OpenLeg for Script {
    fn profile(&self) -> Profile {
        self.0.profile.get()
    }

    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError> {
        self.pass_time();
        self.0.calls.set(self.0.calls.get() + 1);
        self.0.batches.borrow_mut().push(batch.clone());
        let act = self.0.acts.borrow_mut().pop_front().unwrap_or(Act::Take);
        let receipt = |accepted, rejected, retryable| Receipt {
            accepted,
            rejected,
            retryable,
            in_doubt: Vec::new(),
            retry_after_ms: None,
        };
        match act {
            Act::Take => Ok(receipt(self.take(batch, &[]), Vec::new(), Vec::new())),
            Act::Reject(offsets) => {
                let bad = places(batch, &offsets).into_iter();
                let bad = bad.map(|index| Rejection { index, reason: "bad".into() }).collect();
                Ok(receipt(self.take(batch, &offsets), bad, Vec::new()))
            }
            Act::PutOff(offsets) => Ok(receipt(self.take(batch, &offsets), Vec::new(), places(batch, &offsets))),
            Act::Fail(error) => Err(error),
            Act::Lie => Ok(receipt(len(batch) as u32 + 1, Vec::new(), Vec::new())),
        }
    }

    fn flush(&self) -> Result<Flushed, PublishError> {
        self.pass_time();
        let nothing = Flushed { reason: String::new(), pending: 0, rejected: Vec::new(), retry_after_ms: None };
        self.0.flushes.borrow_mut().pop_front().unwrap_or(Ok(nothing))
    }

    fn close(&self) -> Result<Flushed, PublishError> {
        self.0.closed.set(self.0.closed.get() + 1);
        OpenLeg::flush(self)
    }

    fn snapshot(&self) -> Option<Saved> {
        let taken = self.0.taken.borrow();
        let state = taken.keys().flat_map(|(_, offset)| offset.to_le_bytes()).collect();
        let next_offset = taken.keys().map(|(_, offset)| offset + 1).max().unwrap_or(0);
        self.profile().stateful.then_some(Saved { version: 1, state, next_offset })
    }

    fn scrape(&self, accept: &str) -> Option<Exposition> {
        let body = format!("{} {accept}", self.0.name).into_bytes();
        self.profile().scrapes.then(|| Exposition { content_type: "text/plain".into(), body })
    }
}

pub(crate) fn unavailable(reason: &str) -> PublishError {
    PublishError::Unavailable(Unavailable { reason: reason.to_owned(), retry_after_ms: None })
}

pub(crate) fn description(name: &str, legs: Option<&str>) -> Description {
    let extra = legs.map(|legs| Attribute { key: LEGS.to_owned(), value: legs.to_owned() });
    Description {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        config_schema: "{}".to_owned(),
        extra: extra.into_iter().collect(),
    }
}

/// A batch of events at these places of a queue.
pub(crate) fn batch(epoch: &str, offsets: Range<u64>) -> Batch {
    let mut builder = BatchBuilder::new();
    for offset in offsets.clone() {
        let event = EventMetrics {
            event_name: format!("event-{}", offset % 7),
            task_id: format!("task-{offset}"),
            start_time: 1.0,
            end_time: Some(2.0),
            status: "completed".into(),
            error: (offset % 3 == 0).then(String::new),
            retry_count: 0,
            process_id: None,
            attributes: vec![("k".into(), offset.to_string())],
        };
        builder.push(&MetricsRef::Event(event.as_ref()), 3.0).unwrap();
    }
    lower(&builder.finish().placed(epoch, offsets.start))
}

/// A clock that stands until it is moved; clones share it.
#[derive(Clone, Default)]
pub(crate) struct Stepped(Rc<Cell<Duration>>);

impl Stepped {
    pub(crate) fn step(&self, by: Duration) {
        self.0.set(self.0.get() + by);
    }

    pub(crate) fn clock(&self) -> Box<dyn Fn() -> Duration> {
        let time = self.0.clone();
        Box::new(move || time.get())
    }
}
