//! The task of one delivery: reads batches, keeps its slots busy, moves the cursor.
//!
//! Whatever takes time is a [`Work`] that a slot is lent for, so that one that hangs holds up nobody else. What is due
//! (a flush, a snapshot, opening an instance that was lost) comes before the next batch.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::assemble::Assembler;
use super::sandbox::Opener;
use super::saving::{SNAPSHOT_AFTER, Saving};
use super::slot::Slot;
use super::status::Status;
use super::trouble::Halt;
use super::watermark::Watermark;
use super::{Opened, Settings};
use crate::config::Batching;
use crate::plugin::{CallError, Profile};
use crate::queue::{Entry, Reader};

/// How often it is said again that a delivery has halted.
const REMINDER: Duration = Duration::from_mins(10);
/// No record waits longer for others, whatever the config says: times beyond what a clock can add up are of no use.
const LONGEST_AGE: Duration = Duration::from_hours(365 * 24);

/// How a delivery is seen and stopped.
pub(super) struct Channels<S> {
    pub(super) opened: watch::Sender<Opened>,
    pub(super) current: watch::Sender<Option<S>>,
    pub(super) stopped: watch::Receiver<bool>,
    /// It has ended, or halted: nothing more is to be expected of it.
    pub(super) over: watch::Sender<bool>,
    /// Somebody else's call found the instance dead.
    pub(super) lost: Arc<Notify>,
    /// What the plugin sends at an interval is wanted now.
    pub(super) flush: Arc<Notify>,
}

pub(super) struct Leg<O: Opener> {
    opener: Arc<O>,
    assembler: Assembler,
    settings: Settings,
    status: Arc<Status>,
    channels: Channels<O::Sandbox>,
    idle: Vec<Slot<O>>,
    slots: u32,
    watermark: Watermark,
    /// Behind the last record that a stateful instance answered for.
    applied: u64,
    saving: Saving,
    flush_interval: Option<Duration>,
    flush_at: Option<Instant>,
    flushes: watch::Sender<u64>,
    /// The instance that is scraped may be dead.
    is_lost: bool,
}

/// What a slot is lent for.
enum Work {
    Deliver(Entry),
    Save,
    Flush,
    Revive,
}

struct Finished<O: Opener> {
    slot: Slot<O>,
    work: Work,
    /// Whether it did what it was to do.
    outcome: Result<bool, Halt>,
}

type UnderWay<O> = FuturesUnordered<BoxFuture<'static, Finished<O>>>;

impl<O: Opener> Leg<O> {
    pub(super) fn new(
        opener: O,
        reader: Reader,
        settings: Settings,
        status: Arc<Status>,
        channels: Channels<O::Sandbox>,
    ) -> Self {
        let max_age = settings.batching.max_age.min(LONGEST_AGE);
        let saving = Saving::new(settings.max_unsaved);
        Self {
            opener: Arc::new(opener),
            assembler: Assembler::new(reader, Batching { max_age, ..settings.batching.clone() }),
            settings,
            status,
            channels,
            idle: Vec::new(),
            slots: 0,
            watermark: Watermark::default(),
            applied: 0,
            saving,
            flush_interval: None,
            flush_at: None,
            flushes: watch::Sender::new(0),
            is_lost: false,
        }
    }

    pub(super) async fn run(mut self) {
        let mut stopped = self.channels.stopped.clone();
        let mut stop = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
        .boxed();
        let outcome = tokio::select! {
            biased;
            () = &mut stop => None,
            delivered = AssertUnwindSafe(self.deliver_all()).catch_unwind() => Some(delivered),
        };
        let outcome = outcome.map(|delivered| delivered.unwrap_or_else(|panic| Err(Halt::of_panic(&*panic))));
        self.channels.current.send_replace(None);
        match &outcome {
            None => {}
            Some(Ok(())) => self.status.done(),
            Some(Err(halt)) => self.halted(halt),
        }
        self.channels.over.send_replace(true);
        if let Some(Err(_)) = outcome {
            self.hold(stop.as_mut()).await;
        }
    }

