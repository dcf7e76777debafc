//! One way from a publisher of the API to a backend: a queue, and what delivers out of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricast_records::Batch;
use tokio::time::{Instant, sleep};

use super::composite::Member;
use super::foreign::{Foreign, settled};
use super::house::House;
use super::publisher::MetricsPublisher;
use super::settings::Settings;
use super::start::StartError;
use super::undelivered::{Shortfall, Told, Undelivered, Untaken};
use crate::config::defaults::MEMORY_QUEUE;
use crate::config::{Batching, Retry};
use crate::delivery::{Counts, Delivery, Phase};
use crate::pipeline::{ExpositionError, Patience, Pipeline, Report};
use crate::plugin::Exposition;
use crate::queue::{AppendError, Queue};

/// How often somebody who waits looks whether it is done.
const LOOK: Duration = Duration::from_millis(2);
/// How long the end of a publisher of one's own is waited for beyond the time that there was.
const GRACE: Duration = Duration::from_millis(100);
/// How often a plugin that still holds records is told to send them.
const AGAIN: Duration = Duration::from_millis(500);

pub(super) struct Leg {
    name: String,
    queue: Queue,
    /// None once it is closed. Held for a look only, so that whoever ends it need not wait for those who wait for it.
    body: Mutex<Option<Body>>,
    missed: AtomicU64,
    is_missing: AtomicBool,
    told: tokio::sync::Mutex<Vec<Told>>,
}

/// What delivers.
enum Body {
    Own(Box<Pipeline>),
    Foreign { delivery: Delivery<Foreign>, publisher: Arc<dyn MetricsPublisher>, is_over: Arc<AtomicBool> },
}

impl Leg {
    pub(super) async fn start(member: Member, house: &House) -> Result<Self, StartError> {
        match member {
            Member::Own(settings) => Self::own(&settings, house).await,
            Member::Foreign { name, publisher } => {
                publisher.start().await?;
                Ok(Self::foreign(name, publisher, house))
            }
        }
    }

    async fn own(settings: &Settings, house: &House) -> Result<Self, StartError> {
        let checked = house.workshop.split(&settings.checked()?).await;
        let started = Pipeline::start(&checked, &house.workshop, settings.scrapes()).await;
        let pipeline = started.map_err(|error| match error {
            crate::pipeline::StartError::Publisher { problem, .. } => settings.failed(problem),
            error => StartError::Other(error.to_string()),
        })?;
        Ok(Self::new(settings.name.clone(), pipeline.queue().clone(), Body::Own(Box::new(pipeline))))
    }

    fn foreign(name: String, publisher: Arc<dyn MetricsPublisher>, house: &House) -> Self {
        let queue = Queue::in_memory(MEMORY_QUEUE);
        let batching = Batching { max_age: Duration::ZERO, ..Batching::default() };
        let settings = crate::delivery::Settings {
            batching,
            retry: Retry::default(),
            max_instances: 1,
            max_unsaved: usize::MAX,
            reset_state: false,
        };
        let (opener, reader) = (Foreign::new(Arc::clone(&publisher)), queue.reader());
        let is_over = opener.is_over();
        let delivery = Delivery::start_on(&name, opener, reader, settings, |leg| house.spawn_apart(leg));
        Self::new(name, queue, Body::Foreign { delivery, publisher, is_over })
    }

    fn new(name: String, queue: Queue, body: Body) -> Self {
        let body = Mutex::new(Some(body));
        Self {
            name,
            queue,
            body,
            missed: AtomicU64::new(0),
            is_missing: AtomicBool::new(false),
            told: tokio::sync::Mutex::default(),
        }
    }

    fn body(&self) -> MutexGuard<'_, Option<Body>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Waits for room as long as it takes. A closed one takes nothing.
    pub(super) async fn append(&self, batch: Batch) {
        let _ = self.queue.append(batch).await;
    }

