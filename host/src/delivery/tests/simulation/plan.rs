//! What is drawn from a seed.

use fastrand::Rng;

use super::*;
use crate::queue::WhenBehind;

/// What a publisher's plugin is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has as many instances, and its backend knows records by epoch and offset.
    Stateless { instances: u32 },
    /// It counts.
    Stateful,
    /// It counts, and pushes what it has counted at an interval.
    Pushing,
}

#[derive(Clone, Debug)]
pub(super) struct PublisherPlan {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) when_behind: WhenBehind,
    /// Old records are given up at the first trouble.
    pub(super) gives_up: bool,
    /// In 1,000 calls so many fail.
    pub(super) bad_calls: u32,
    pub(super) slowest: Duration,
    /// Every so many-th record kills the plugin, every so many-th is rejected; 0 is none.
    pub(super) poison: u64,
    pub(super) rejected: u64,
    pub(super) max_records: usize,
    pub(super) max_age: Duration,
    pub(super) max_unsaved: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) lives: u32,
    pub(super) senders: u32,
    /// Batches of each sender in each life.
    pub(super) batches: u32,
    pub(super) max_bytes: usize,
    pub(super) bad_appends: u32,
    pub(super) bad_commits: u32,
    pub(super) for_good: u32,
    pub(super) slowest: Duration,
    /// Plugins are swapped, and publishers replaced, while they work.
    pub(super) changes: bool,
    pub(super) publishers: Vec<PublisherPlan>,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let publishers = (0..random.usize(1..=3)).map(|index| PublisherPlan::draw(index, random)).collect();
        Self {
            seed,
            lives: 1 + random.u32(..3) * random.u32(..3),
            senders: random.u32(1..=4),
            batches: random.u32(1..=3),
            max_bytes: random.usize(3_000..40_000),
            bad_appends: one_of(random, &[0, 0, 100, 500]),
            bad_commits: one_of(random, &[0, 0, 100, 500]),
            for_good: one_of(random, &[0, 300]),
            slowest: Duration::from_millis(one_of(random, &[0, 3, 50, 2_000])),
            changes: random.bool(),
            publishers,
        }
    }

    /// Other draws of the same schedule.
    pub(super) fn random(&self, of: u64) -> Rng {
        Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of)
    }
}

impl PublisherPlan {
    fn draw(index: usize, random: &mut Rng) -> Self {
        let kind = match random.u32(..4) {
            0 | 1 => Kind::Stateless { instances: random.u32(1..=3) },
            2 => Kind::Stateful,
            _ => Kind::Pushing,
        };
        Self {
            name: format!("p{index}"),
            kind,
            when_behind: if random.u32(..4) == 0 { WhenBehind::DropOldest } else { WhenBehind::Block },
            gives_up: random.u32(..4) == 0,
            bad_calls: one_of(random, &[0, 50, 300, 700]),
            slowest: Duration::from_millis(one_of(random, &[0, 5, 100, 3_000])),
            poison: one_of(random, &[0, 0, 17, 41]),
            rejected: one_of(random, &[0, 0, 7, 1]),
            max_records: random.usize(1..=12),
            max_age: Duration::from_millis(one_of(random, &[0, 100, 1_000])),
            max_unsaved: random.usize(1..4_000),
        }
    }

    pub(super) fn is_poison(&self, record: u64) -> bool {
        self.poison > 0 && record % self.poison == 3
    }

    pub(super) fn is_rejected(&self, record: u64) -> bool {
        self.rejected > 0 && record % self.rejected == self.rejected / 2
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            batching: Batching { max_records: self.max_records, max_bytes: 1 << 20, max_age: self.max_age },
            retry: Retry {
                initial: Duration::from_millis(50),
                max: Duration::from_secs(1),
                give_up_after: self.gives_up.then(|| Duration::from_hours(1)),
            },
            max_instances: 3,
            max_unsaved: self.max_unsaved,
            reset_state: false,
        }
    }
}

pub(super) fn one_of<T: Copy>(random: &mut Rng, all: &[T]) -> T {
    all[random.usize(..all.len())]
}
