//! Puts the parts together as a config says: plugins loaded and judged, a queue, a delivery for each publisher, listeners
//! for those that are scraped.
//!
//! [`Workshop::prepare`] does all that needs no I/O beyond this machine, and is what `metricast check` shows;
//! [`Pipeline::start`] opens the publishers; [`Pipeline::drain`] ends them.

mod exposition;
mod listen;
mod look;
mod member;
mod reload;
mod report;
mod split;
mod workshop;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::config::{self, Checked, InQueue};
use crate::delivery::sandbox::PluginOpener;
use crate::delivery::{Counts, Delivery};
use crate::egress::SecretError;
use crate::engine::EngineError;
use crate::grants::GrantError;
use crate::plugin::{CallError, LoadError};
use crate::queue::Queue;
use crate::queue::store::{Options, Store, StoreError};

use member::Member;

pub use exposition::ExpositionError;
pub use look::{Look, LookAt};
pub use reload::Reloaded;
pub use report::Report;
pub(crate) use split::SPLIT_BY;
pub(crate) use workshop::options;
pub use workshop::{Prepared, Workshop};

/// How many instances of one publisher work side by side at most.
const MAX_INSTANCES: u32 = 4;
/// What a stateful plugin may have taken since its last snapshot, and never more than a quarter of the queue.
const MAX_UNSAVED: usize = 8 << 20;
/// The same where the queue is on a disk, and records are kept in memory for that alone.
const MAX_UNSAVED_ON_DISK: usize = 32 << 20;
/// So long a start waits to see whether a publisher can be opened. One that is still at it goes on by itself.
const FIRST_OUTCOME: Duration = Duration::from_secs(5);
/// How often a drain looks whether something moves.
const LOOK: Duration = Duration::from_millis(20);

/// The workshop cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// No threads.
    #[error("no threads to run plugins on: {0}")]
    Threads(#[from] io::Error),
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a config cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A publisher cannot be opened.
    #[error("{problem}")]
    Publisher {
        /// Its place in the config.
        publisher: usize,
        /// What is wrong.
        problem: StartProblem,
    },
    /// The queue's folder.
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// It was to end before it was known whether it can be done.
    #[error("metricast is stopping")]
    Stopping,
}

/// What is wrong with a publisher.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// The plugin is unfit.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A secret of its settings cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An origin cannot be granted.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The plugin refuses its settings (the text starts with the key's path), or breaks.
    #[error("{0}")]
    Refused(String),
    /// Its address cannot be listened on.
    #[error(
        "cannot listen on {address} for scrapes: {source}; {}",
        listen_advice(.source, "does something else listen there, another metricast or another publisher?")
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// `listen` is there and the plugin has nothing to show.
    #[error("listen: this plugin has nothing to scrape; leave the key out")]
    NothingToScrape,
}

/// What helps where an address cannot be listened on; `taken` is for one that another has.
pub(crate) fn listen_advice<'a>(error: &io::Error, taken: &'a str) -> &'a str {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: 127.0.0.1 is reached from itself only, 0.0.0.0 from everywhere"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need a right of their own: name one above",
        _ => taken,
    }
}

/// Running publishers behind one queue.
pub struct Pipeline {
    queue: Queue,
    store: Option<Store>,
    upkeep: Option<JoinHandle<()>>,
    /// In the order of the config.
    members: Vec<Member>,
    scrapes: Scrapes,
    /// What a stateful plugin may have taken since its last snapshot.
    max_unsaved: usize,
}

/// Whether publishers that can be scraped are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrapes {
    /// At the addresses that the config says.
    Served,
    /// No: the process ends before anybody comes.
    Off,
}

/// How long a drain waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// In all.
    InAll(Duration),
    /// Since something moved.
    SinceProgress(Duration),
}

impl Pipeline {
    /// Opens the publishers of a config. A backend that is away is no error: its publisher goes on trying.
    ///
    /// # Errors
    /// Where a publisher can never be opened as the config has it.
    pub async fn start(config: &Checked, workshop: &Workshop, scrapes: Scrapes) -> Result<Self, StartError> {
        let prepared = workshop.prepare_all(config).await?;
        let (store, queue) = open(&config.queue).await?;
        let upkeep = store.is_some().then(|| tokio::spawn(queue.clone().keep_notes_for_ever()));
        let max_unsaved =
            if store.is_some() { MAX_UNSAVED_ON_DISK } else { MAX_UNSAVED.min(config.queue.max_size / 4) };
        let mut readers = Vec::with_capacity(config.publishers.len());
        for publisher in &config.publishers {
            let InQueue { start, when_behind, .. } = publisher.in_queue;
            readers.push(queue.reader_of(&publisher.name, when_behind, start).await.map_err(StoreError::from)?);
        }
        queue.all_are_there();
        let publishers = config.publishers.iter().zip(prepared).zip(readers);
        let members = publishers
            .map(|((publisher, prepared), reader)| Member::start(publisher, prepared, reader, max_unsaved, workshop));
        let members = members.collect();
        let mut pipeline = Self { queue, store, upkeep, members, scrapes, max_unsaved };
        pipeline.opened().await?;
        Ok(pipeline)
    }