    /// Whether it took the batch, or is closed: no reason to come again.
    pub(super) async fn offer(&self, batch: &Batch) -> bool {
        if !self.queue.has_room_for(batch) {
            // Nothing can come that would fill up a batch which is held back.
            self.queue.hurry();
            return false;
        }
        let offered = self.queue.append_within(batch.clone(), Duration::ZERO).await;
        let taken = offered != Err(AppendError::Full);
        if taken {
            self.is_missing.store(false, Ordering::Relaxed);
        }
        taken
    }

    /// Whether something is wrong that it does not get on with.
    pub(super) fn is_failing(&self) -> bool {
        let reports = self.reports();
        reports.iter().any(|report| matches!(report.phase, Phase::Waiting { .. } | Phase::Halted { .. }))
    }

    /// Records that it is not given.
    pub(super) fn miss(&self, records: u64) {
        self.missed.fetch_add(records, Ordering::Relaxed);
        if !self.is_missing.swap(true, Ordering::Relaxed) {
            let publisher = &self.name;
            tracing::warn!(publisher, "it fails and its queue is full: it misses records that the others get");
        }
    }

    pub(super) fn reports(&self) -> Vec<Report> {
        self.body().as_ref().map(|body| body.reports(&self.queue)).unwrap_or_default()
    }

    /// Waits until what is in the queue by now is at the backend, or nothing is to be expected. Says what is not there.
    pub(super) async fn settle(&self, deadline: Instant) -> Result<(), Undelivered> {
        let target = self.queue.appended();
        let mut hurry_at = Instant::now();
        loop {
            let now = Instant::now();
            let hurry = now >= hurry_at;
            if hurry {
                hurry_at = now + AGAIN;
            }
            let Some(is_settled) = self.look(target, hurry) else { return Ok(()) };
            if is_settled || now >= deadline {
                break;
            }
            sleep(LOOK).await;
        }
        let missing = self.news(target, &self.reports()).await;
        let own = match self.publisher_of_ones_own() {
            Some(publisher) => {
                let within = deadline.saturating_duration_since(Instant::now());
                settled(&self.name, publisher.flush(within), within.max(LOOK)).await
            }
            None => Ok(()),
        };
        Undelivered::of(missing.into_iter().chain(publishers_of(own)), Untaken::default())
    }

    /// Whether all below `target` is at the backend or will never be; none where it is closed.
    fn look(&self, target: u64, hurry: bool) -> Option<bool> {
        let body = self.body();
        let body = body.as_ref()?;
        if hurry {
            body.hurry(&self.queue);
        }
        Some(body.is_settled(target))
    }

    fn publisher_of_ones_own(&self) -> Option<Arc<dyn MetricsPublisher>> {
        match self.body().as_ref()? {
            Body::Foreign { publisher, .. } => Some(Arc::clone(publisher)),
            Body::Own(_) => None,
        }
    }

    /// Delivers what is in the queue, and ends; `uncarried` records never came there.
    pub(super) async fn close(&self, deadline: Instant, uncarried: u64) -> Result<(), Undelivered> {
        self.queue.close();
        let Some(body) = self.body().take() else { return Ok(()) };
        let within = deadline.saturating_duration_since(Instant::now());
        let target = self.queue.appended() + uncarried;
        let (reports, own) = body.drain(&self.name, &self.queue, within).await;
        let mut missing = self.news(target, &reports).await;
        for (shortfall, report) in missing.iter_mut().zip(&reports) {
            if let (None, true, Phase::Waiting { reason } | Phase::Halted { reason }) =
                (&shortfall.why, report.was_cut_short(), &report.phase)
            {
                shortfall.why = Some(reason.clone());
            }
        }
        Undelivered::of(missing.into_iter().chain(publishers_of(own)), Untaken::default())
    }

