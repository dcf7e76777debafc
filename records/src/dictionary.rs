//! The standard dictionary of a record: one JSON object, the same for every backend that writes records out.
//!
//! The record's fields by their names, its attributes under `attributes` (left out where there are none), then
//! `timestamp` (RFC 3339, UTC, of the end or else the start), `metric_type` (`event` or `network`) and `duration`
//! (seconds; left out while there is no end). What it writes is valid [`input`](crate::input) again.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::metrics::{Attributes, Event, MetricsRef, Network};
use crate::time::rfc3339;

/// Appends the dictionary of a record as JSON, without a newline.
pub fn write(metrics: &MetricsRef<'_>, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &Dictionary(metrics)).expect("memory takes every write, and all keys are text");
}

/// The dictionary of a record as JSON.
pub fn to_string(metrics: &MetricsRef<'_>) -> String {
    serde_json::to_string(&Dictionary(metrics)).expect("all keys are text")
}

struct Dictionary<'a>(&'a MetricsRef<'a>);

impl Serialize for Dictionary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let metric_type = match self.0 {
            MetricsRef::Event(event) => {
                event_fields(&mut map, event)?;
                "event"
            }
            MetricsRef::Network(network) => {
                network_fields(&mut map, network)?;
                "network"
            }
        };
        if !self.0.attributes().is_empty() {
            map.serialize_entry("attributes", &Pairs(self.0.attributes()))?;
        }
        map.serialize_entry("timestamp", &rfc3339(self.0.end_time().unwrap_or(self.0.start_time())))?;
        map.serialize_entry("metric_type", metric_type)?;
        if let Some(duration) = self.0.duration() {
            map.serialize_entry("duration", &duration)?;
        }
        map.end()
    }
}

fn event_fields<M: SerializeMap>(map: &mut M, event: &Event<'_>) -> Result<(), M::Error> {
    map.serialize_entry("event_name", event.event_name)?;
    map.serialize_entry("task_id", event.task_id)?;
    map.serialize_entry("start_time", &event.start_time)?;
    map.serialize_entry("end_time", &event.end_time)?;
    map.serialize_entry("status", event.status)?;
    map.serialize_entry("error", &event.error)?;
    map.serialize_entry("retry_count", &event.retry_count)?;
    map.serialize_entry("process_id", &event.process_id)
}

fn network_fields<M: SerializeMap>(map: &mut M, network: &Network<'_>) -> Result<(), M::Error> {
    map.serialize_entry("operation", network.operation)?;
    map.serialize_entry("task_id", &network.task_id)?;
    map.serialize_entry("host", network.host)?;
    map.serialize_entry("port", &network.port)?;
    map.serialize_entry("start_time", &network.start_time)?;
    map.serialize_entry("end_time", &network.end_time)?;
    map.serialize_entry("bytes_sent", &network.bytes_sent)?;
    map.serialize_entry("bytes_received", &network.bytes_received)?;
    map.serialize_entry("error", &network.error)
}

struct Pairs<'a>(Attributes<'a>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}
