//! The body of a push: one stream of Loki's `PushRequest`, in protobuf and snappy
//! (<https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>).
//!
//! Protobuf and not JSON, because it is what Loki's own clients send, because a line that is JSON itself needs no second
//! escaping in it, and because the writer and snappy are in this component already for remote write. gzip would make
//! smaller bodies and a larger component.
//!
//! One stream a body: what an answer says is then about that stream. The entries ascend in time, since Loki refuses what
//! lies behind the newest that it has seen: a body of any span is taken so, and what is refused stands at its ends.

use metricast_series::wire;

use super::line::{Lines, nanos};
use crate::who::Who;

/// What bodies are.
pub(crate) const CONTENT_TYPE: &str = "application/x-protobuf";
/// `PushRequest`, `StreamAdapter`, `EntryAdapter` and `Timestamp`.
const STREAMS: u16 = 1;
const LABELS: u8 = 1;
const ENTRIES: u16 = 2;
const TIMESTAMP: u16 = 1;
const SECONDS: u8 = 1;
const NANOS: u8 = 2;
const PER_SECOND: u64 = 1_000_000_000;

/// Which of the four streams of an opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Of network operations, not of events.
    pub(crate) is_network: bool,
    /// Of lines that stand under the time of their arrival. Their own stream: a line of today in the stream of a file of
    /// yesterday would put all that follows too far behind.
    pub(crate) by_arrival: bool,
}

/// A line at the time that it is sent under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of the record.
    pub(crate) index: u32,
    /// Since the Unix epoch.
    pub(crate) nanos: i64,
}

impl Entry {
    pub(crate) fn new(index: u32, seconds: f64) -> Self {
        Self { index, nanos: nanos(seconds) }
    }
}

/// The labels of all streams.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Without a closing brace.
    common: String,
}

impl Labels {
    pub(crate) fn new(who: &Who) -> Self {
        let optional = |name, value: &Option<String>| {
            value.as_deref().map_or_else(String::new, |value| format!(", {name}={}", quoted(value)))
        };
        let namespace = optional("service_namespace", &who.namespace);
        let environment = optional("environment", &who.environment);
        Self { common: format!("{{service_name={}{namespace}{environment}", quoted(&who.service())) }
    }

    /// As a query writes them.
    pub(crate) fn of(&self, stream: Stream) -> String {
        let kind = if stream.is_network { "network" } else { "event" };
        let time = if stream.by_arrival { ", time=\"arrival\"" } else { "" };
        format!("{}, metric_type=\"{kind}\"{time}}}", self.common)
    }
}

/// A string of JSON is one of Go too, which Loki reads labels by.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A body before compression.
pub(crate) fn written(labels: &str, entries: &[Entry], lines: &Lines) -> Vec<u8> {
    let mut out = Vec::new();
    wire::nested(STREAMS, &mut out, |out| {
        wire::text(LABELS, labels, out);
        for entry in entries {
            wire::nested(ENTRIES, out, |out| {
                wire::nested(TIMESTAMP, out, |out| {
                    let nanos = u64::try_from(entry.nanos).unwrap_or_default();
                    wire::unsigned(SECONDS, nanos / PER_SECOND, out);
                    wire::unsigned(NANOS, nanos % PER_SECOND, out);
                });
                out.extend_from_slice(lines.entry(entry.index));
            });
        }
    });
    out
}

/// A body.
///
/// # Errors
/// Where snappy cannot have so much: 4 GiB.
pub(crate) fn body(labels: &str, entries: &[Entry], lines: &Lines) -> Result<Vec<u8>, snap::Error> {
    snap::raw::Encoder::new().compress_vec(&written(labels, entries, lines))
}

#[cfg(test)]
#[path = "push_tests.rs"]
pub(super) mod tests;