    /// Ends without delivering. Says how many records that leaves, where it can be told.
    pub(super) fn abandon(&self) -> u64 {
        self.queue.close();
        let body = self.body().take();
        let left = body.as_ref().map_or(0, |body| {
            let most = body.counts().into_iter().map(|counts| self.queue.appended().saturating_sub(counts.at_rest()));
            most.max().unwrap_or(0)
        });
        if let Some(Body::Foreign { is_over, .. }) = body {
            is_over.store(true, Ordering::Relaxed);
        }
        left
    }

    async fn news(&self, target: u64, reports: &[Report]) -> Vec<Shortfall> {
        let mut told = self.told.lock().await;
        told.resize_with(reports.len(), Told::default);
        let missed = self.missed.load(Ordering::Relaxed);
        let news = |(told, report): (&mut Told, &Report)| {
            let waiting = target.saturating_sub(report.counts.at_rest());
            told.news(report, waiting, missed)
        };
        told.iter_mut().zip(reports).map(news).collect()
    }

    /// Where it is scraped.
    pub(super) fn listening(&self) -> Option<SocketAddr> {
        match self.body().as_ref() {
            Some(Body::Own(pipeline)) => pipeline.listening().next().map(|(_, address)| address),
            _ => None,
        }
    }

    /// What it shows to a scraper.
    pub(super) async fn exposition(&self, accept: &str, patience: Duration) -> Result<Exposition, ExpositionError> {
        let page = match self.body().as_ref() {
            Some(Body::Own(pipeline)) => {
                pipeline.hurry();
                pipeline.exposition(&self.name, accept, patience)
            }
            Some(Body::Foreign { .. }) => return Err(ExpositionError::Nothing),
            None => return Err(ExpositionError::NotOpen),
        };
        page.await
    }
}

fn publishers_of(outcome: Result<(), Undelivered>) -> Vec<Shortfall> {
    outcome.err().map(|undelivered| undelivered.publishers).unwrap_or_default()
}

impl Body {
    fn counts(&self) -> Vec<Counts> {
        match self {
            Self::Own(pipeline) => pipeline.counts(),
            Self::Foreign { delivery, .. } => vec![delivery.status().counts()],
        }
    }

    fn reports(&self, queue: &Queue) -> Vec<Report> {
        match self {
            Self::Own(pipeline) => pipeline.reports(),
            Self::Foreign { delivery, .. } => vec![Report::of(delivery.status(), queue.appended())],
        }
    }

    fn hurry(&self, queue: &Queue) {
        match self {
            Self::Own(pipeline) => pipeline.hurry(),
            Self::Foreign { .. } => queue.hurry(),
        }
    }

    fn is_settled(&self, target: u64) -> bool {
        let over = match self {
            Self::Own(pipeline) => pipeline.has_ended(),
            Self::Foreign { delivery, .. } => delivery.has_ended(),
        };
        over || self.counts().iter().all(|counts| counts.at_rest() >= target)
    }

    /// Waits for the end of a closed queue, and no longer than `within`.
    async fn drain(self, name: &str, queue: &Queue, within: Duration) -> (Vec<Report>, Result<(), Undelivered>) {
        let (mut delivery, publisher, is_over) = match self {
            Self::Own(mut pipeline) => return (pipeline.drain(Patience::InAll(within)).await, Ok(())),
            Self::Foreign { delivery, publisher, is_over } => (delivery, publisher, is_over),
        };
        let deadline = Instant::now() + within;
        if tokio::time::timeout_at(deadline, delivery.ended()).await.is_err() {
            is_over.store(true, Ordering::Relaxed);
            delivery.stop();
            // One that blocks its thread does not see that.
            let _ = tokio::time::timeout(GRACE, delivery.ended()).await;
        }
        let report = Report::of(delivery.status(), queue.appended());
        let within = deadline.saturating_duration_since(Instant::now());
        let own = settled(name, publisher.close(within), within.max(LOOK)).await;
        (vec![report], own)
    }
}
