//! Puts the parts together as a config says: plugins loaded and judged, a queue, a delivery for each publisher, listeners
//! for those that are scraped.
//!
//! [`Workshop::prepare`] does all that needs no I/O beyond this machine, and is what `metricast check` shows;
//! [`Pipeline::start`] opens the publishers; [`Pipeline::drain`] ends them.

mod exposition;
mod listen;
mod report;
mod split;
mod workshop;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{self, Checked, InQueue};
use crate::delivery::sandbox::PluginOpener;
use crate::delivery::{Counts, Delivery, Opened, Settings};
use crate::egress::SecretError;
use crate::engine::EngineError;
use crate::grants::GrantError;
use crate::plugin::{CallError, Instance, LoadError};
use crate::queue::Queue;
use crate::queue::store::{Options, Store, StoreError};
use crate::scrape::Scraped;

pub use exposition::ExpositionError;
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
    deliveries: Vec<Delivery<Instance>>,
    /// Names of those that have something to scrape.
    scraped: Vec<String>,
    /// Where they are scraped, of those that listen from the start.
    listening: Vec<(String, SocketAddr)>,
    scrapes: Vec<JoinHandle<io::Result<()>>>,
    stop_scrapes: watch::Sender<bool>,
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
        let publishers = config.publishers.iter().zip(prepared).zip(readers);
        let deliveries = publishers.map(|((publisher, prepared), reader)| {
            let settings = Settings {
                batching: publisher.batch.clone(),
                retry: publisher.retry.clone(),
                max_instances: MAX_INSTANCES,
                max_unsaved,
                reset_state: publisher.in_queue.reset_state,
            };
            let opener = PluginOpener { plugin: prepared.plugin, options: prepared.options };
            Delivery::start(&publisher.name, opener, reader, settings, &workshop.runtime)
        });
        let deliveries = deliveries.collect();
        let (stop_scrapes, _) = watch::channel(false);
        let mut pipeline = Self {
            queue,
            store,
            upkeep,
            deliveries,
            scraped: Vec::new(),
            listening: Vec::new(),
            scrapes: Vec::new(),
            stop_scrapes,
        };
        pipeline.opened(config, scrapes).await?;
        Ok(pipeline)
    }

    /// Waits for the first outcome of each and starts to listen for those that are scraped.
    async fn opened(&mut self, config: &Checked, scrapes: Scrapes) -> Result<(), StartError> {
        let outcomes = join_all(self.deliveries.iter().map(Delivery::opened)).await;
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let at = |problem| StartError::Publisher { publisher: index, problem };
            let listen = &config.publishers[index].listen;
            let has_scrapes = match outcome {
                Opened::Never(error) => return Err(at(StartProblem::Refused(error.to_string()))),
                Opened::Yes(profile) => profile.scrapes,
                Opened::Later(_) | Opened::NotYet => {
                    if !listen.stated && scrapes == Scrapes::Served {
                        self.listen_later(index, listen.address);
                    }
                    listen.stated
                }
            };
            if !has_scrapes && listen.stated {
                return Err(at(StartProblem::NothingToScrape));
            }
            if has_scrapes {
                self.scraped.push(config.publishers[index].name.clone());
            }
            if has_scrapes && scrapes == Scrapes::Served {
                self.listen(index, listen.address).await.map_err(at)?;
            }
        }
        Ok(())
    }

    async fn listen(&mut self, index: usize, address: SocketAddr) -> Result<(), StartProblem> {
        let name = self.deliveries[index].status().name().to_owned();
        let listener = listen::bind(&name, address).await?;
        let address = listener.local_addr().map_err(|source| StartProblem::Listen { address, source })?;
        self.listening.push((name, address));
        self.scrapes.push(tokio::spawn(self.page_of(index).serve(listener, self.scrapes_stopped())));
        Ok(())
    }

    fn listen_later(&mut self, index: usize, address: SocketAddr) {
        let delivery = &self.deliveries[index];
        let (name, profile) = (delivery.status().name().to_owned(), delivery.profile());
        let (scraped, stopped) = (self.page_of(index), self.scrapes_stopped());
        self.scrapes.push(tokio::spawn(listen::when_open(name, profile, address, scraped, stopped)));
    }

    fn page_of(&self, index: usize) -> Scraped<Instance> {
        let delivery = &self.deliveries[index];
        Scraped::new(delivery.current(), delivery.lost())
    }

    fn scrapes_stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stop_scrapes.subscribe();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
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
    pub fn listening(&self) -> &[(String, SocketAddr)] {
        &self.listening
    }

    /// Hands over now what waits for fuller batches, and lets plugins send what they send at an interval.
    pub fn hurry(&self) {
        self.queue.hurry();
        self.deliveries.iter().for_each(Delivery::flush_now);
    }

    /// Whether nothing more is to be expected of any: all have ended or halted.
    pub fn has_ended(&self) -> bool {
        self.deliveries.iter().all(Delivery::has_ended)
    }

    /// How each publisher stands, in the order of the config.
    pub fn reports(&self) -> Vec<Report> {
        let appended = self.queue.appended();
        self.deliveries.iter().map(|delivery| Report::of(delivery.status(), appended - delivery.began_at())).collect()
    }

    /// What each publisher has done, in the order of the config: cheaper than [`reports`](Self::reports).
    pub fn counts(&self) -> Vec<Counts> {
        self.deliveries.iter().map(|delivery| delivery.status().counts()).collect()
    }

    /// Takes no more records, waits until what is queued is answered for, and ends.
    pub async fn drain(mut self, patience: Patience) -> Vec<Report> {
        self.queue.close();
        let delivered = self.all_delivered(patience).await;
        if !delivered {
            self.deliveries.iter().for_each(Delivery::stop);
        }
        for delivery in &mut self.deliveries {
            delivery.ended().await;
        }
        self.stop_scrapes.send_replace(true);
        for scrape in &mut self.scrapes {
            // A scraper that keeps its connection open is not waited for.
            let _ = timeout(Duration::from_secs(1), scrape).await;
        }
        let reports = self.reports();
        self.deliveries.clear();
        if let Some(upkeep) = self.upkeep.take() {
            upkeep.abort();
            let _ = upkeep.await;
            self.queue.end().await;
        }
        reports
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
