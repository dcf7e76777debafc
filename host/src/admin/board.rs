//! Where the running parts are found: the program pins up what there is to be seen, and [`Board::snapshot`] reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricast_store::meta::LetterCount;
use tokio::sync::Notify;

use super::snapshot::{
    CountsView, ErrorView, IngestView, Mode, PublisherView, QueueView, ReloadsView, Snapshot, Stage, State,
};
use crate::clock;
use crate::config::Checked;
use crate::delivery::Phase;
use crate::pipeline::{Look, LookAt};
use crate::queue::Standing;
use crate::source::Tally;

/// A queue that is as full as this (in hundredths) has no room for a larger body any more.
const FULL: u64 = 90;
/// What a publisher needs beside its calls to answer for a batch, at the most.
const SLACK: Duration = Duration::from_secs(10);

/// What is pinned up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: f64,
    config: Option<PathBuf>,
    ingest: Arc<Tally>,
    changed: Notify,
    pinned: Mutex<Pinned>,
}

#[derive(Debug, Default)]
struct Pinned {
    stage: Stage,
    look: Option<Look>,
    traits: BTreeMap<String, Traits>,
    reloads: ReloadsView,
    /// Since when records wait for publishers that were handed none of them.
    behind: BTreeMap<String, f64>,
}

/// What the config says of a publisher.
#[derive(Clone, Debug)]
struct Traits {
    plugin: String,
    patience: Duration,
}

impl Board {
    /// Of a process that starts with a config; without a path it is the built-in one.
    pub fn new(config: Option<&Path>) -> Self {
        Self(Arc::new(Inner {
            started: clock::now(),
            config: config.map(Path::to_owned),
            ingest: Arc::default(),
            changed: Notify::new(),
            pinned: Mutex::default(),
        }))
    }

    /// What the source counts on.
    pub fn ingest(&self) -> Arc<Tally> {
        Arc::clone(&self.0.ingest)
    }

    /// Shows a pipeline that runs as `config` says, in place of the one before; after each reload again.
    pub fn show(&self, look: Look, config: &Checked) {
        let traits = config.publishers.iter().map(|publisher| {
            let calls = 2 * publisher.limits.call_time();
            let patience = calls + publisher.batch.max_age + SLACK;
            (publisher.name.clone(), Traits { plugin: publisher.plugin.to_string(), patience })
        });
        let mut pinned = self.lock();
        pinned.traits = traits.collect();
        pinned.look = Some(look);
        drop(pinned);
        self.0.changed.notify_one();
    }

    /// Tells how far the process is. It never goes back.
    pub fn enter(&self, stage: Stage) {
        let mut pinned = self.lock();
        pinned.stage = pinned.stage.max(stage);
        drop(pinned);
        self.0.changed.notify_one();
    }

    /// A new config was taken, or refused.
    pub fn reloaded(&self, applied: bool) {
        let reloads = &mut self.lock().reloads;
        *(if applied { &mut reloads.applied } else { &mut reloads.refused }) += 1;
        reloads.last_refused = !applied;
    }

    /// Waits until another stage or pipeline is pinned up. For one listener.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// How all stands now.
    pub fn snapshot(&self) -> Snapshot {
        let now = clock::now();
        let mut pinned = self.lock();
        let Pinned { stage, look, traits, reloads, behind } = &mut *pinned;
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.0.started,
            now,
            config: self.0.config.clone(),
            stage: *stage,
            ingest: IngestView {
                requests: self.0.ingest.requests(),
                accepted: self.0.ingest.accepted(),
                refused: self.0.ingest.refused(),
            },
            reloads: *reloads,
            ..Snapshot::default()
        };
        let Some(look) = look else { return snapshot };
        let standings = look.queue.standings();
        let letters = look.store.as_ref().map(|store| store.meta().letter_counts()).unwrap_or_default();
        snapshot.queue = Some(queue(look, &standings));
        for at in &look.publishers {
            let dropped = standings.iter().find(|standing| standing.publisher == at.status.name());
            let mut view = publisher(at, look.queue.appended(), dropped.map_or(0, |standing| standing.dropped), now);
            wait_since(&mut view, at.status.oldest(), behind, now);
            let LetterCount { held, evicted } = letters.get(&view.name).copied().unwrap_or_default();
            (view.dead_letters, view.dead_letters_evicted) = (held, evicted);
            if let Some(traits) = traits_of(&view.name, traits) {
                (view.plugin, view.patience) = (traits.plugin.clone(), traits.patience);
            }
            snapshot.publishers.push(view);
        }
        snapshot
    }

    fn lock(&self) -> MutexGuard<'_, Pinned> {
        // What stands behind it is whole at every point.
        self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A publisher of which a plugin made several is called `NAME/WHAT`.
fn traits_of<'a>(name: &str, traits: &'a BTreeMap<String, Traits>) -> Option<&'a Traits> {
    traits.get(name).or_else(|| traits.get(name.split('/').next()?))
}

