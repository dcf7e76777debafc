//! The records: what a program hands over (owned), and what a reader of a batch sees (borrowed).

use std::borrow::Cow;

use crate::batch::AttributeRow;

/// One execution of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventMetrics {
    /// What ran. Never empty.
    pub event_name: String,
    /// The run it belongs to; empty where the program gave none. Real programs give one id to many runs.
    pub task_id: String,
    /// Seconds since the Unix epoch, within [`time::RANGE`](crate::time::RANGE).
    pub start_time: f64,
    /// Seconds since the Unix epoch, not before `start_time`; `None` while there is no end.
    pub end_time: Option<f64>,
    /// `pending`, `running`, `completed`, `failed`; others pass through. Never empty.
    pub status: String,
    /// `None` is no error; the empty text is an error without a message.
    pub error: Option<String>,
    /// Failed attempts so far.
    pub retry_count: u32,
    /// The operating system's id of the process; below `u32::MAX`.
    pub process_id: Option<u32>,
    /// Fields besides the record's own.
    pub attributes: Vec<(String, String)>,
}

/// One network operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkMetrics {
    /// What was done, such as `connect` or `http_get`. Never empty.
    pub operation: String,
    /// Real programs give one; it is no key.
    pub task_id: Option<String>,
    /// A name or a literal address. Never empty.
    pub host: String,
    /// 0 is: not known.
    pub port: u16,
    /// Seconds since the Unix epoch, within [`time::RANGE`](crate::time::RANGE).
    pub start_time: f64,
    /// Seconds since the Unix epoch, not before `start_time`; `None` while the operation is under way.
    pub end_time: Option<f64>,
    /// Bytes that left.
    pub bytes_sent: u64,
    /// Bytes that arrived.
    pub bytes_received: u64,
    /// `None` is success; the empty text is an error without a message.
    pub error: Option<String>,
    /// Fields besides the record's own.
    pub attributes: Vec<(String, String)>,
}

/// A record of either kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Metrics {
    /// An event's execution.
    Event(EventMetrics),
    /// A network operation.
    Network(NetworkMetrics),
}

/// An event, borrowed from a batch or from an [`EventMetrics`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// As [`EventMetrics::event_name`].
    pub event_name: &'a str,
    /// As [`EventMetrics::task_id`].
    pub task_id: &'a str,
    /// As [`EventMetrics::start_time`].
    pub start_time: f64,
    /// As [`EventMetrics::end_time`].
    pub end_time: Option<f64>,
    /// As [`EventMetrics::status`].
    pub status: &'a str,
    /// As [`EventMetrics::error`].
    pub error: Option<&'a str>,
    /// As [`EventMetrics::retry_count`].
    pub retry_count: u32,
    /// As [`EventMetrics::process_id`].
    pub process_id: Option<u32>,
    /// As [`EventMetrics::attributes`].
    pub attributes: Attributes<'a>,
}

/// A network operation, borrowed from a batch or from a [`NetworkMetrics`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network<'a> {
    /// As [`NetworkMetrics::operation`].
    pub operation: &'a str,
    /// As [`NetworkMetrics::task_id`].
    pub task_id: Option<&'a str>,
    /// As [`NetworkMetrics::host`].
    pub host: &'a str,
    /// As [`NetworkMetrics::port`].
    pub port: u16,
    /// As [`NetworkMetrics::start_time`].
    pub start_time: f64,
    /// As [`NetworkMetrics::end_time`].
    pub end_time: Option<f64>,
    /// As [`NetworkMetrics::bytes_sent`].
    pub bytes_sent: u64,
    /// As [`NetworkMetrics::bytes_received`].
    pub bytes_received: u64,
    /// As [`NetworkMetrics::error`].
    pub error: Option<&'a str>,
    /// As [`NetworkMetrics::attributes`].
    pub attributes: Attributes<'a>,
}

/// A borrowed record of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricsRef<'a> {
    /// An event's execution.
    Event(Event<'a>),
    /// A network operation.
    Network(Network<'a>),
}

/// How a record ended: the one rule of all backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An event `completed`, or a network operation without an error.
    Success,
    /// An event `failed`, or a network operation with an error.
    Failure,
    /// An event of any other status.
    Unknown,
}

impl Outcome {
    /// How an event of this status ended.
    pub fn of_status(status: &str) -> Self {
        match status {
            "completed" => Self::Success,
            "failed" => Self::Failure,
            _ => Self::Unknown,
        }
    }

    /// The word that ECS uses for `event.outcome`
    /// (<https://www.elastic.co/guide/en/ecs/current/ecs-allowed-values-event-outcome.html>).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

impl Event<'_> {
    /// Seconds from start to end; `None` while there is no end.
    pub fn duration(&self) -> Option<f64> {
        self.end_time.map(|end| end - self.start_time)
    }

    /// By the status.
    pub fn outcome(&self) -> Outcome {
        Outcome::of_status(self.status)
    }

