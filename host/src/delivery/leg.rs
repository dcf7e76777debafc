//! The task of one delivery: reads batches, keeps its slots busy, moves the cursor.
//!
//! Whatever takes time is a [`Work`] that a slot is lent for, so that one that hangs holds up nobody else. What is due
//! (a flush, a snapshot, opening an instance that was lost) comes before the next batch. `progress` has how far it has got,
//! `ending` how it ends.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use metricast_store::meta::MetaError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument as _;

use super::assemble::Assembler;
use super::breaker::Breaker;
use super::keeping::Keeping;
use super::ledger::Ledger;
use super::poison::Piece;
use super::retry::Backoff;
use super::sandbox::Opener;
use super::saving::Saving;
use super::slot::Slot;
use super::status::Status;
use super::swap::Change;
use super::trouble::Halt;
use super::watermark::Watermark;
use super::{Opened, Settings};
use crate::plugin::{Profile, Saved};
use crate::queue::backing::{Effects, Handed};
use crate::queue::{Entry, Reader};

/// How often it is said again that a delivery has halted.
const REMINDER: Duration = Duration::from_mins(10);
/// What is to last before anything goes on is tried again after so long.
pub(super) const KEEP_AGAIN: Duration = Duration::from_secs(1);

/// A publisher that no instance has told of.
const UNKNOWN: Profile =
    Profile { stateful: false, max_instances: NonZeroU32::MIN, flush_interval: None, scrapes: false };

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
    pub(super) opener: Arc<O>,
    pub(super) assembler: Assembler,
    pub(super) settings: Settings,
    pub(super) status: Arc<Status>,
    pub(super) channels: Channels<O::Sandbox>,
    pub(super) idle: Vec<Slot<O>>,
    pub(super) slots: u32,
    pub(super) watermark: Watermark,
    /// The offset below which every record is answered for.
    pub(super) answered: u64,
    /// The end of what was there at the start: an instance with state shows nothing before it has all of that.
    pub(super) backlog_to: u64,
    /// What was handed over before the start is handed over again up to here.
    pub(super) repeats_to: u64,
    /// Up to here records may be handed over: a start after a crash takes it that they were.
    pub(super) reserved_to: u64,
    /// What is to be handed over as soon as that has moved on.
    pub(super) beyond: Option<Entry>,
    /// What lies below may have been seen in a state, and is never given up: what was seen would go back.
    pub(super) shown_to: u64,
    /// Records that no instance may see again.
    pub(super) skipped: BTreeSet<u64>,
    pub(super) ledger: Arc<Ledger>,
    /// How far the cursor is that lasts.
    pub(super) keeping: Keeping,
    pub(super) saving: Saving,
    pub(super) breaker: Arc<Breaker>,
    /// What its publisher is like, as far as is known.
    pub(super) profile: Profile,
    changes: mpsc::Receiver<Change<O>>,
    /// What is to be done as soon as nothing is under way.
    change: Option<Change<O>>,
    /// Turns true when what is under way is to come to a stop.
    pub(super) interrupt: watch::Sender<bool>,
    /// What came to a stop before it was answered for.
    pub(super) left: VecDeque<(Entry, VecDeque<Piece>)>,
    pub(super) flush_interval: Option<Duration>,
    pub(super) flush_at: Option<Instant>,
    pub(super) flushes: watch::Sender<u64>,
    /// The instance that is scraped may be dead.
    is_lost: bool,
}

/// What a slot is lent for.
enum Work {
    Deliver(Entry, VecDeque<Piece>),
    Save,
    Flush,
    Revive,
}

/// What has come to its end.
enum Finished<O: Opener> {
    Deliver(Slot<O>, Entry, Result<VecDeque<Piece>, Halt>),
    Save(Slot<O>, Result<Option<Saved>, Halt>),
    Upkeep(Slot<O>, Result<(), Halt>),
    /// Of a cursor, with how far records may be handed over then.
    Commit(u64, u64, Result<(), MetaError>),
}

type UnderWay<O> = FuturesUnordered<BoxFuture<'static, Finished<O>>>;

