//! One publisher of a running pipeline: its delivery, and the listener where it is scraped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::workshop::Identity;
use super::{MAX_INSTANCES, Prepared, Scrapes, StartProblem, Workshop, listen};
use crate::config::{Listen, Publisher};
use crate::delivery::sandbox::PluginOpener;
use crate::delivery::{Delivery, Opened, Settings};
use crate::plugin::Instance;
use crate::queue::Reader;
use crate::scrape::Scraped;

/// A scraper that keeps its connection open is not waited for longer.
const LAST_SCRAPES: Duration = Duration::from_secs(1);

pub(super) struct Member {
    pub(super) delivery: Delivery<PluginOpener>,
    /// What it was made from.
    pub(super) identity: Identity,
    pub(super) listen: Listen,
    /// Whether it has something to scrape, as far as is known.
    pub(super) is_scraped: bool,
    scrape: Option<Scrape>,
}

/// A listener that answers scrapes, or will when the publisher is open.
struct Scrape {
    /// None where it listens later.
    bound: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

impl Member {
    pub(super) fn start(
        publisher: &Publisher,
        prepared: Prepared,
        reader: Reader,
        max_unsaved: usize,
        workshop: &Workshop,
    ) -> Self {
        let (settings, identity) = (settings(publisher, max_unsaved), prepared.identity.clone());
        let opener = opener(prepared);
        let delivery = Delivery::start(&publisher.name, opener, reader, settings, &workshop.runtime);
        Self { delivery, identity, listen: publisher.listen, is_scraped: false, scrape: None }
    }

    /// Whether an instance was ever open.
    pub(super) fn is_open(&self) -> bool {
        self.delivery.is_open()
    }

    /// Whether it may yet be opened by itself.
    pub(super) fn is_opening(&self) -> bool {
        !self.delivery.has_ended()
    }

    pub(super) fn name(&self) -> &str {
        self.delivery.status().name()
    }

    /// Waits for the first outcome, till `deadline`, and starts to listen where it is scraped.
    pub(super) async fn opened(&mut self, scrapes: Scrapes, deadline: Instant) -> Result<(), StartProblem> {
        let outcome = timeout_at(deadline, self.delivery.opened()).await.unwrap_or(Opened::NotYet);
        self.is_scraped = match outcome {
            Opened::Never(error) => return Err(StartProblem::Refused(error.to_string())),
            Opened::Yes(profile) => profile.scrapes,
            Opened::Later(_) | Opened::NotYet => {
                if !self.listen.stated && scrapes == Scrapes::Served {
                    self.listen_later();
                }
                self.listen.stated
            }
        };
        if !self.is_scraped && self.listen.stated {
            return Err(StartProblem::NothingToScrape);
        }
        if self.is_scraped && scrapes == Scrapes::Served {
            let listener = listen::bind(self.name(), self.listen.address).await?;
            self.serve(listener)?;
        }
        Ok(())
    }

    /// Answers scrapes there from now on.
    pub(super) fn serve(&mut self, listener: TcpListener) -> Result<(), StartProblem> {
        let address = self.listen.address;
        let bound = listener.local_addr().map_err(|source| StartProblem::Listen { address, source })?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(self.page().serve(listener, until(stopped)));
        self.scrape = Some(Scrape { bound: Some(bound), stop, task });
        Ok(())
    }

    fn listen_later(&mut self) {
        let (stop, stopped) = watch::channel(false);
        let (name, profile) = (self.name().to_owned(), self.delivery.profile());
        let serving = listen::when_open(name, profile, self.listen.address, self.page(), until(stopped));
        self.scrape = Some(Scrape { bound: None, stop, task: tokio::spawn(serving) });
    }

    fn page(&self) -> Scraped<Instance> {
        Scraped::new(self.delivery.current(), self.delivery.lost())
    }

    /// Where it answers scrapes, if it did from the start on.
    pub(super) fn bound(&self) -> Option<SocketAddr> {
        self.scrape.as_ref()?.bound
    }

    /// Whether it is to answer scrapes, and nobody listens.
    pub(super) fn is_unserved(&self, scrapes: Scrapes) -> bool {
        scrapes == Scrapes::Served && self.is_scraped && self.scrape.is_none()
    }

    /// Answers no more scrapes.
    pub(super) async fn stop_scrapes(&mut self) {
        if let Some(Scrape { stop, mut task, .. }) = self.scrape.take() {
            stop.send_replace(true);
            if timeout(LAST_SCRAPES, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

pub(super) fn opener(prepared: Prepared) -> PluginOpener {
    PluginOpener { plugin: prepared.plugin, options: prepared.options }
}

pub(super) fn settings(publisher: &Publisher, max_unsaved: usize) -> Settings {
    Settings {
        batching: publisher.batch.clone(),
        retry: publisher.retry.clone(),
        max_instances: MAX_INSTANCES,
        max_unsaved,
        reset_state: publisher.in_queue.reset_state,
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // Whoever has gone without a word stops it, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
