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

mod clock;
mod options;
mod probe;
mod scraper;
mod snippet;

use metricast_aggregator::Aggregator;
pub use metricast_aggregator::{AttributeLabel, BucketLists, Histograms, Label, Time};
use metricast_sdk::{
    Batch, Description, Exposition, Finding, Profile, PublishError, Publisher, Receipt, Saved, Snippet,
};
use metricast_series::negotiate;

pub use options::Config;

/// Aggregates records for scrapes.
#[derive(Debug)]
pub struct PrometheusPublisher {
    aggregator: Aggregator,
}

impl Publisher for PrometheusPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "prometheus", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        scraper::check(config)?;
        config.settings().check()
    }

    fn probe(config: &Config) -> Vec<Finding> {
        probe::probe(config)
    }

    fn snippets(config: &Config) -> Result<Vec<Snippet>, PublishError> {
        scraper::check(config)?;
        Ok(vec![snippet::scrape_config(config)])
    }

    fn open(config: Config, state: Option<Saved>) -> Result<Self, PublishError> {
        scraper::check(&config)?;
        Ok(Self { aggregator: Aggregator::open(&config.settings(), state.as_ref())? })
    }

    fn profile(&self) -> Profile {
        Profile { stateful: true, max_instances: 1, flush_interval_ms: None, scrapes: true }
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        self.aggregator.count(batch);
        Ok(Receipt::all_accepted(batch))
    }

    fn snapshot(&self) -> Option<Saved> {
        Some(self.aggregator.snapshot())
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
        negotiated.encode(self.aggregator.registry(), now, &mut body);
        Exposition { content_type: negotiated.content_type(), body }
    }
}

metricast_sdk::export!(PrometheusPublisher);
