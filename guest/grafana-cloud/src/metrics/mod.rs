//! The signal `metrics`: records are counted, and all series are pushed at an interval.
//!
//! `publish` counts and does no I/O; `flush` pushes; `close` pushes the last and then stale markers, so that the series end
//! where this does. The way of a push: `pusher` begins and sends it in the words of a `dialect`, `answer` says what became
//! of it. `state` is what the next run goes on from.

mod answer;
mod dialect;
mod partial;
pub(crate) mod probe;
mod pusher;
mod state;
mod words;

use std::time::Instant;

use metricast_aggregator::Aggregator;
use metricast_sdk::{Batch, Deadline, Flushed, Profile, PublishError, Receipt, Saved, log};
use metricast_series::otlp::Resource;
use metricast_series::push::{Labels, Sent};

use crate::clock;
use crate::discovery::Directory;
use crate::options::Options;

use dialect::Dialect;
use pusher::{CLOCK_SLACK, Kind, Now, Progress, Pusher, Stamp, Way};
use state::State;

/// How often a push is begun anew in one call, where the receiver wants it said in another way each time.
const TRIES: usize = 24;

/// Counts records and pushes the counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    options: Options,
    aggregator: Aggregator,
    directory: Directory,
    pusher: Pusher,
    stamp: Stamp,
    /// Records that no push has had yet, and those of the push under way.
    counted: u64,
    under_way: u64,
    /// The markers of the end are begun.
    is_ending: bool,
}

impl Metrics {
    /// Starts with nothing, or where an earlier run ended. Asks where to push to, where that is not known.
    ///
    /// # Errors
    /// `misconfigured`, `state-incompatible`, and what the API says.
    pub(crate) fn open(options: Options, saved: Option<&Saved>) -> Result<Self, PublishError> {
        let state = saved.map(State::read).transpose()?;
        let aggregator = Aggregator::open(&options.settings, state.as_ref().map(|state| &state.series))?;
        let stamp = stamp(&options, &aggregator)?;
        let mut directory = Directory::new(&options, state.as_ref().and_then(|state| state.found.clone()));
        let receiver = directory.target(&options, Deadline::new())?.url.to_string();
        let spoken = state.as_ref().filter(|state| state.receiver == receiver).map(|state| state.dialect);
        let fresh = Dialect::new(options.protocol);
        let dialect = spoken.filter(|dialect| (*dialect == Dialect::Otlp) == (fresh == Dialect::Otlp)).unwrap_or(fresh);
        let sent = state.map_or_else(Sent::default, |state| state.sent);
        if options.who.is_nameless() {
            log::warn(
                "there is neither instance nor host: two metricasts that push as `metricast` overwrite each other",
            );
        }
        let pusher = Pusher::new(sent, dialect);
        Ok(Self { options, aggregator, directory, pusher, stamp, counted: 0, under_way: 0, is_ending: false })
    }

    pub(crate) fn profile(&self) -> Profile {
        let interval = self.options.push_interval.as_millis();
        let flush_interval_ms = Some(u32::try_from(interval).unwrap_or(u32::MAX));
        Profile { stateful: true, max_instances: 1, flush_interval_ms, scrapes: false }
    }

    pub(crate) fn publish(&mut self, batch: &Batch) -> Receipt {
        self.aggregator.count(batch);
        self.counted += batch.len() as u64;
        Receipt::all_accepted(batch)
    }

    pub(crate) fn flush(&mut self) -> Result<Flushed, PublishError> {
        self.flush_at(now(), Deadline::new())
    }

    pub(crate) fn close(&mut self) -> Result<Flushed, PublishError> {
        self.close_at(now(), Deadline::new())
    }

    pub(crate) fn snapshot(&self) -> Saved {
        let found = self.directory.remembered(&self.options);
        let receiver = self.directory.known().map(|target| target.url.to_string()).unwrap_or_default();
        let (sent, dialect) = (self.pusher.sent.clone(), self.pusher.dialect);
        State { series: self.aggregator.snapshot(), sent, dialect, receiver, found }.write()
    }

    /// Sends what waits, then all series, where records came since or the interval is over.
    fn flush_at(&mut self, now: Now, deadline: Deadline) -> Result<Flushed, PublishError> {
        if !self.pusher.is_waiting() {
            // That push was given up: the next one has its records.
            self.counted += std::mem::take(&mut self.under_way);
        }
        let progress = self.deliver(now, deadline)?;
        let interval = i64::try_from(self.options.push_interval.as_millis()).unwrap_or(i64::MAX);
        // Hosts are not punctual to the millisecond.
        let elapsed = now.millis.saturating_sub(self.pusher.last());
        let is_due = elapsed >= interval / 2 || elapsed < -CLOCK_SLACK;
        match progress {
            Progress::Unfinished => {}
            Progress::Done if self.counted == 0 && !is_due => {}
            Progress::Done | Progress::Again => self.push(Kind::Values, now, deadline)?,
        }
        Ok(self.flushed())
    }

    fn close_at(&mut self, now: Now, deadline: Deadline) -> Result<Flushed, PublishError> {
        if !self.is_ending {
            let flushed = self.flush_at(now, deadline)?;
            if flushed.pending > 0 {
                return Err(PublishError::unavailable("the last push takes longer than a call may: close again"));
            }
            self.is_ending = true;
            self.push(Kind::End, now, deadline)?;
        } else if self.deliver(now, deadline)? == Progress::Again {
            self.push(Kind::End, now, deadline)?;
        }
        Ok(self.flushed())
    }

    /// A push of its own, as often as the receiver wants it said in another way.
    fn push(&mut self, kind: Kind, now: Now, deadline: Deadline) -> Result<(), PublishError> {
        for _ in 0..TRIES {
            self.pusher.begin(kind, self.aggregator.registry(), &self.stamp, now.millis)?;
            self.under_way += std::mem::take(&mut self.counted);
            if self.deliver(now, deadline)? != Progress::Again {
                return Ok(());
            }
        }
        Err(PublishError::unavailable("the receiver takes the push in no form"))
    }

    fn deliver(&mut self, now: Now, deadline: Deadline) -> Result<Progress, PublishError> {
        let Self { options, directory, pusher, stamp, .. } = self;
        let progress = pusher.deliver(&mut Way { options, directory, stamp, now: now.instant, deadline })?;
        if progress == Progress::Done {
            self.under_way = 0;
        }
        Ok(progress)
    }

    fn flushed(&self) -> Flushed {
        let retry_after_ms = self.pusher.is_waiting().then_some(0);
        Flushed { pending: self.counted + self.under_way, retry_after_ms, ..Flushed::default() }
    }
}

fn now() -> Now {
    Now { millis: clock::now_millis(), instant: Instant::now() }
}

/// What every series has besides its own labels.
fn stamp(options: &Options, aggregator: &Aggregator) -> Result<Stamp, PublishError> {
    let who = &options.who;
    let job = who.job();
    let labels = Labels::new(aggregator.registry(), [("job", job.as_str()), ("instance", who.instance())])
        .map_err(|error| PublishError::misconfigured("labels", error))?;
    let resource = who.resource();
    let resource = Resource::new(resource.iter().map(|(key, value)| (*key, value.as_str())))
        .map_err(|error| PublishError::Internal(error.to_string()))?;
    Ok(Stamp { labels, resource })
}

#[cfg(test)]
#[path = "found_tests.rs"]
mod found_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
