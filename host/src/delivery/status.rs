//! How a delivery stands and what it has done: for summaries, progress and health.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricast_records::{Record, dictionary};

use crate::clock;
use crate::plugin::LateRejection;
use crate::untrusted;

/// Reasons that are told apart; more are counted together.
const REASONS: usize = 100;
/// Bytes of a record that is shown with its reason.
const EXAMPLE: usize = 2 << 10;

/// Shared by a delivery and whoever looks at it.
#[derive(Debug)]
pub struct Status {
    name: String,
    accepted: AtomicU64,
    rejected: AtomicU64,
    retried: AtomicU64,
    batches: AtomicU64,
    bytes: AtomicU64,
    faults: AtomicU64,
    given_up: AtomicU64,
    pending: AtomicU64,
    passed: AtomicU64,
    in_doubt: AtomicU64,
    snapshot_bytes: AtomicU64,
    caught_up: AtomicBool,
    oldest: Mutex<Option<f64>>,
    next_try: Mutex<Option<f64>>,
    last_error: Mutex<Option<Trouble>>,
    unkept: Mutex<Option<String>>,
    phase: Mutex<Phase>,
    rejections: Mutex<Reasons>,
    surrenders: Mutex<Reasons>,
}

/// What a delivery is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The plugin is being opened.
    Opening,
    /// All is well.
    Running,
    /// Something failed and is tried again.
    Waiting {
        /// What failed.
        reason: String,
    },
    /// It will not go on until a person acts; its records stay in the queue, which fills.
    Halted {
        /// Why.
        reason: String,
    },
    /// Its queue has ended and all of it is answered for.
    Done,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// When, in seconds since the Unix epoch.
    pub time: f64,
    /// What.
    pub reason: String,
}

/// What a delivery has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that the backend has.
    pub accepted: u64,
    /// Records that it will never take.
    pub rejected: u64,
    /// Records that were sent again, each time counted.
    pub retried: u64,
    /// Batches that were answered for.
    pub batches: u64,
    /// Bytes of packed records that were handed to the plugin, without those sent again.
    pub bytes: u64,
    /// Instances that were lost to a trap, a limit or a time-out.
    pub faults: u64,
    /// Records that became too old before the backend would answer for them.
    pub given_up: u64,
    /// Records among the accepted ones that the plugin says it still holds.
    pub pending: u64,
    /// Records that were not for it: addressed to another publisher, or never to be handed to this one again.
    pub passed: u64,
    /// Records that were sent again without knowing what came of them before, each time counted.
    pub in_doubt: u64,
}

impl Counts {
    /// Records that are done with, one way or another.
    pub fn answered(&self) -> u64 {
        self.accepted + self.rejected + self.given_up + self.passed
    }

    /// Those among them that the plugin does not hold back.
    pub fn at_rest(&self) -> u64 {
        self.answered().saturating_sub(self.pending)
    }
}

/// Why records were rejected or given up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// How many for each reason, and the first record that it was.
    pub by_reason: BTreeMap<String, (u64, String)>,
    /// How many more there were when the reasons became too many.
    pub others: u64,
}

