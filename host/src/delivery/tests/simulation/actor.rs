//! A plugin that fails by chance, as a real one would: what it did before it failed is done.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;
use metricast_records::Batch;

use super::super::super::sandbox::{Opener, Sandbox};
use super::super::super::trouble::is_plugins_own;
use super::plan::{Kind, PublisherPlan};
use super::world::{World, number_of};
use super::*;
use crate::plugin::{Exposition, Fault, Flushed, Profile, Saved};
use crate::queue::forgetful::Fuse;

/// Bytes.
const LARGEST_BATCH: usize = 4_000;

/// All instances of one publisher in one life. Cheap to clone.
#[derive(Clone)]
pub(super) struct Company(Arc<Inner>);

struct Inner {
    plan: PublisherPlan,
    world: World,
    fuse: Fuse,
    life: u32,
    moods: Mutex<Moods>,
}

struct Moods {
    random: Rng,
    /// Nothing fails any more.
    calm: bool,
    /// It may break by itself so often: a state that breaks twice over one record has it taken for the record's fault.
    breaks: u32,
}

/// One instance. Cheap to clone.
#[derive(Clone)]
pub(super) struct Actor {
    company: Company,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Default)]
struct Counted {
    /// Which record stands at which offset.
    records: BTreeMap<u64, u64>,
    /// What lies below is in the state that it was opened with.
    floor: u64,
    handed_to: u64,
    unsaved: usize,
    dead: bool,
}

impl Company {
    pub(super) fn new(plan: &PublisherPlan, world: &World, fuse: &Fuse, life: u32, random: Rng) -> Self {
        let breaks = if matches!(plan.kind, Kind::Stateless { .. }) { 20 } else { 1 };
        let moods = Moods { random, calm: false, breaks };
        let (plan, world, fuse) = (plan.clone(), world.clone(), fuse.clone());
        Self(Arc::new(Inner { plan, world, fuse, life, moods: Mutex::new(moods) }))
    }

    /// From now on nothing fails or takes time.
    pub(super) fn calm(&self) {
        self.moods().calm = true;
    }

    fn moods(&self) -> MutexGuard<'_, Moods> {
        self.0.moods.lock().expect("a test that panicked before")
    }

    /// Takes its time; the process may end in between.
    async fn work(&self) {
        sleep(self.time()).await;
        self.moment().await;
    }

    fn time(&self) -> Duration {
        let mut moods = self.moods();
        let slowest = if moods.calm { Duration::ZERO } else { self.0.plan.slowest };
        slowest.mul_f64(moods.random.f64().powi(3))
    }

    async fn moment(&self) {
        if self.0.fuse.burn() {
            std::future::pending::<()>().await;
        }
    }

    /// How this call fails, if it does.
    fn fault(&self) -> Option<CallError> {
        let mut moods = self.moods();
        let may_break = moods.breaks > 0;
        if moods.calm || moods.random.u32(..1_000) >= self.0.plan.bad_calls {
            return None;
        }
        let error = match moods.random.u32(..7) {
            0 | 1 if may_break => trap(),
            2 if may_break => PublishError::Internal("confused".into()).into(),
            3 => timed_out(),
            4 => Fault::Gone.into(),
            5 => unavailable(Some(Duration::from_millis(moods.random.u64(..3_000)))),
            _ => unavailable(None),
        };
        moods.breaks -= u32::from(is_plugins_own(&error));
        Some(error)
    }
}

impl Opener for Company {
    type Sandbox = Actor;

    fn plugin(&self) -> String {
        "actor@1.0.0".to_owned()
    }

    async fn open(&self, state: Option<Saved>) -> Result<Actor, CallError> {
        self.work().await;
        let away = {
            let mut moods = self.moods();
            !moods.calm && moods.random.u32(..2_000) < self.0.plan.bad_calls
        };
        if away {
            return Err(unavailable(None));
        }
        let counted = state.map(|saved| Counted {
            records: read(&saved.state),
            floor: saved.next_offset,
            handed_to: saved.next_offset,
            ..Counted::default()
        });
        Ok(Actor { company: self.clone(), counted: Arc::new(Mutex::new(counted.unwrap_or_default())) })
    }
}

impl Actor {
    fn plan(&self) -> &PublisherPlan {
        &self.company.0.plan
    }

    fn world(&self) -> &World {
        &self.company.0.world
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().expect("a test that panicked before")
    }

    pub(super) fn records(&self) -> BTreeSet<u64> {
        self.counted().records.values().copied().collect()
    }

    /// As somebody else's call would, by a trap.
    pub(super) fn kill(&self) {
        self.counted().dead = true;
    }

    fn is_stateful(&self) -> bool {
        !matches!(self.plan().kind, Kind::Stateless { .. })
    }

    /// What an error leaves behind.
    fn ended<T>(&self, answer: Result<T, CallError>) -> Result<T, CallError> {
        if let Err(CallError::Fault(_)) = &answer {
            self.kill();
        }
        answer
    }

    fn alive(&self) -> Result<(), CallError> {
        if self.counted().dead { Err(Fault::Gone.into()) } else { Ok(()) }
    }

    fn look_at(&self, batch: &Batch) {
        let (world, plan) = (self.world(), self.plan());
        let durable = world.medium.next();
        for record in batch.records() {
            world.expect(record.offset < durable, || format!("{}: {} is not synced", plan.name, record.offset));
            if !self.is_stateful() {
                let place = (batch.epoch().to_owned(), record.offset);
                world.hand(&plan.name, &place, self.company.0.life, batch.redelivered());
            }
        }
        world.expect(batch.len() <= plan.max_records, || format!("{}: {} records", plan.name, batch.len()));
    }

