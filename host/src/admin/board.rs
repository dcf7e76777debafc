//! Where the running parts are found: the program pins up what there is to be seen, and [`Board::snapshot`] reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricast_store::meta::LetterCount;
use tokio::sync::{Notify, watch};

use super::snapshot::{
    CountsView, ErrorView, IngestView, Mode, PublisherView, QueueView, ReloadsView, Snapshot, Stage, State,
};
use crate::clock;
use crate::config::{Checked, Publisher};
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
    /// In the order of the config.
    traits: Vec<Traits>,
    reloads: ReloadsView,
    /// Since when records wait for publishers that were handed none of them.
    behind: BTreeMap<String, f64>,
}

/// What the config says of a publisher.
#[derive(Clone, Debug)]
struct Traits {
    name: String,
    plugin: String,
    patience: Duration,
}

impl Board {
    /// Of a process that starts with a config; without a path it is the built-in one.
    pub fn new(path: Option<&Path>, config: &Checked) -> Self {
        let pinned = Pinned { traits: traits(config), ..Pinned::default() };
        Self(Arc::new(Inner {
            started: clock::now(),
            config: path.map(Path::to_owned),
            ingest: Arc::default(),
            changed: Notify::new(),
            pinned: Mutex::new(pinned),
        }))
    }

    /// What the source counts on.
    pub fn ingest(&self) -> Arc<Tally> {
        Arc::clone(&self.0.ingest)
    }

    /// Shows a pipeline that runs as `config` says, in place of the one before; after each reload again.
    pub fn show(&self, look: Look, config: &Checked) {
        let mut pinned = self.lock();
        pinned.traits = traits(config);
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
        let Some(look) = look else {
            snapshot.publishers = traits.iter().map(|traits| traits.view(&traits.name)).collect();
            return snapshot;
        };
        let standings = look.queue.standings();
        let letters = look.store.as_ref().map(|store| store.meta().letter_counts()).unwrap_or_default();
        snapshot.queue = Some(queue(look, &standings));
        for at in &look.publishers {
            let dropped = standings.iter().find(|standing| standing.publisher == at.status.name());
            let dropped = dropped.map_or(0, |standing| standing.dropped);
            let mut view = publisher(at, look.queue.appended(), dropped, now, traits);
            if *stage != Stage::Draining {
                ended_by_itself(&mut view, &at.over);
            }
            wait_since(&mut view, at.status.oldest(), behind, now);
            let LetterCount { held, evicted } = letters.get(&view.name).copied().unwrap_or_default();
            (view.dead_letters, view.dead_letters_evicted) = (held, evicted);
            snapshot.publishers.push(view);
        }
        snapshot
    }

    fn lock(&self) -> MutexGuard<'_, Pinned> {
        // What stands behind it is whole at every point.
        self.0.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn traits(config: &Checked) -> Vec<Traits> {
    let of = |publisher: &Publisher| Traits {
        name: publisher.name.clone(),
        plugin: publisher.plugin.to_string(),
        patience: 2 * publisher.limits.call_time() + publisher.batch.max_age + SLACK,
    };
    config.publishers.iter().map(of).collect()
}

impl Traits {
    fn view(&self, name: &str) -> PublisherView {
        let (name, plugin) = (name.to_owned(), self.plugin.clone());
        PublisherView { name, plugin, patience: self.patience, ..PublisherView::default() }
    }
}

/// With what the config says. A publisher of which a plugin made several is called `NAME/WHAT`.
fn bare(name: &str, traits: &[Traits]) -> PublisherView {
    let stem = name.split('/').next();
    let found = traits.iter().find(|traits| traits.name == name || Some(traits.name.as_str()) == stem);
    found.map_or_else(|| PublisherView { name: name.to_owned(), ..PublisherView::default() }, |found| found.view(name))
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

fn publisher(at: &LookAt, appended: u64, dropped: u64, now: f64, traits: &[Traits]) -> PublisherView {
    let status = &at.status;
    let counts = status.counts();
    let (state, reason) = match status.phase() {
        Phase::Opening => (State::Opening, None),
        Phase::Running => (State::Running, None),
        Phase::Waiting { reason } => (State::Waiting, Some(reason)),
        Phase::Halted { reason } => (State::Halted, Some(reason)),
        Phase::Done => (State::Done, None),
    };
    PublisherView {
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
        ..bare(status.name(), traits)
    }
}

/// Who ends while nobody stops it has met a mistake of metricast.
fn ended_by_itself(view: &mut PublisherView, over: &watch::Receiver<bool>) {
    let has_ended = *over.borrow() || over.has_changed().is_err();
    if has_ended && !matches!(view.state, State::Halted | State::Done) {
        (view.state, view.reason) = (State::Halted, Some("its task has ended, please report it".to_owned()));
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
    fn whose_task_is_gone_has_halted_unless_it_said_why() {
        let ended = |state: State, over: bool, is_gone: bool| {
            let (tell, told) = watch::channel(over);
            let _kept = (!is_gone).then_some(tell);
            let mut view = PublisherView { state, ..PublisherView::default() };
            ended_by_itself(&mut view, &told);
            view.state
        };
        assert_eq!(ended(State::Running, false, false), State::Running);
        assert_eq!(ended(State::Running, false, true), State::Halted);
        assert_eq!(ended(State::Waiting, true, false), State::Halted);
        assert_eq!(ended(State::Done, true, true), State::Done);
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
    fn before_a_pipeline_runs_its_publishers_are_being_opened() {
        let board = Board::new(Some(Path::new("metricast.toml")), &crate::config::built_in());
        board.reloaded(true);
        board.reloaded(false);
        let snapshot = board.snapshot();
        assert_eq!((snapshot.stage, snapshot.queue), (Stage::Starting, None));
        let [one] = snapshot.publishers.as_slice() else { panic!("{:?}", snapshot.publishers) };
        assert_eq!((one.name.as_str(), one.plugin.as_str(), one.state), ("prometheus", "prometheus", State::Opening));
        assert_eq!(snapshot.reloads, ReloadsView { applied: 1, refused: 1, last_refused: true });
        board.enter(Stage::Draining);
        board.enter(Stage::Running);
        assert_eq!(board.snapshot().stage, Stage::Draining, "it never goes back");
    }

    #[test]
    fn a_part_of_a_publisher_runs_what_the_whole_does() {
        let traits = traits(&crate::config::built_in());
        assert_eq!(bare("prometheus/metrics", &traits).plugin, "prometheus");
        assert_eq!(bare("another", &traits).plugin, "");
    }
}
