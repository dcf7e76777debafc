//! The config: as it is written, and as it is used.

use std::collections::BTreeMap;
use std::time::Duration;

use metricast_aggregator::{BucketLists, Histograms, Label, Settings, Time, identity};
use metricast_sdk::{PublishError, Secret};
use serde::Deserialize;

use crate::address::Address;
use crate::place::{self, Place};
use crate::secret;
use crate::who::Who;

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = include_str!("../config.schema.json");

/// The API that finds endpoints, where nothing else is written.
const API: &str = "https://grafana.com/api";

/// The config as it is written; what is left out has its default.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The token of an access policy.
    pub api_key: Option<Secret>,
    /// The organisation.
    pub org_slug: Option<String>,
    /// Tells one stack of the organisation from others.
    pub region: Option<String>,
    /// The stack.
    pub stack_slug: Option<String>,
    /// The user that goes with `endpoint`.
    pub instance_id: Option<InstanceId>,
    /// Where metrics are pushed to, instead of what is found.
    pub endpoint: Option<String>,
    /// The base of the API that finds endpoints.
    pub api: Option<String>,
    /// How metrics are pushed.
    pub protocol: Protocol,
    /// How often metrics are pushed.
    pub push_interval: Time,
    /// What is sent.
    pub signals: Vec<Signal>,
    /// Of the signal `logs`.
    pub logs: LogsConfig,
    /// Which buckets histograms have.
    pub histograms: Histograms,
    /// The bounds of the histograms' buckets.
    pub buckets: BucketLists,
    /// How many series a metric may have.
    pub series_limit: u64,
    /// Whether the three metrics beyond the four of the API are kept.
    pub extra_metrics: bool,
    /// How long a series may be idle.
    pub expire_after: Option<Time>,
    /// How old a record may be when it is received.
    pub max_age: Option<Time>,
    /// Labels besides the metrics' own.
    pub labels: BTreeMap<String, Label>,
    /// Whether exemplars are kept.
    pub exemplars: bool,
    /// What the records are of.
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

/// What of the config is for log lines only.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// Where log lines are pushed to, instead of what is found.
    pub endpoint: Option<String>,
    /// The user that goes with `endpoint`.
    pub instance_id: Option<InstanceId>,
    /// What becomes of lines whose time Loki does not take.
    pub late: Late,
}

/// What becomes of a line whose time Loki does not take: too old, too far behind its stream, too far ahead.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The record is rejected, with Loki's reason.
    #[default]
    Drop,
    /// It is sent again under the time at which the record was received, in a stream of its own.
    ArrivalTime,
}

/// What one opening of the plugin sends.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Aggregates.
    Metrics,
    /// A line for each record.
    Logs,
}

impl Signal {
    /// As the config has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// How metrics are pushed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Prometheus remote write, 2.0 or 1.0.
    #[default]
    RemoteWrite,
    /// OTLP over HTTP, protobuf.
    Otlp,
}

/// The user of a receiver. People write the number as a number or as text.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum InstanceId {
    /// As a number.
    Number(u64),
    /// As text.
    Text(String),
}

impl std::fmt::Display for InstanceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let Settings {
            histograms,
            buckets,
            series_limit,
            extra_metrics,
            expire_after,
            max_age,
            labels,
            exemplars,
            hold_new_series: _,
        } = Settings::default();
        Self {
            api_key: None,
            org_slug: None,
            region: None,
            stack_slug: None,
            instance_id: None,
            endpoint: None,
            api: None,
            protocol: Protocol::default(),
            push_interval: Time(Duration::from_mins(1)),
            signals: vec![Signal::Metrics],
            logs: LogsConfig::default(),
            histograms,
            buckets,
            series_limit,
            extra_metrics,
            expire_after,
            max_age,
            labels,
            exemplars,
            service: None,
            namespace: None,
            environment: None,
            instance: None,
            host: None,
        }
    }
}

/// The config as it is used by one opening: all of it holds.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What this opening sends.
    pub(crate) signal: Signal,
    /// The API that finds endpoints.
    pub(crate) api: Address,
    /// Whether the user wrote that address.
    pub(crate) api_is_written: bool,
    /// None where an endpoint asks for none.
    pub(crate) api_key: Option<Secret>,
    /// Where the signal goes, as far as the config knows.
    pub(crate) place: Place,
    /// How metrics are pushed.
    pub(crate) protocol: Protocol,
    /// How often metrics are pushed.
    pub(crate) push_interval: Duration,
    /// Whose records these are.
    pub(crate) who: Who,
    /// What is counted and how.
    pub(crate) settings: Settings,
    /// What becomes of lines whose time Loki does not take.
    pub(crate) late: Late,
}