    /// Waits for the first outcome of each, and for none too long: a backend that does not answer holds nobody up.
    async fn opened(&mut self) -> Result<(), StartError> {
        let deadline = Instant::now() + FIRST_OUTCOME;
        for (index, member) in self.members.iter_mut().enumerate() {
            let opened = member.opened(self.scrapes, deadline).await;
            opened.map_err(|problem| StartError::Publisher { publisher: index, problem })?;
        }
        Ok(())
    }

    fn deliveries(&self) -> impl Iterator<Item = &Delivery<PluginOpener>> {
        self.members.iter().map(|member| &member.delivery)
    }

    /// What keeps the queue, where that is a folder.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Where sources append.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Where publishers answer scrapes, of those that did from the start on.
    pub fn listening(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        self.members.iter().filter_map(|member| Some((member.name(), member.bound()?)))
    }

    /// Hands over now what waits for fuller batches, and lets plugins send what they send at an interval.
    pub fn hurry(&self) {
        self.queue.hurry();
        self.deliveries().for_each(Delivery::flush_now);
    }

    /// Whether nothing more is to be expected of any: all have ended or halted.
    pub fn has_ended(&self) -> bool {
        self.deliveries().all(Delivery::has_ended)
    }

    /// How each publisher stands, in the order of the config.
    pub fn reports(&self) -> Vec<Report> {
        let appended = self.queue.appended();
        self.deliveries().map(|delivery| Report::of(delivery.status(), appended - delivery.began_at())).collect()
    }

    /// What each publisher has done, in the order of the config: cheaper than [`reports`](Self::reports).
    pub fn counts(&self) -> Vec<Counts> {
        self.deliveries().map(|delivery| delivery.status().counts()).collect()
    }

    /// Takes no more records, waits until what is queued is answered for, and ends the publishers.
    pub async fn drain(&mut self, patience: Patience) -> Vec<Report> {
        self.queue.close();
        let delivered = self.all_delivered(patience).await;
        if !delivered {
            self.deliveries().for_each(Delivery::stop);
        }
        for member in &mut self.members {
            member.delivery.ended().await;
        }
        join_all(self.members.iter_mut().map(Member::stop_scrapes)).await;
        self.reports()
    }

    /// Ends what keeps the queue; the publishers have ended.
    pub async fn end(self) {
        drop(self.members);
        if let Some(upkeep) = self.upkeep {
            upkeep.abort();
            let _ = upkeep.await;
            self.queue.end().await;
        }
    }

    async fn all_delivered(&mut self, patience: Patience) -> bool {
        let mut moved = Instant::now();
        let mut before = 0;
        loop {
            if self.has_ended() {
                return true;
            }
            let answered = self.counts().iter().map(Counts::at_rest).sum();
            if let Patience::SinceProgress(_) = patience
                && answered != before
            {
                (moved, before) = (Instant::now(), answered);
            }
            let (Patience::InAll(limit) | Patience::SinceProgress(limit)) = patience;
            if moved.elapsed() >= limit {
                return false;
            }
            sleep(LOOK).await;
        }
    }
}

/// The queue of a config, and what keeps it. A folder with much in it takes a while to open.
async fn open(queue: &config::Queue) -> Result<(Option<Store>, Queue), StoreError> {
    let Some(path) = queue.path.clone() else { return Ok((None, Queue::in_memory(queue.max_size))) };
    let options = Options {
        max_size: queue.max_size,
        forget_after: queue.forget_after,
        max_dead_letters: queue.max_dead_letters,
    };
    let opening = tokio::task::spawn_blocking(move || Store::open(&path, &options));
    let (store, queue) = opening.await.unwrap_or_else(|panic| Err(StoreError::Panic(panic.to_string())))?;
    Ok((Some(store), queue))
}

impl From<CallError> for StartProblem {
    fn from(error: CallError) -> Self {
        Self::Refused(error.to_string())
    }
}
