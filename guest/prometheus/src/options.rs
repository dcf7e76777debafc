//! The config: as it is written, and as it is used.

use metricast_sdk::PublishError;
use metricast_series::{Buckets, SeriesLimit, histogram};
use serde::Deserialize;

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = include_str!("../config.schema.json");

/// The config as it is written; what is left out has its default.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the host answers scrapes.
    pub port: u16,
    /// The bounds of the histograms' buckets.
    pub buckets: BucketLists,
    /// How many series a metric may have.
    pub series_limit: u64,
    /// Whether the three metrics beyond the four of the API are kept.
    pub extra_metrics: bool,
}

/// Upper bounds of buckets, in seconds.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct BucketLists {
    /// Of `event_duration_seconds`.
    pub events: Vec<f64>,
    /// Of `network_latency_seconds`.
    pub network: Vec<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 9464,
            buckets: BucketLists::default(),
            series_limit: u64::from(SeriesLimit::DEFAULT),
            extra_metrics: true,
        }
    }
}

impl Default for BucketLists {
    fn default() -> Self {
        Self { events: histogram::EVENT_SECONDS.to_vec(), network: histogram::NETWORK_SECONDS.to_vec() }
    }
}

/// The config as it is used: all of it holds. The port is the host's to use.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) event_buckets: Buckets,
    pub(crate) network_buckets: Buckets,
    pub(crate) series_limit: SeriesLimit,
    pub(crate) extra_metrics: bool,
}

impl TryFrom<&Config> for Options {
    type Error = PublishError;

    fn try_from(config: &Config) -> Result<Self, PublishError> {
        Ok(Self {
            event_buckets: buckets("buckets.events", &config.buckets.events)?,
            network_buckets: buckets("buckets.network", &config.buckets.network)?,
            series_limit: SeriesLimit::new(config.series_limit)
                .map_err(|error| PublishError::misconfigured("series_limit", error))?,
            extra_metrics: config.extra_metrics,
        })
    }
}

fn buckets(path: &str, bounds: &[f64]) -> Result<Buckets, PublishError> {
    Buckets::new(bounds).map_err(|error| PublishError::misconfigured(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricast_sdk::config;
    use serde_json::Value;

    fn parsed(config: &str) -> Result<Config, String> {
        config::parse::<crate::PrometheusPublisher>(config).map_err(|error| error.to_string())
    }

    #[test]
    fn every_default_is_the_one_that_the_schema_states() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
        let properties = &schema["properties"];
        let stated = |key: &str| properties[key]["default"].clone();
        let lists = &properties["buckets"]["properties"];
        let written = serde_json::json!({
            "port": stated("port"),
            "series_limit": stated("series_limit"),
            "extra_metrics": stated("extra_metrics"),
            "buckets": { "events": lists["events"]["default"], "network": lists["network"]["default"] },
        });
        assert_eq!(parsed(&written.to_string()), Ok(Config::default()));
        assert_eq!(parsed("{}"), Ok(Config::default()));
        assert_eq!(properties["series_limit"]["maximum"], SeriesLimit::MAX);
        assert_eq!(lists["events"]["maxItems"], Buckets::MAX);
    }

    #[test]
    fn what_is_written_is_taken() {
        let config =
            parsed(r#"{"port": 9999, "buckets": {"events": [1, 2.5]}, "series_limit": 5, "extra_metrics": false}"#);
        let expected = Config {
            port: 9999,
            buckets: BucketLists { events: vec![1.0, 2.5], ..BucketLists::default() },
            series_limit: 5,
            extra_metrics: false,
        };
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn what_cannot_be_names_its_key() {
        for (config, expected) in [
            (r#"{"prot": 1}"#, "prot: unknown key; did you mean `port`?"),
            (r#"{"port": 65536}"#, "port: 65536 is out of range, the most is 65535"),
            (r#"{"buckets": {"event": [1]}}"#, "buckets.event: unknown key; did you mean `events`?"),
            (r#"{"buckets": {"events": []}}"#, "buckets.events: needs at least one bound"),
            (r#"{"buckets": {"events": [-1]}}"#, "buckets.events[0]: -1 is out of range, the least is 0"),
            (
                r#"{"buckets": {"network": [1, 0.5]}}"#,
                "buckets.network: bound 1 is 0.5, which is not above the one before it (1): bounds ascend",
            ),
            (r#"{"series_limit": 0}"#, "series_limit: 0 is out of range, the least is 1"),
            (r#"{"extra_metrics": "no"}"#, "extra_metrics: true or false is wanted, and this is text"),
        ] {
            assert_eq!(parsed(config), Err(expected.to_owned()), "{config}");
        }
    }
}
