//! What is counted and how: as a config has it, and as it is used.

use std::collections::BTreeMap;
use std::time::Duration;

use metricast_sdk::PublishError;
use metricast_series::{Buckets, HistogramForm, SeriesLimit, histogram};
use serde::Deserialize;

use crate::labels::{Label, Labels};
use crate::time::Time;
use crate::turns;

/// What is counted and how. Plugins have a config key of the same name for each field.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which buckets histograms have.
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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            histograms: Histograms::default(),
            buckets: BucketLists::default(),
            series_limit: u64::from(SeriesLimit::DEFAULT),
            extra_metrics: true,
            hold_new_series: None,
            expire_after: None,
            max_age: None,
            labels: BTreeMap::new(),
            exemplars: true,
        }
    }
}

/// Which buckets histograms have; in the text formats they are classic always.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Histograms {
    /// Those of `buckets`.
    #[default]
    Classic,
    /// Those that grow by one factor.
    Native,
    /// Both.
    Both,
}

impl From<Histograms> for HistogramForm {
    fn from(histograms: Histograms) -> Self {
        match histograms {
            Histograms::Classic => Self::Classic,
            Histograms::Native => Self::Native,
            Histograms::Both => Self::Both,
        }
    }
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

impl Default for BucketLists {
    fn default() -> Self {
        Self { events: histogram::EVENT_SECONDS.to_vec(), network: histogram::NETWORK_SECONDS.to_vec() }
    }
}

/// The settings as they are used: all of it holds.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) histograms: HistogramForm,
    pub(crate) event_buckets: Buckets,
    pub(crate) network_buckets: Buckets,
    pub(crate) series_limit: SeriesLimit,
    pub(crate) extra_metrics: bool,
    /// Seconds.
    pub(crate) hold_new_series: f64,
    /// After how many turns an idle series expires.
    pub(crate) idle_turns: Option<u32>,
    /// Seconds.
    pub(crate) max_age: Option<f64>,
    pub(crate) labels: Labels,
    pub(crate) exemplars: bool,
}

impl Settings {
    /// Judges them without keeping anything.
    ///
    /// # Errors
    /// `misconfigured`, by the key at fault.
    pub fn check(&self) -> Result<(), PublishError> {
        Options::try_from(self).map(drop)
    }
}

impl TryFrom<&Settings> for Options {
    type Error = PublishError;

    fn try_from(settings: &Settings) -> Result<Self, PublishError> {
        Ok(Self {
            histograms: settings.histograms.into(),
            event_buckets: buckets("buckets.events", &settings.buckets.events)?,
            network_buckets: buckets("buckets.network", &settings.buckets.network)?,
            series_limit: SeriesLimit::new(settings.series_limit)
                .map_err(|error| PublishError::misconfigured("series_limit", error))?,
            extra_metrics: settings.extra_metrics,
            hold_new_series: hold(settings.hold_new_series)?,
            idle_turns: settings.expire_after.map(idle_turns).transpose()?,
            max_age: settings.max_age.map(max_age).transpose()?,
            labels: Labels::checked(&settings.labels)?,
            exemplars: settings.exemplars,
        })
    }
}

/// Longer than this nobody would find out what happened.
const LONGEST_HOLD: Duration = Duration::from_hours(1);

fn hold(time: Option<Time>) -> Result<f64, PublishError> {
    match time {
        Some(Time(time)) if time > LONGEST_HOLD => {
            Err(PublishError::misconfigured("hold_new_series", "the most is 1h"))
        }
        time => Ok(time.map_or(0.0, |Time(time)| time.as_secs_f64())),
    }
}

/// A series that comes and goes is worse than one that stays.
const SHORTEST_EXPIRY: Duration = Duration::from_hours(1);

fn idle_turns(Time(time): Time) -> Result<u32, PublishError> {
    if time < SHORTEST_EXPIRY {
        return Err(PublishError::misconfigured("expire_after", "the least is 1h"));
    }
    Ok((time.as_secs_f64() / turns::SECONDS).ceil() as u32)
}

fn max_age(Time(time): Time) -> Result<f64, PublishError> {
    if time.is_zero() {
        return Err(PublishError::misconfigured("max_age", "must be longer than 0s"));
    }
    Ok(time.as_secs_f64())
}

fn buckets(path: &str, bounds: &[f64]) -> Result<Buckets, PublishError> {
    Buckets::new(bounds).map_err(|error| PublishError::misconfigured(path, error))
}