    fn halted(&self, halt: &Halt) {
        self.status.halted(&halt.to_string());
        self.channels.opened.send_if_modified(|opened| {
            let never = !matches!(opened, Opened::Yes(_));
            if never {
                *opened = Opened::Never(halt.clone());
            }
            never
        });
    }

    /// Keeps its place in the queue: what it has not delivered is not lost while somebody may still act.
    async fn hold(&self, mut stop: Pin<&mut (impl Future<Output = ()> + ?Sized)>) {
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = sleep(REMINDER) => self.status.still_halted(self.assembler.reader().lag()),
            }
        }
    }

    async fn deliver_all(&mut self) -> Result<(), Halt> {
        let profile = self.open_first().await?;
        let instances = if profile.stateful { 1 } else { profile.max_instances.get().min(self.settings.max_instances) };
        self.flush_interval = profile.flush_interval;
        self.flush_at = self.next_flush();
        let (lost, flush) = (Arc::clone(&self.channels.lost), Arc::clone(&self.channels.flush));
        let mut under_way: UnderWay<O> = FuturesUnordered::new();
        let mut ended = false;
        while !(ended && under_way.is_empty()) {
            self.begin_what_is_due(&mut under_way);
            let free = !ended && (!self.idle.is_empty() || self.slots < instances);
            let wake_at = self.wake_at();
            tokio::select! {
                Some(finished) = under_way.next() => self.take_back(finished, &profile)?,
                entry = self.assembler.next(), if free => match entry {
                    Some(entry) => self.hand_over(entry, &mut under_way),
                    None => ended = true,
                },
                () = at(wake_at), if wake_at.is_some() => {}
                () = lost.notified() => self.is_lost = true,
                () = flush.notified() => self.flush_at = self.flush_interval.map(|_| Instant::now()),
            }
        }
        self.finish(&profile).await
    }

    /// Opens the first instance and tells how that went, at the first try and when it succeeds.
    async fn open_first(&mut self) -> Result<Profile, Halt> {
        let mut slot = self.new_slot().telling(self.channels.current.clone());
        let profile = loop {
            match slot.try_open().await? {
                Ok(profile) => break profile,
                Err(error) => {
                    self.tell_first_failure(&error)?;
                    slot.pause_after(&error).await;
                    self.give_up_old(&slot, &error);
                }
            }
        };
        self.status.running();
        self.channels.opened.send_replace(Opened::Yes(profile));
        if profile.scrapes {
            self.assembler.wait_for_nothing();
        }
        self.idle.push(slot);
        Ok(profile)
    }

    /// Only the first try can show that the config is of no use: after that a person may be putting things right.
    fn tell_first_failure(&self, error: &CallError) -> Result<(), Halt> {
        if *self.channels.opened.borrow() != Opened::NotYet {
            return Ok(());
        }
        if let Some(halt) = Halt::of_first_open(error) {
            return Err(halt);
        }
        self.channels.opened.send_replace(Opened::Later(error.to_string()));
        Ok(())
    }

    /// Records that become too old while there is no instance to bring them to.
    fn give_up_old(&mut self, slot: &Slot<O>, error: &CallError) {
        let reader = self.assembler.reader_mut();
        while let Some(entry) = reader.next_if(|batch| slot.is_too_old(batch)) {
            slot.within_age(entry.batch, &error.to_string());
            reader.release(entry.next);
        }
    }

    fn new_slot(&mut self) -> Slot<O> {
        self.slots += 1;
        let flushes = self.flushes.subscribe();
        Slot::new(Arc::clone(&self.opener), &self.settings.retry, Arc::clone(&self.status), flushes)
    }

    fn next_flush(&self) -> Option<Instant> {
        self.flush_interval.map(|interval| Instant::now() + interval)
    }

    /// Lends the idle slots for what is due.
    fn begin_what_is_due(&mut self, under_way: &mut UnderWay<O>) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = self.next_flush();
            self.flushes.send_modify(|flushes| *flushes += 1);
        }
        for slot in std::mem::take(&mut self.idle) {
            match self.due(&slot, now) {
                Some(work) => self.begin(slot, work, under_way),
                None => self.idle.push(slot),
            }
        }
    }

    fn due(&mut self, slot: &Slot<O>, now: Instant) -> Option<Work> {
        let is_lost = slot.is_scraped() && std::mem::take(&mut self.is_lost);
        if is_lost || slot.revive_at().is_some_and(|at| at <= now) {
            Some(Work::Revive)
        } else if slot.flush_is_due() {
            Some(Work::Flush)
        } else if slot.is_open() && self.saving.due_at().is_some_and(|at| at <= now) {
            Some(Work::Save)
        } else {
            None
        }
    }

    /// When something is due for a slot that is idle.
    fn wake_at(&self) -> Option<Instant> {
        let save_at = self.saving.due_at().filter(|_| self.idle.iter().any(Slot::is_open));
        self.idle.iter().filter_map(Slot::revive_at).chain(save_at).chain(self.flush_at).min()
    }

    fn hand_over(&mut self, entry: Entry, under_way: &mut UnderWay<O>) {
        let slot = self.idle.pop().unwrap_or_else(|| self.new_slot());
        self.watermark.begin(entry.first, entry.next);
        self.begin(slot, Work::Deliver(entry), under_way);
    }

    fn begin(&self, mut slot: Slot<O>, work: Work, under_way: &mut UnderWay<O>) {
        let applied = self.applied;
        let doing = async move {
            let outcome = match &work {
                Work::Deliver(entry) => slot.deliver(Arc::clone(&entry.batch)).await.map(|()| true),
                Work::Save => slot.save(applied).await,
                Work::Flush => {
                    slot.flush_if_due().await;
                    Ok(true)
                }
                Work::Revive => slot.revive().await.map(|()| true),
            };
            Finished { slot, work, outcome }
        };
        under_way.push(doing.boxed());
    }

    fn take_back(&mut self, finished: Finished<O>, profile: &Profile) -> Result<(), Halt> {
        let Finished { slot, work, outcome } = finished;
        self.idle.push(slot);
        let done = outcome?;
        match work {
            Work::Deliver(entry) => self.answered(&entry, profile),
            Work::Save if done => self.saved(),
            Work::Save => self.saving.failed(Instant::now()),
            Work::Flush | Work::Revive => {}
        }
        Ok(())
    }

    fn answered(&mut self, entry: &Entry, profile: &Profile) {
        let answered = self.watermark.done(entry.first);
        if !profile.stateful {
            self.assembler.reader().release(answered);
            return;
        }
        self.applied = answered;
        self.saving.took(entry.batch.byte_len(), Instant::now());
    }

    /// The cursor of a stateful plugin moves with its snapshot.
    fn saved(&mut self) {
        self.saving.saved();
        self.assembler.reader().release(self.applied);
    }

    async fn finish(&mut self, profile: &Profile) -> Result<(), Halt> {
        if profile.stateful {
            self.save_the_last().await?;
        }
        let mut closing: FuturesUnordered<_> = self.idle.iter_mut().map(Slot::close).collect();
        let mut outcome = Ok(());
        while let Some(closed) = closing.next().await {
            outcome = outcome.and(closed);
        }
        drop(closing);
        outcome?;
        if profile.stateful && !self.save().await? {
            tracing::warn!(publisher = self.status.name(), "its state after the end could not be saved");
        }
        Ok(())
    }

    /// All is answered for: the cursor is to follow before anything is ended.
    async fn save_the_last(&mut self) -> Result<(), Halt> {
        while self.saving.due_at().is_some() && !self.save().await? {
            sleep(SNAPSHOT_AFTER).await;
            for slot in &mut self.idle {
                slot.revive().await?;
            }
        }
        Ok(())
    }

    async fn save(&mut self) -> Result<bool, Halt> {
        let Some(slot) = self.idle.first_mut() else { return Ok(true) };
        let saved = slot.save(self.applied).await?;
        if saved {
            self.saved();
        }
        Ok(saved)
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
