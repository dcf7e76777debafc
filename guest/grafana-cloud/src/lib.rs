//! The metricast plugin for Grafana Cloud, and for other receivers of remote write, OTLP and Loki.
//!
//! One opening sends one signal: `metrics` are aggregates, pushed at an interval, and keep state; `logs` are a line for
//! each record, and keep none. The plugin says so in its description (`split-by`), and a host opens it once for each
//! signal of the config.
//!
//! What both share: `options` and `place` say where a signal goes as far as the config knows, `discovery` finds out the
//! rest, `address` says where the token may go, `client` sends.
//!
//! ```
//! use metricast_grafana_cloud::{Config, GrafanaCloudPublisher};
//! use metricast_sdk::Publisher;
//! # use metricast_records::{BatchBuilder, input};
//!
//! // Any receiver of remote write; for Grafana Cloud itself: api_key, org_slug and region.
//! let config: Config = serde_json::from_str(r#"{"endpoint": "http://mimir:9009/api/v1/push", "push_interval": "15s"}"#)?;
//! let mut publisher = GrafanaCloudPublisher::open(config, None)?;
//! assert_eq!(publisher.profile().flush_interval_ms, Some(15_000));
//!
//! # let line = br#"{"event_name": "Pack", "task_id": "1", "status": "completed", "start_time": 1, "end_time": 1.25}"#;
//! # let mut builder = BatchBuilder::new();
//! # builder.push(&input::parse_line(line)?.expect("a record").as_ref(), 2.0)?;
//! # let batch = builder.finish();
//! let receipt = publisher.publish(&batch)?;
//! assert_eq!(receipt.accepted, 1);
//! // The host calls `flush` every 15 s, which pushes all series.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod cause;
mod client;
mod clock;
mod discovery;
mod logs;
mod metrics;
mod options;
mod place;
mod probe;
mod secret;
mod snippet;
mod who;

use metricast_sdk::{Batch, Description, Finding, Flushed, Profile, PublishError, Publisher, Receipt, Saved, Snippet};

pub use metricast_aggregator::{AttributeLabel, BucketLists, Histograms, Label, Time};
pub use metricast_sdk::Secret;
pub use options::{Config, InstanceId, Late, LogsConfig, Protocol, Signal};

use logs::Logs;
use metrics::Metrics;

/// Pushes to Grafana Cloud.
#[derive(Debug)]
pub struct GrafanaCloudPublisher(Opened);

/// The signal of one opening.
#[derive(Debug)]
enum Opened {
    Metrics(Box<Metrics>),
    Logs(Box<Logs>),
}

impl Publisher for GrafanaCloudPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "grafana-cloud", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn extra() -> &'static [(&'static str, &'static str)] {
        &[("split-by", "signals")]
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        config.options(config.signal()?).map(drop)
    }

    fn probe(config: &Config) -> Vec<Finding> {
        probe::findings(config)
    }

    fn snippets(config: &Config) -> Result<Vec<Snippet>, PublishError> {
        Ok(vec![snippet::access_policy(config)?])
    }

    fn open(config: Config, state: Option<Saved>) -> Result<Self, PublishError> {
        let options = config.options(config.signal()?)?;
        match options.signal {
            Signal::Metrics => Ok(Self(Opened::Metrics(Box::new(Metrics::open(options, state.as_ref())?)))),
            Signal::Logs => Ok(Self(Opened::Logs(Box::new(Logs::open(options)?)))),
        }
    }

    fn profile(&self) -> Profile {
        match &self.0 {
            Opened::Metrics(metrics) => metrics.profile(),
            Opened::Logs(_) => Logs::PROFILE,
        }
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        match &mut self.0 {
            Opened::Metrics(metrics) => Ok(metrics.publish(batch)),
            Opened::Logs(logs) => logs.publish(batch),
        }
    }

    fn flush(&mut self) -> Result<Flushed, PublishError> {
        match &mut self.0 {
            Opened::Metrics(metrics) => metrics.flush(),
            Opened::Logs(_) => Ok(Flushed::default()),
        }
    }

    fn close(&mut self) -> Result<Flushed, PublishError> {
        match &mut self.0 {
            Opened::Metrics(metrics) => metrics.close(),
            Opened::Logs(_) => Ok(Flushed::default()),
        }
    }

    fn snapshot(&self) -> Option<Saved> {
        match &self.0 {
            Opened::Metrics(metrics) => Some(metrics.snapshot()),
            Opened::Logs(_) => None,
        }
    }
}

#[cfg(test)]
mod stub;

#[cfg(feature = "component")]
metricast_sdk::export!(GrafanaCloudPublisher);