fn queue(look: &Look, standings: &[Standing]) -> QueueView {
    let fill = look.queue.fill();
    let (syncs, sync_seconds) = look.queue.syncs().unwrap_or_default();
    let (bytes, max_bytes) = (fill.bytes as u64, fill.max_bytes as u64);
    QueueView {
        mode: if look.store.is_some() { Mode::Disk } else { Mode::Memory },
        path: look.store.as_ref().map(|store| store.folder().to_owned()),
        records: fill.records,
        bytes,
        max_bytes,
        lost: look.queue.lost(),
        held_by: holders(standings, look.queue.appended(), bytes >= max_bytes / 100 * FULL),
        syncs,
        sync_seconds,
    }
}

/// Who is furthest behind in a full queue.
fn holders(standings: &[Standing], appended: u64, is_full: bool) -> Vec<String> {
    let lowest = standings.iter().map(|standing| standing.needs).min().filter(|&lowest| is_full && lowest < appended);
    let behind = standings.iter().filter(|standing| Some(standing.needs) == lowest && !standing.publisher.is_empty());
    behind.map(|standing| standing.publisher.clone()).collect()
}

fn publisher(at: &LookAt, appended: u64, dropped: u64, now: f64) -> PublisherView {
    let status = &at.status;
    let counts = status.counts();
    let (state, reason) = match status.phase() {
        Phase::Opening => (State::Opening, None),
        Phase::Running => (State::Running, None),
        Phase::Waiting { reason } => (State::Waiting, Some(reason)),
        Phase::Halted { reason } => (State::Halted, Some(reason)),
        Phase::Done => (State::Done, None),
    };
    let ended_by_itself = *at.over.borrow() || at.over.has_changed().is_err();
    let (state, reason) = match state {
        State::Opening | State::Running | State::Waiting if ended_by_itself => {
            (State::Halted, Some("its task has ended, please report it".to_owned()))
        }
        _ => (state, reason),
    };
    PublisherView {
        name: status.name().to_owned(),
        state,
        reason,
        caught_up: status.is_caught_up(),
        lag_records: appended.saturating_sub(at.began_at).saturating_sub(counts.answered()).saturating_sub(dropped),
        lag_seconds: status.oldest().map_or(0.0, |received| (now - received).max(0.0)),
        last_error: status.last_error().map(|error| ErrorView { time: error.time, reason: error.reason }),
        next_try: status.next_try(),
        counts: CountsView {
            accepted: counts.accepted,
            rejected: counts.rejected,
            given_up: counts.given_up,
            dropped,
            retried: counts.retried,
            in_doubt: counts.in_doubt,
            faults: counts.faults,
            batches: counts.batches,
            bytes: counts.bytes,
        },
        pending: counts.pending,
        last_snapshot_bytes: status.snapshot_bytes(),
        not_kept: status.unkept(),
        ..PublisherView::default()
    }
}

/// Who was handed none of the records that wait for it is at least so far behind as this has been seen.
fn wait_since(view: &mut PublisherView, oldest: Option<f64>, behind: &mut BTreeMap<String, f64>, now: f64) {
    if view.lag_records == 0 {
        view.lag_seconds = 0.0;
        behind.remove(&view.name);
    } else if oldest.is_some() {
        behind.remove(&view.name);
    } else {
        view.lag_seconds = (now - *behind.entry(view.name.clone()).or_insert(now)).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(publisher: &str, needs: u64) -> Standing {
        Standing { publisher: publisher.to_owned(), needs, dropped: 0, is_absent: false }
    }

    #[test]
    fn those_furthest_behind_hold_a_full_queue() {
        let all = [standing("a", 3), standing("b", 9), standing("c", 3)];
        assert_eq!(holders(&all, 9, true), ["a", "c"]);
        assert!(holders(&all, 9, false).is_empty(), "there is room");
        assert!(holders(&[standing("b", 9)], 9, true).is_empty(), "nobody is behind");
    }

    #[test]
    fn records_that_nobody_was_handed_grow_old_too() {
        let mut behind = BTreeMap::new();
        let mut view = PublisherView { name: "p".into(), lag_records: 2, ..PublisherView::default() };
        wait_since(&mut view, None, &mut behind, 100.0);
        assert!(view.lag_seconds.abs() < 1e-9);
        wait_since(&mut view, None, &mut behind, 107.0);
        assert!((view.lag_seconds - 7.0).abs() < 1e-9);
        view.lag_records = 0;
        wait_since(&mut view, None, &mut behind, 108.0);
        assert!(view.lag_seconds.abs() < 1e-9 && behind.is_empty());
    }

    #[test]
    fn before_a_pipeline_runs_there_is_a_stage_and_nothing_else() {
        let board = Board::new(Some(Path::new("metricast.toml")));
        board.reloaded(true);
        board.reloaded(false);
        let snapshot = board.snapshot();
        assert_eq!((snapshot.stage, snapshot.queue, snapshot.publishers.len()), (Stage::Starting, None, 0));
        assert_eq!(snapshot.reloads, ReloadsView { applied: 1, refused: 1, last_refused: true });
    }
}
