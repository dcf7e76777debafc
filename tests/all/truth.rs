//! What the real records say, counted here without any code of the project.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use support::data;

/// The file of real records.
pub(crate) const FILE: &str = "event-pipeline.ndjson";
/// How many it has.
pub(crate) const RECORDS: u64 = 6_965;

/// Counts and sums.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) events: u64,
    pub(crate) networks: u64,
    /// By event name and status.
    pub(crate) statuses: BTreeMap<(String, String), u64>,
    /// By event name and status: how many have an end, and their seconds.
    pub(crate) durations: BTreeMap<(String, String), (u64, f64)>,
    pub(crate) retries: BTreeMap<String, u64>,
    /// By operation: sent, received.
    pub(crate) bytes: BTreeMap<String, (u64, u64)>,
    /// By operation: how many have a latency, and their seconds.
    pub(crate) latencies: BTreeMap<String, (u64, f64)>,
    /// By operation, of records with an error.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// Of the file.
pub(crate) fn truth() -> Truth {
    let text = fs::read_to_string(data(FILE)).unwrap();
    let mut truth = Truth::default();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        if record["metric_type"] == "event" { truth.event(&record) } else { truth.network(&record) }
    }
    assert_eq!(truth.events + truth.networks, RECORDS);
    truth
}

impl Truth {
    fn event(&mut self, record: &Value) {
        let name = record["event_name"].as_str().unwrap().to_owned();
        let key = (name.clone(), record["status"].as_str().unwrap().to_owned());
        self.events += 1;
        *self.statuses.entry(key.clone()).or_default() += 1;
        *self.retries.entry(name).or_default() += record["retry_count"].as_u64().unwrap();
        if let Some(end) = record["end_time"].as_f64() {
            let (count, seconds) = self.durations.entry(key).or_default();
            *count += 1;
            *seconds += end - record["start_time"].as_f64().unwrap();
        }
    }

    fn network(&mut self, record: &Value) {
        let operation = record["operation"].as_str().unwrap().to_owned();
        self.networks += 1;
        let (sent, received) = self.bytes.entry(operation.clone()).or_default();
        *sent += record["bytes_sent"].as_u64().unwrap();
        *received += record["bytes_received"].as_u64().unwrap();
        *self.failures.entry(operation.clone()).or_default() += u64::from(!record["error"].is_null());
        let times = record["end_time"].as_f64().zip(record["start_time"].as_f64()).map(|(end, start)| end - start);
        if let Some(latency) = record["latency"].as_f64().or(times) {
            let (count, seconds) = self.latencies.entry(operation).or_default();
            *count += 1;
            *seconds += latency;
        }
    }
}