impl Status {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            in_doubt: AtomicU64::new(0),
            snapshot_bytes: AtomicU64::new(0),
            caught_up: AtomicBool::new(false),
            oldest: Mutex::default(),
            next_try: Mutex::default(),
            last_error: Mutex::default(),
            unkept: Mutex::default(),
            phase: Mutex::new(Phase::Opening),
            rejections: Mutex::default(),
            surrenders: Mutex::default(),
        }
    }

    /// The publisher's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            accepted: read(&self.accepted),
            rejected: read(&self.rejected),
            retried: read(&self.retried),
            batches: read(&self.batches),
            bytes: read(&self.bytes),
            faults: read(&self.faults),
            given_up: read(&self.given_up),
            pending: read(&self.pending),
            passed: read(&self.passed),
            in_doubt: read(&self.in_doubt),
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        lock(&self.phase).clone()
    }

    /// Why records were rejected.
    pub fn rejections(&self) -> Reasons {
        lock(&self.rejections).clone()
    }

    /// Why records were given up.
    pub fn surrenders(&self) -> Reasons {
        lock(&self.surrenders).clone()
    }

    /// Whether it has read all that was there when it started; what it shows is whole then.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Relaxed)
    }

    /// When the oldest record that it was handed and has no answer came, in seconds since the Unix epoch.
    pub fn oldest(&self) -> Option<f64> {
        *lock(&self.oldest)
    }

    /// When it asks the backend again, in seconds since the Unix epoch, where it waits for that.
    pub fn next_try(&self) -> Option<f64> {
        *lock(&self.next_try)
    }

    /// What went wrong last, however well it goes now.
    pub fn last_error(&self) -> Option<Trouble> {
        lock(&self.last_error).clone()
    }

    /// Why what it did is not kept, where that is so.
    pub fn unkept(&self) -> Option<String> {
        lock(&self.unkept).clone()
    }

    /// Bytes of the last snapshot of its plugin's state.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshot_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn caught_up(&self) {
        self.caught_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_oldest(&self, received: Option<f64>) {
        *lock(&self.oldest) = received;
    }

    pub(super) fn set_next_try(&self, pause: Option<Duration>) {
        *lock(&self.next_try) = pause.map(|pause| clock::now() + pause.as_secs_f64());
    }

    pub(super) fn took_snapshot(&self, bytes: usize) {
        self.snapshot_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// What it did lasts.
    pub(super) fn kept(&self) {
        if lock(&self.unkept).take().is_some() {
            tracing::info!(publisher = self.name, "what it does is kept again");
        }
    }

    /// What it did does not last yet.
    pub(super) fn not_kept(&self, reason: &str) {
        let known = lock(&self.unkept).replace(reason.to_owned());
        if known.as_deref() != Some(reason) {
            tracing::error!(
                publisher = self.name,
                "what it does is not kept, and is done again after a start: {reason}; trying again"
            );
        }
    }

    pub(super) fn pass(&self, records: u64) {
        self.passed.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn doubt(&self, records: u64) {
        self.in_doubt.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn accept(&self, records: u64) {
        self.accepted.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn retry(&self, records: u64) {
        self.retried.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, bytes: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn reject(&self, record: &Record<'_>, reason: &str) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        self.note(&self.rejections, "a record was rejected", reason, || dictionary::to_string(&record.metrics));
    }

    /// How many records an instance holds back changes from `before` to `now`.
    pub(super) fn pending(&self, before: u64, now: u64) {
        let change = |pending: u64| Some(pending.saturating_sub(before).saturating_add(now));
        let _ = self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// A record that was counted as accepted before. There cannot be more of them than were accepted.
    pub(super) fn reject_late(&self, late: &LateRejection, reason: &str) {
        let one_less = |accepted: u64| accepted.checked_sub(1);
        if self.accepted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
            return;
        }
        self.rejected.fetch_add(1, Ordering::Relaxed);
        let place = || format!("{} of epoch {}", late.offset, late.epoch);
        self.note(&self.rejections, "a record was rejected late", reason, place);
    }

    /// A record that became too old.
    pub(super) fn give_up(&self, record: &Record<'_>, reason: &str) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
        self.note(&self.surrenders, "a record was given up", reason, || dictionary::to_string(&record.metrics));
    }

    /// The first record of a reason is told, all are counted.
    fn note(&self, reasons: &Mutex<Reasons>, what: &str, reason: &str, example: impl FnOnce() -> String) {
        let mut reasons = lock(reasons);
        if let Some((count, _)) = reasons.by_reason.get_mut(reason) {
            *count += 1;
        } else if reasons.by_reason.len() == REASONS {
            reasons.others += 1;
        } else {
            let example = untrusted::text(&example(), EXAMPLE);
            tracing::warn!(publisher = self.name, reason, record = example, "{what}");
            reasons.by_reason.insert(reason.to_owned(), (1, example));
        }
    }

    /// A change for the better or worse is told once, not at every try.
    pub(super) fn waiting(&self, reason: &str) {
        if self.starts_waiting(reason) {
            tracing::warn!(publisher = self.name, "{reason}; trying again");
        }
    }

    /// As [`waiting`](Self::waiting), for what does not pass by itself.
    pub(super) fn needs_a_person(&self, reason: &str) {
        if self.starts_waiting(reason) {
            tracing::error!(
                publisher = self.name,
                "{reason}; its records wait till this is put right, tried again slowly"
            );
        }
    }

    /// What was waited for is well again, unless it is something else by now.
    pub(super) fn is_over(&self, reason: &str) {
        let known = matches!(&*lock(&self.phase), Phase::Waiting { reason: known } if known == reason);
        if known {
            self.running();
        }
    }

    /// Whether this reason is a new one.
    fn starts_waiting(&self, reason: &str) -> bool {
        *lock(&self.last_error) = Some(Trouble { time: clock::now(), reason: reason.to_owned() });
        let mut phase = lock(&self.phase);
        let known = matches!(&*phase, Phase::Waiting { reason: known } if known == reason);
        if !known {
            *phase = Phase::Waiting { reason: reason.to_owned() };
        }
        !known
    }

    pub(super) fn running(&self) {
        let mut phase = lock(&self.phase);
        if let Phase::Waiting { reason } = &*phase {
            tracing::info!(publisher = self.name, "goes on after: {reason}");
        }
        if *phase != Phase::Running {
            *phase = Phase::Running;
        }
    }

    pub(super) fn halted(&self, reason: &str) {
        tracing::error!(publisher = self.name, "halted, its records stay in the queue: {reason}");
        *lock(&self.last_error) = Some(Trouble { time: clock::now(), reason: reason.to_owned() });
        *lock(&self.phase) = Phase::Halted { reason: reason.to_owned() };
    }

    /// Says again what nobody may have seen.
    pub(super) fn still_halted(&self, held: u64) {
        if let Phase::Halted { reason } = self.phase() {
            tracing::error!(publisher = self.name, held, "still halted, and holds records in the queue: {reason}");
        }
    }

    pub(super) fn done(&self) {
        let mut phase = lock(&self.phase);
        if !matches!(&*phase, Phase::Halted { .. }) {
            *phase = Phase::Done;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What stands behind these is whole at every point.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