    fn take(&self, batch: &Batch, index: u32) {
        let record = batch.record(index as usize);
        let number = number_of(&record.metrics);
        if !self.is_stateful() {
            return self.world().store(&self.plan().name, &(batch.epoch().to_owned(), record.offset), number);
        }
        let mut counted = self.counted();
        if record.offset >= counted.floor && counted.records.insert(record.offset, number).is_some() {
            self.world().fail(format!("{}: {} counts twice", self.plan().name, record.offset));
        }
    }

    /// Does a part of its work and fails.
    fn fail(&self, batch: &Batch, error: CallError) -> CallError {
        let says_no = matches!(error, CallError::Publish(PublishError::Unavailable { .. }));
        for index in 0..batch.len() as u32 {
            let number = number_of(&batch.record(index as usize).metrics);
            let is_good = !self.plan().is_poison(number) && !self.plan().is_rejected(number);
            if !says_no && is_good && self.company.moods().random.bool() {
                self.take(batch, index);
            }
        }
        error
    }

    fn receipt(&self, batch: &Batch) -> Receipt {
        let mut receipt = Receipt::default();
        let is_moody = !self.is_stateful() && !self.company.moods().calm;
        for index in 0..batch.len() as u32 {
            let number = number_of(&batch.record(index as usize).metrics);
            let luck = self.company.moods().random.u32(..1_000);
            if self.plan().is_rejected(number) {
                receipt.rejected.push(Rejection { index, reason: "mapping".into() });
            } else if is_moody && luck < self.plan().bad_calls / 2 {
                receipt.retryable.push(index);
                if luck.is_multiple_of(2) {
                    receipt.in_doubt.push(index);
                    if luck.is_multiple_of(4) {
                        self.take(batch, index);
                    }
                }
            } else {
                receipt.accepted += 1;
                self.take(batch, index);
            }
        }
        receipt
    }

    fn counted_now(&self, batch: &Batch) {
        // A batch may come in pieces.
        let limit = self.plan().max_unsaved + LARGEST_BATCH;
        let mut counted = self.counted();
        let bounded = counted.unsaved < limit || !self.is_stateful();
        counted.unsaved += batch.byte_len();
        counted.handed_to = counted.handed_to.max(batch.offsets().iter().max().map_or(0, |last| last + 1));
        drop(counted);
        self.world().expect(bounded, || format!("{}: more than {limit} bytes are unsaved", self.plan().name));
    }
}

impl Sandbox for Actor {
    fn profile(&self) -> Profile {
        let (stateful, instances) = match self.plan().kind {
            Kind::Stateless { instances } => (false, instances),
            Kind::Stateful | Kind::Pushing => (true, 1),
        };
        let flush_interval = (self.plan().kind == Kind::Pushing).then(|| Duration::from_millis(700));
        let max_instances = NonZeroU32::new(instances).expect("at least one");
        Profile { stateful, max_instances, flush_interval, scrapes: stateful }
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        self.alive()?;
        self.look_at(&batch);
        self.company.work().await;
        self.alive()?;
        let has_poison = batch.records().any(|record| self.plan().is_poison(number_of(&record.metrics)));
        let fault = if has_poison { Some(trap()) } else { self.company.fault() };
        let answer = match fault {
            Some(error) => Err(self.fail(&batch, error)),
            None => Ok(self.receipt(&batch)),
        };
        if answer.is_ok() {
            self.counted_now(&batch);
        }
        self.company.moment().await;
        self.ended(answer)
    }

    async fn flush(&self) -> Result<Flushed, CallError> {
        self.alive()?;
        self.company.work().await;
        if let Some(error) = self.company.fault() {
            return self.ended(Err(error));
        }
        self.world().show(&self.plan().name, self.records(), true);
        Ok(Flushed::default())
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        self.alive()?;
        self.company.work().await;
        if self.plan().kind == Kind::Pushing {
            self.world().show(&self.plan().name, self.records(), true);
        }
        Ok(Flushed::default())
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        self.alive()?;
        self.company.work().await;
        if !self.is_stateful() {
            return Ok(None);
        }
        if let Some(error) = self.company.fault() {
            let counts = is_plugins_own(&error) || matches!(error, CallError::Fault(Fault::Gone));
            return self.ended(Err(if counts { error } else { Fault::Gone.into() }));
        }
        let mut counted = self.counted();
        let accepted_to = counted.records.last_key_value().map_or(0, |(offset, _)| offset + 1).max(counted.floor);
        let next_offset =
            if self.company.moods().random.bool() { accepted_to } else { counted.handed_to.max(accepted_to) };
        counted.unsaved = 0;
        let pairs = counted.records.iter().flat_map(|(offset, record)| [*offset, *record]);
        let state: Vec<u8> = pairs.flat_map(u64::to_le_bytes).collect();
        Ok(Some(Saved { version: 1, state: state.into(), next_offset }))
    }

    async fn scrape(&self, _accept: &str) -> Result<Option<Exposition>, CallError> {
        Ok(None)
    }
}

/// What stands in a state.
pub(super) fn read(state: &[u8]) -> BTreeMap<u64, u64> {
    let (numbers, _) = state.as_chunks::<8>();
    numbers.chunks_exact(2).map(|pair| (u64::from_le_bytes(pair[0]), u64::from_le_bytes(pair[1]))).collect()
}
