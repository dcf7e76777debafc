//! How a backing fails, by chance, and when the process that has it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// What becomes of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is synced.
    Well,
    /// The disk is full for now.
    Full,
    /// It cannot be written for now.
    Later,
    /// Nothing is taken any more; whether this is on the disk nobody knows.
    Failed {
        /// It is.
        there: bool,
    },
}

/// How well and how fast it works.
#[derive(Clone, Debug)]
pub(crate) struct Mood {
    pub(crate) random: fastrand::Rng,
    /// In 1,000 writes of the log so many fail.
    pub(crate) bad_appends: u32,
    /// In 1,000 commits.
    pub(crate) bad_commits: u32,
    /// In 1,000 failures so many are for good.
    pub(crate) for_good: u32,
    /// The shortest that a write, a commit or a reading takes.
    pub(crate) quickest: Duration,
    /// The longest.
    pub(crate) slowest: Duration,
}

impl Mood {
    /// All goes well and at once.
    pub(crate) fn good() -> Self {
        Self {
            random: fastrand::Rng::with_seed(0),
            bad_appends: 0,
            bad_commits: 0,
            for_good: 0,
            quickest: Duration::ZERO,
            slowest: Duration::ZERO,
        }
    }

    /// All goes well and takes so long.
    pub(crate) fn slow(time: Duration) -> Self {
        Self { quickest: time, slowest: time, ..Self::good() }
    }

    /// All fails.
    pub(crate) fn bad() -> Self {
        Self { bad_appends: 1_000, bad_commits: 1_000, ..Self::good() }
    }

    /// How many are written together.
    pub(super) fn group(&mut self) -> usize {
        self.random.usize(1..8)
    }

    /// How much of what was not synced is there.
    pub(super) fn up_to(&mut self, most: usize) -> usize {
        self.random.usize(..=most)
    }

    pub(super) fn log(&mut self) -> (Duration, Verdict) {
        (self.takes(), self.verdict(self.bad_appends))
    }

    pub(super) fn meta(&mut self) -> (Duration, Verdict) {
        (self.takes(), self.verdict(self.bad_commits))
    }

    pub(super) fn read(&mut self) -> Duration {
        self.takes()
    }

    fn takes(&mut self) -> Duration {
        self.quickest + self.slowest.saturating_sub(self.quickest).mul_f64(self.random.f64().powi(3))
    }

    fn verdict(&mut self, bad: u32) -> Verdict {
        if self.random.u32(..1_000) >= bad {
            Verdict::Well
        } else if self.random.u32(..1_000) < self.for_good {
            Verdict::Failed { there: self.random.bool() }
        } else if self.random.bool() {
            Verdict::Full
        } else {
            Verdict::Later
        }
    }
}

/// Ends the process after so many events; nothing is kept or told after that. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fuse(Arc<(AtomicU32, Notify)>);

impl Fuse {
    pub(crate) fn after(events: u32) -> Self {
        Self(Arc::new((AtomicU32::new(events), Notify::new())))
    }

    /// One that never blows by itself.
    pub(crate) fn none() -> Self {
        Self::after(u32::MAX)
    }

    /// An event; says whether the process has ended.
    pub(crate) fn burn(&self) -> bool {
        let left = self.0.0.load(Ordering::Relaxed);
        if left != u32::MAX && left > 0 {
            self.0.0.store(left - 1, Ordering::Relaxed);
        }
        if left == 1 {
            self.0.1.notify_waiters();
        }
        left <= 1
    }

    pub(crate) fn blow(&self) {
        self.0.0.store(0, Ordering::Relaxed);
        self.0.1.notify_waiters();
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) == 0
    }

    /// Waits for it.
    pub(crate) async fn blown(&self) {
        loop {
            let told = self.0.1.notified();
            if self.is_blown() {
                return;
            }
            told.await;
        }
    }
}