impl Config {
    /// What of it is used for one of its signals.
    ///
    /// # Errors
    /// `misconfigured`, by the key at fault.
    pub(crate) fn options(&self, signal: Signal) -> Result<Options, PublishError> {
        let api = Address::parse(self.api.as_deref().unwrap_or(API))
            .map_err(|what| PublishError::misconfigured("api", what))?;
        if self.api_key.as_ref().is_some_and(|key| !secret::is_one_word(key)) {
            return Err(PublishError::misconfigured("api_key", "is one word of visible ASCII characters"));
        }
        let settings = self.settings()?;
        settings.check()?;
        Ok(Options {
            signal,
            api,
            api_is_written: self.api.is_some(),
            api_key: self.api_key.clone(),
            place: place::of(self, signal)?,
            protocol: self.protocol,
            push_interval: push_interval(self.push_interval)?,
            who: self.who()?,
            settings,
            late: self.logs.late,
        })
    }

    /// All signals, each once.
    ///
    /// # Errors
    /// `misconfigured` where there is none, or one is there twice.
    pub(crate) fn checked_signals(&self) -> Result<&[Signal], PublishError> {
        match self.signals.as_slice() {
            [] => Err(PublishError::misconfigured("signals", "is empty: write metrics, logs, or both")),
            [first, rest @ ..] if rest.contains(first) => {
                Err(PublishError::misconfigured("signals", "has one twice: write each once"))
            }
            signals => Ok(signals),
        }
    }

    /// The one signal of an opening.
    ///
    /// # Errors
    /// `misconfigured` where there are several.
    pub(crate) fn signal(&self) -> Result<Signal, PublishError> {
        match self.checked_signals()? {
            [signal] => Ok(*signal),
            _ => Err(PublishError::misconfigured(
                "signals",
                "has more than one, and this host opens a plugin once: write two publishers, one with signals = \
                 [\"metrics\"] and one with signals = [\"logs\"]",
            )),
        }
    }

    fn settings(&self) -> Result<Settings, PublishError> {
        for (name, of) in [("job", "service and namespace"), ("instance", "instance")] {
            if self.labels.contains_key(name) {
                let what = format_args!("is made of {of}: write it there");
                return Err(PublishError::misconfigured(format_args!("labels.{name}"), what));
            }
        }
        let mut labels = self.labels.clone();
        if let Some(environment) = &self.environment {
            labels.entry("environment".to_owned()).or_insert_with(|| Label::Constant(environment.clone()));
        }
        Ok(Settings {
            histograms: self.histograms,
            buckets: self.buckets.clone(),
            series_limit: self.series_limit,
            extra_metrics: self.extra_metrics,
            // A push sends a 0 of its own before a first value.
            hold_new_series: None,
            expire_after: self.expire_after,
            max_age: self.max_age,
            labels,
            exemplars: self.exemplars,
        })
    }

    fn who(&self) -> Result<Who, PublishError> {
        let Self { service, namespace, environment, instance, host, .. } = self;
        identity::check_names(&[
            ("service", service.as_deref()),
            ("namespace", namespace.as_deref()),
            ("environment", environment.as_deref()),
            ("instance", instance.as_deref()),
            ("host", host.as_deref()),
        ])?;
        Ok(Who {
            service: service.clone(),
            namespace: namespace.clone(),
            environment: environment.clone(),
            instance: instance.clone(),
            host: host.clone(),
        })
    }
}

const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// Queries look back 5 minutes for a sample; a push that comes late still has to be in time.
const LONGEST_INTERVAL: Duration = Duration::from_mins(4);

fn push_interval(Time(time): Time) -> Result<Duration, PublishError> {
    if time < SHORTEST_INTERVAL {
        return Err(PublishError::misconfigured("push_interval", "the least is 1s"));
    }
    if time > LONGEST_INTERVAL {
        let what =
            "the most is 4m: queries look back 5 minutes, and find nothing between pushes that are further apart";
        return Err(PublishError::misconfigured("push_interval", what));
    }
    Ok(time)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
