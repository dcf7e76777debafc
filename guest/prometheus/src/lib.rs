//! The plugin for Prometheus: it aggregates records into metrics, and the host asks it for the page when a scrape comes.
//!
//! It holds its whole state: a snapshot carries the registry and the offset up to which records are in it, so that a
//! batch that comes again counts once. It listens at no port, and reaches a Prometheus only to ask it for a check.
//!
//! ```
//! use metricast_prometheus::{Config, PrometheusPublisher};
//! use metricast_sdk::{Publisher, dictionary};
//! # use metricast_records::{BatchBuilder, input};
//!
//! let mut publisher = PrometheusPublisher::open(Config::default(), None)?;
//! # let line = br#"{"event_name": "Pack", "task_id": "1", "status": "completed", "start_time": 1, "end_time": 1.25}"#;
//! # let mut builder = BatchBuilder::new();
//! # builder.push(&input::parse_line(line)?.expect("a record").as_ref(), 2.0)?;
//! # let batch = builder.finish();
//! publisher.publish(&batch)?;
//!
//! let page = publisher.scrape("text/plain").expect("always a page");
//! assert_eq!(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
//! assert!(String::from_utf8(page.body)?.contains(r#"event_duration_seconds_sum{event_name="Pack",status="completed"} 0.25"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod caps;
mod clock;
mod events;
mod finder;
mod known;
mod label_options;
mod metrics;
mod networks;
mod options;
mod pairs;
mod probe;
mod recorder;
mod scraper;
mod snippet;
mod tags;
mod time;
mod trace;
mod turns;

use metricast_sdk::{
    Batch, Description, Exposition, Finding, Profile, PublishError, Publisher, Receipt, Saved, Snippet, log,
};
use metricast_series::{Registry, negotiate, snapshot};

pub use label_options::{AttributeLabel, Label};
use metrics::Metrics;
use options::Options;
pub use options::{BucketLists, Config, Histograms};
use recorder::Recorder;
pub use time::Time;

/// Aggregates records for scrapes.
#[derive(Debug)]
pub struct PrometheusPublisher {
    registry: Registry,
    recorder: Recorder,
    /// Records of the queue with offsets below it are counted.
    next_offset: u64,
}

impl Publisher for PrometheusPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "prometheus", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        Options::try_from(config).map(drop)
    }

    fn probe(config: &Config) -> Vec<Finding> {
        probe::probe(config)
    }

    fn snippets(config: &Config) -> Vec<Snippet> {
        vec![snippet::scrape_config(config)]
    }

    fn open(config: Config, state: Option<Saved>) -> Result<Self, PublishError> {
        let options = Options::try_from(&config)?;
        let (metrics, mut registry) =
            Metrics::define(&options).map_err(|error| PublishError::Internal(error.to_string()))?;
        let next_offset = state.map_or(Ok(0), |saved| restore(&mut registry, &saved))?;
        let recorder = Recorder::new(metrics, &options, &mut registry);
        Ok(Self { registry, recorder, next_offset })
    }

    fn profile(&self) -> Profile {
        Profile { stateful: true, max_instances: 1, flush_interval_ms: None, scrapes: true }
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        if batch.epoch().is_empty() {
            self.recorder.record(&mut self.registry, batch, 0);
        } else {
            self.recorder.record(&mut self.registry, batch, self.next_offset);
            let after = batch.offsets().iter().max().map_or(0, |last| last.saturating_add(1));
            self.next_offset = self.next_offset.max(after);
        }
        Ok(Receipt::all_accepted(batch))
    }

    fn snapshot(&self) -> Option<Saved> {
        let mut state = Vec::new();
        snapshot::write(&self.registry, self.next_offset, &mut state);
        Some(Saved { version: snapshot::VERSION, state, next_offset: self.next_offset })
    }

    fn scrape(&self, accept: &str) -> Option<Exposition> {
        Some(self.scrape_at(accept, clock::now()))
    }
}

impl PrometheusPublisher {
    /// What a scrape gets at a time, seconds since the Unix epoch.
    pub fn scrape_at(&self, accept: &str, now: f64) -> Exposition {
        let negotiated = negotiate(accept);
        let mut body = Vec::new();
        negotiated.encode(&self.registry, now, &mut body);
        Exposition { content_type: negotiated.content_type(), body }
    }
}

metricast_sdk::export!(PrometheusPublisher);

/// Puts a saved state into the registry and gives back up to where it has applied records.
fn restore(registry: &mut Registry, saved: &Saved) -> Result<u64, PublishError> {
    if saved.version != snapshot::VERSION {
        let (found, known) = (saved.version, snapshot::VERSION);
        return Err(PublishError::StateIncompatible(format!(
            "the state has version {found}, this plugin's is {known}"
        )));
    }
    let restored = snapshot::restore(registry, &saved.state)
        .map_err(|error| PublishError::StateIncompatible(error.to_string()))?;
    if restored.watermark != saved.next_offset {
        let (inside, beside) = (restored.watermark, saved.next_offset);
        return Err(PublishError::StateIncompatible(format!(
            "the state is of the records before offset {inside}, and it was saved as if before {beside}"
        )));
    }
    for family in restored.reset {
        log::warn(format_args!(
            "{family} starts anew, because its buckets or labels are others now, or native buckets are new"
        ));
    }
    for family in restored.dropped {
        log::info(format_args!("{family} is no longer kept, and its saved state is left out"));
    }
    Ok(restored.watermark)
}
