//! The config as it is written.

use std::collections::BTreeMap;

use metricast_aggregator::{BucketLists, Histograms, Label, Settings, Time};
use serde::Deserialize;

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = include_str!("../config.schema.json");

/// The config as it is written; what is left out has its default.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the host answers scrapes.
    pub port: u16,
    /// Which buckets a scrape in protobuf gets.
    pub histograms: Histograms,
    /// The bounds of the histograms' buckets.
    pub buckets: BucketLists,
    /// How many series a metric may have.
    pub series_limit: u64,
    /// Whether the three metrics beyond the four of the API are kept.
    pub extra_metrics: bool,
    /// How long a new series is shown as 0.
    pub hold_new_series: Option<Time>,
    /// How long a series may be idle.
    pub expire_after: Option<Time>,
    /// How old a record may be when it is received.
    pub max_age: Option<Time>,
    /// Labels besides the metrics' own.
    pub labels: BTreeMap<String, Label>,
    /// Whether exemplars are kept.
    pub exemplars: bool,
    /// The address of a Prometheus that a probe asks.
    pub server: Option<String>,
    /// What the records are of. It and the four below are for the printed scrape config.
    pub service: Option<String>,
    /// What the service is a part of.
    pub namespace: Option<String>,
    /// As `production`.
    pub environment: Option<String>,
    /// Tells this metricast from others.
    pub instance: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        let Settings {
            histograms,
            buckets,
            series_limit,
            extra_metrics,
            hold_new_series,
            expire_after,
            max_age,
            labels,
            exemplars,
        } = Settings::default();
        Self {
            port: 9464,
            histograms,
            buckets,
            series_limit,
            extra_metrics,
            hold_new_series,
            expire_after,
            max_age,
            labels,
            exemplars,
            server: None,
            service: None,
            namespace: None,
            environment: None,
            instance: None,
            host: None,
        }
    }
}

impl Config {
    /// What of it says what is counted and how.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            histograms: self.histograms,
            buckets: self.buckets.clone(),
            series_limit: self.series_limit,
            extra_metrics: self.extra_metrics,
            hold_new_series: self.hold_new_series,
            expire_after: self.expire_after,
            max_age: self.max_age,
            labels: self.labels.clone(),
            exemplars: self.exemplars,
        }
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
