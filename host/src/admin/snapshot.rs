//! How metricast stands at one moment, as `/status` shows it. Everything else that is told on the admin port is made of
//! it. No settings and no records are in here, so no secrets either.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// All of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// Of metricast.
    pub version: String,
    /// When the process started, in seconds since the Unix epoch.
    pub started: f64,
    /// When this was taken, in the same.
    pub now: f64,
    /// The config; none where it is the built-in one.
    pub config: Option<PathBuf>,
    /// How far it is.
    pub stage: Stage,
    /// The queue, once it is open.
    pub queue: Option<QueueView>,
    /// The publishers, in the order of the config, once they are known.
    pub publishers: Vec<PublisherView>,
    /// What came in over HTTP.
    pub ingest: IngestView,
    /// How often a new config was taken.
    pub reloads: ReloadsView,
}

/// How far the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Publishers are being opened; no records are taken yet.
    #[default]
    Starting,
    /// Records are taken.
    Running,
    /// No records are taken any more; what is queued is delivered.
    Draining,
}

/// The queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueView {
    /// Where it is kept.
    pub mode: Mode,
    /// The folder that it is kept in.
    pub path: Option<PathBuf>,
    /// Records that some publisher has not answered for.
    pub records: u64,
    /// Bytes of memory or disk that it takes.
    pub bytes: u64,
    /// As many may be taken.
    pub max_bytes: u64,
    /// Records that damage of the disk has cost, each counted once a publisher that needed it.
    pub lost: u64,
    /// Publishers that hold it back: those that are furthest behind, while it has no room.
    pub held_by: Vec<String>,
    /// Upper bounds in seconds and how many syncs took at most so long.
    #[serde(skip)]
    pub syncs: Vec<(f64, u64)>,
    /// Seconds that all syncs took.
    #[serde(skip)]
    pub sync_seconds: f64,
}

/// Where a queue is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is gone with the process.
    #[default]
    Memory,
    /// In a folder.
    Disk,
}

/// One publisher.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PublisherView {
    /// Its name.
    pub name: String,
    /// What it runs: a bundled plugin's name or the path of a component.
    pub plugin: String,
    /// What it does.
    pub state: State,
    /// Why it waits or has halted.
    pub reason: Option<String>,
    /// It has read all that was there when it started.
    pub caught_up: bool,
    /// Records that it has no answer for.
    pub lag_records: u64,
    /// The age of the oldest of them, in seconds; 0 where there is none.
    pub lag_seconds: f64,
    /// What went wrong last, however well it goes now.
    pub last_error: Option<ErrorView>,
    /// When it asks its backend again, in seconds since the Unix epoch, where it waits for that.
    pub next_try: Option<f64>,
    /// What it has done since it started.
    pub counts: CountsView,
    /// Records among the accepted ones that its plugin still holds.
    pub pending: u64,
    /// Bytes of the last snapshot of its plugin's state; 0 where there was none.
    pub last_snapshot_bytes: u64,
    /// Why what it did is not kept, where that is so.
    pub not_kept: Option<String>,
    /// Dead letters that are held for it.
    pub dead_letters: u64,
    /// Those that had to go since there were too many.
    pub dead_letters_evicted: u64,
    /// So long it may do nothing while records wait: its calls end before that.
    #[serde(skip)]
    pub patience: Duration,
}

/// What a publisher does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its plugin is being opened.
    #[default]
    Opening,
    /// All is well.
    Running,
    /// Something failed and is tried again.
    Waiting,
    /// It does not go on until a person acts.
    Halted,
    /// It has ended.
    Done,
}

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ErrorView {
    /// When, in seconds since the Unix epoch.
    pub time: f64,
    /// What.
    pub reason: String,
}

/// What a publisher has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CountsView {
    /// Records that the backend has.
    pub accepted: u64,
    /// Records that it will never take.
    pub rejected: u64,
    /// Records that became too old.
    pub given_up: u64,
    /// Records that were dropped since the publisher held a full queue back.
    pub dropped: u64,
    /// Records that were sent again, each time counted.
    pub retried: u64,
    /// Those among them of which nobody knew what had come of them.
    pub in_doubt: u64,
    /// Instances that were lost to a trap, a limit or a time-out.
    pub faults: u64,
    /// Batches that were answered for.
    pub batches: u64,
    /// Bytes of packed records that were handed over.
    pub bytes: u64,
}

/// What came in over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IngestView {
    /// Requests by the status of their answer.
    pub requests: BTreeMap<u16, u64>,
    /// Records that are or were in the queue.
    pub accepted: u64,
    /// Lines that were no records.
    pub refused: u64,
}

/// How often a new config was taken while running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReloadsView {
    /// Times that it was.
    pub applied: u64,
    /// Times that it was not, as something was wrong with it.
    pub refused: u64,
    /// The last one was refused.
    pub last_refused: bool,
}

impl Stage {
    /// As in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
        }
    }
}

impl State {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Opening, Self::Running, Self::Waiting, Self::Halted, Self::Done];

    /// As in `/status` and `/metrics`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Halted => "halted",
            Self::Done => "done",
        }
    }
}