impl<O: Opener> Leg<O> {
    pub(super) fn new(
        opener: O,
        reader: Reader,
        settings: Settings,
        status: Arc<Status>,
        channels: Channels<O::Sandbox>,
        changes: mpsc::Receiver<Change<O>>,
    ) -> Self {
        let saving = Saving::new(settings.max_unsaved);
        let breaker = Breaker::new(Backoff::new(&settings.retry, fastrand::Rng::new()));
        let ledger = Ledger::new(reader.committer(), status.name(), &opener.plugin());
        let backlog = reader.backlog();
        Self {
            opener: Arc::new(opener),
            answered: backlog.start,
            backlog_to: backlog.end,
            repeats_to: match reader.handed() {
                Handed::Nothing => backlog.start,
                Handed::Below(offset) => offset.min(backlog.end),
                Handed::Shown => backlog.end,
            },
            reserved_to: backlog.start,
            beyond: None,
            shown_to: if reader.handed() == Handed::Shown { backlog.end } else { 0 },
            skipped: reader.skipped(),
            ledger: Arc::new(ledger),
            keeping: Keeping::new(backlog.start),
            assembler: Assembler::new(reader, settings.batching.clone()),
            settings,
            status,
            channels,
            idle: Vec::new(),
            slots: 0,
            watermark: Watermark::from(backlog.start),
            saving,
            breaker,
            profile: UNKNOWN,
            changes,
            change: None,
            interrupt: watch::Sender::new(false),
            left: VecDeque::new(),
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
        if !matches!(outcome, Some(Ok(()))) {
            self.keep_what_is_answered().await;
        }
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
        if self.answered == self.keeping.kept() {
            self.assembler.reader().lets_go();
        }
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = sleep(REMINDER) => self.status.still_halted(self.assembler.reader().lag()),
            }
        }
    }

    async fn deliver_all(&mut self) -> Result<(), Halt> {
        self.open_first().await?;
        self.begin_lastingly().await;
        self.show_when_caught_up();
        // Whoever waits for it to be open may ask at once what it shows.
        self.channels.opened.send_replace(Opened::Yes(self.profile));
        let (lost, flush) = (Arc::clone(&self.channels.lost), Arc::clone(&self.channels.flush));
        let mut under_way: UnderWay<O> = FuturesUnordered::new();
        let mut ended = false;
        while !(ended && under_way.is_empty() && self.left.is_empty() && self.beyond.is_none()) {
            if under_way.is_empty()
                && let Some(change) = self.change.take()
            {
                self.interrupt.send_replace(false);
                match change {
                    Change::Swap(swap) => self.swap(*swap).await?,
                    Change::Retire => break,
                }
            }
            self.begin_what_is_due(&mut under_way);
            if self.is_free()
                && let Some(entry) = self.beyond.take_if(|entry| entry.next <= self.reserved_to)
            {
                self.hand_over(entry, &mut under_way);
            }
            let free = !ended && self.is_free() && self.beyond.is_none();
            let wake_at = self.wake_at();
            tokio::select! {
                Some(finished) = under_way.next() => self.take_back(finished, &mut under_way)?,
                Some(change) = self.changes.recv(), if self.change.is_none() => self.interrupt_for(change),
                entry = self.assembler.next(), if free => match entry {
                    Some(entry) if entry.next > self.reserved_to => {
                        self.beyond = Some(entry);
                        self.keeping.hurry();
                    }
                    Some(entry) => self.hand_over(entry, &mut under_way),
                    None => ended = true,
                },
                () = at(wake_at), if wake_at.is_some() => {}
                () = lost.notified() => self.is_lost = true,
                () = flush.notified() => self.flush_at = self.flush_at.map(|_| Instant::now()),
            }
        }
        self.finish().await
    }

    pub(super) fn new_slot(&mut self) -> Slot<O> {
        self.slots += 1;
        let flushes = self.flushes.subscribe();
        let (status, ledger) = (Arc::clone(&self.status), Arc::clone(&self.ledger));
        let (breaker, interrupted) = (Arc::clone(&self.breaker), self.interrupt.subscribe());
        let mut slot =
            Slot::new(Arc::clone(&self.opener), &self.settings.retry, breaker, status, ledger, flushes, interrupted);
        slot.shown_to = self.shown_to;
        slot
    }

    pub(super) fn next_flush(&self) -> Option<Instant> {
        self.flush_interval.map(|interval| Instant::now() + interval)
    }

    fn is_free(&self) -> bool {
        let Profile { stateful, max_instances, .. } = self.profile;
        let instances = if stateful { 1 } else { max_instances.get().min(self.settings.max_instances) };
        let has_slot = !self.idle.is_empty() || self.slots < instances;
        has_slot && self.left.is_empty() && self.change.is_none() && !self.ledger.is_full() && !self.saving.is_full()
    }

    /// What is under way comes to a stop, so that nothing waits for a backend that is away.
    fn interrupt_for(&mut self, change: Change<O>) {
        self.interrupt.send_replace(true);
        self.change = Some(change);
    }

    /// Lends the idle slots for what is due or was left, and commits.
    fn begin_what_is_due(&mut self, under_way: &mut UnderWay<O>) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush_at = self.next_flush();
            self.flushes.send_modify(|flushes| *flushes += 1);
        }
        for slot in std::mem::take(&mut self.idle) {
            let due = if self.change.is_none() { self.due(&slot, now) } else { None };
            match due {
                Some(work) => self.begin(slot, work, under_way),
                None => self.idle.push(slot),
            }
        }
        while self.change.is_none()
            && let Some(slot) = self.idle.pop_if(|_| !self.left.is_empty())
            && let Some((entry, pieces)) = self.left.pop_front()
        {
            self.begin(slot, Work::Deliver(entry, pieces), under_way);
        }
        if self.keeping.due_at().is_some_and(|at| at <= now) {
            // That of a state moves with its snapshot.
            let cursor = if self.profile.stateful { self.keeping.kept() } else { self.answered };
            self.commit(cursor, None, under_way);
        }
    }

    fn commit(&mut self, cursor: u64, state: Option<Saved>, under_way: &mut UnderWay<O>) {
        self.keeping.begin();
        let (ledger, reserved_to) = (Arc::clone(&self.ledger), self.reserve());
        let handed = (!self.profile.stateful).then_some(Handed::Below(reserved_to));
        let effects = Effects { cursor, state, handed, ..Effects::default() };
        under_way.push(async move { Finished::Commit(cursor, reserved_to, ledger.commit_all(effects).await) }.boxed());
    }

    fn due(&mut self, slot: &Slot<O>, now: Instant) -> Option<Work> {
        let is_lost = slot.is_scraped() && std::mem::take(&mut self.is_lost);
        if is_lost || slot.revive_at().is_some_and(|at| at <= now) {
            Some(Work::Revive)
        } else if slot.flush_is_due() {
            Some(Work::Flush)
        } else if slot.is_open() && self.may_save() && self.saving.due_at().is_some_and(|at| at <= now) {
            self.saving.begin(now);
            Some(Work::Save)
        } else {
            None
        }
    }

    /// A snapshot is of whole batches: it belongs to a cursor.
    fn may_save(&self) -> bool {
        self.left.is_empty() && !self.keeping.is_under_way()
    }

    /// When something is due for a slot that is idle, or for the cursor.
    fn wake_at(&self) -> Option<Instant> {
        if self.change.is_some() {
            // All else comes after it.
            return self.keeping.due_at();
        }
        let may_save = self.may_save() && self.idle.iter().any(Slot::is_open);
        let save_at = self.saving.due_at().filter(|_| may_save);
        let revive_at = self.idle.iter().filter_map(Slot::revive_at);
        revive_at.chain(save_at).chain(self.keeping.due_at()).chain(self.flush_at).min()
    }

    fn hand_over(&mut self, entry: Entry, under_way: &mut UnderWay<O>) {
        let received = entry.batch.received().iter().copied().fold(f64::INFINITY, f64::min);
        self.watermark.begin(entry.first, entry.next, received);
        self.status.set_oldest(self.watermark.oldest());
        let entry = self.marked(self.without_skipped(entry));
        self.status.pass(entry.next - entry.first - entry.batch.len() as u64);
        if entry.batch.is_empty() {
            self.answered_for(&entry);
            return;
        }
        let slot = self.idle.pop().unwrap_or_else(|| self.new_slot());
        let pieces = VecDeque::from([Piece::new(Arc::clone(&entry.batch))]);
        self.begin(slot, Work::Deliver(entry, pieces), under_way);
    }

    fn begin(&self, mut slot: Slot<O>, work: Work, under_way: &mut UnderWay<O>) {
        let answered = self.answered;
        let doing = async move {
            match work {
                Work::Deliver(entry, pieces) => {
                    let (first, records, bytes) = (entry.first, entry.batch.len(), entry.batch.byte_len());
                    let span = tracing::debug_span!("batch", publisher = slot.status.name(), first, records, bytes);
                    let outcome = slot.deliver(&entry.batch, pieces).instrument(span).await;
                    Finished::Deliver(slot, entry, outcome)
                }
                Work::Save => {
                    let outcome = slot.save(answered).await;
                    Finished::Save(slot, outcome)
                }
                Work::Flush => {
                    slot.flush_if_due().await;
                    Finished::Upkeep(slot, Ok(()))
                }
                Work::Revive => {
                    let outcome = slot.revive().await;
                    Finished::Upkeep(slot, outcome)
                }
            }
        };
        under_way.push(doing.boxed());
    }

    fn take_back(&mut self, finished: Finished<O>, under_way: &mut UnderWay<O>) -> Result<(), Halt> {
        match finished {
            Finished::Deliver(slot, entry, outcome) => {
                self.idle.push(slot);
                let left = outcome?;
                if self.profile.stateful {
                    self.saving.took(entry.batch.byte_len(), Instant::now());
                }
                if left.is_empty() {
                    self.answered_for(&entry);
                } else {
                    self.left.push_back((entry, left));
                }
            }
            Finished::Save(slot, outcome) => {
                self.idle.push(slot);
                match outcome? {
                    Some(saved) => {
                        let cursor = self.saved();
                        self.commit(cursor, Some(saved), under_way);
                    }
                    None => self.saving.failed(Instant::now()),
                }
            }
            Finished::Upkeep(slot, outcome) => {
                self.idle.push(slot);
                outcome?;
                if self.ledger.waits_below(self.keeping.kept()) {
                    self.keeping.has_more();
                }
            }
            Finished::Commit(cursor, reserved_to, outcome) => {
                if outcome.is_ok() {
                    self.reserved_to = reserved_to;
                }
                self.committed(cursor, outcome);
            }
        }
        Ok(())
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