    /// An owned copy.
    pub fn to_owned(&self) -> EventMetrics {
        EventMetrics {
            event_name: self.event_name.to_owned(),
            task_id: self.task_id.to_owned(),
            start_time: self.start_time,
            end_time: self.end_time,
            status: self.status.to_owned(),
            error: self.error.map(str::to_owned),
            retry_count: self.retry_count,
            process_id: self.process_id,
            attributes: self.attributes.to_owned(),
        }
    }
}

impl Network<'_> {
    /// Seconds from start to end; `None` while the operation is under way.
    pub fn duration(&self) -> Option<f64> {
        self.end_time.map(|end| end - self.start_time)
    }

    /// By whether there is an error.
    pub fn outcome(&self) -> Outcome {
        if self.error.is_some() { Outcome::Failure } else { Outcome::Success }
    }

    /// An owned copy.
    pub fn to_owned(&self) -> NetworkMetrics {
        NetworkMetrics {
            operation: self.operation.to_owned(),
            task_id: self.task_id.map(str::to_owned),
            host: self.host.to_owned(),
            port: self.port,
            start_time: self.start_time,
            end_time: self.end_time,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            error: self.error.map(str::to_owned),
            attributes: self.attributes.to_owned(),
        }
    }
}

impl<'a> MetricsRef<'a> {
    /// As [`EventMetrics::start_time`].
    pub fn start_time(&self) -> f64 {
        match self {
            Self::Event(event) => event.start_time,
            Self::Network(network) => network.start_time,
        }
    }

    /// As [`EventMetrics::end_time`].
    pub fn end_time(&self) -> Option<f64> {
        match self {
            Self::Event(event) => event.end_time,
            Self::Network(network) => network.end_time,
        }
    }

    /// Seconds from start to end; `None` while there is no end.
    pub fn duration(&self) -> Option<f64> {
        match self {
            Self::Event(event) => event.duration(),
            Self::Network(network) => network.duration(),
        }
    }

    /// As [`EventMetrics::attributes`].
    pub fn attributes(&self) -> Attributes<'a> {
        match self {
            Self::Event(event) => event.attributes,
            Self::Network(network) => network.attributes,
        }
    }

    /// An owned copy.
    pub fn to_owned(&self) -> Metrics {
        match self {
            Self::Event(event) => Metrics::Event(event.to_owned()),
            Self::Network(network) => Metrics::Network(network.to_owned()),
        }
    }
}

impl EventMetrics {
    /// The record, borrowed.
    pub fn as_ref(&self) -> Event<'_> {
        Event {
            event_name: &self.event_name,
            task_id: &self.task_id,
            start_time: self.start_time,
            end_time: self.end_time,
            status: &self.status,
            error: self.error.as_deref(),
            retry_count: self.retry_count,
            process_id: self.process_id,
            attributes: Attributes::from(self.attributes.as_slice()),
        }
    }
}

impl NetworkMetrics {
    /// The record, borrowed.
    pub fn as_ref(&self) -> Network<'_> {
        Network {
            operation: &self.operation,
            task_id: self.task_id.as_deref(),
            host: &self.host,
            port: self.port,
            start_time: self.start_time,
            end_time: self.end_time,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            error: self.error.as_deref(),
            attributes: Attributes::from(self.attributes.as_slice()),
        }
    }
}

impl From<EventMetrics> for Metrics {
    fn from(metrics: EventMetrics) -> Self {
        Self::Event(metrics)
    }
}

impl From<NetworkMetrics> for Metrics {
    fn from(metrics: NetworkMetrics) -> Self {
        Self::Network(metrics)
    }
}

impl Metrics {
    /// The record, borrowed.
    pub fn as_ref(&self) -> MetricsRef<'_> {
        match self {
            Self::Event(event) => MetricsRef::Event(event.as_ref()),
            Self::Network(network) => MetricsRef::Network(network.as_ref()),
        }
    }
}

/// A record's fields besides its own, as pairs of key and value. A key may be empty, and stands once.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Row(AttributeRow<'a>),
    Owned(&'a [(String, String)]),
    Parsed(&'a [(Cow<'a, str>, Cow<'a, str>)]),
}

impl<'a> Attributes<'a> {
    pub(crate) fn row(row: AttributeRow<'a>) -> Self {
        Self(Source::Row(row))
    }

    pub(crate) fn parsed(pairs: &'a [(Cow<'a, str>, Cow<'a, str>)]) -> Self {
        Self(Source::Parsed(pairs))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Row(row) => row.len(),
            Source::Owned(pairs) => pairs.len(),
            Source::Parsed(pairs) => pairs.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pairs in the order in which the record had them.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
        (0..self.len()).map(move |index| self.pair(index))
    }

    /// The value of a key.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    fn pair(self, index: usize) -> (&'a str, &'a str) {
        match self.0 {
            Source::Row(row) => row.pair(index),
            Source::Owned(pairs) => (&pairs[index].0, &pairs[index].1),
            Source::Parsed(pairs) => (&pairs[index].0, &pairs[index].1),
        }
    }

    fn to_owned(self) -> Vec<(String, String)> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

impl<'a> From<&'a [(String, String)]> for Attributes<'a> {
    fn from(pairs: &'a [(String, String)]) -> Self {
        Self(Source::Owned(pairs))
    }
}

impl PartialEq for Attributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl std::fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
