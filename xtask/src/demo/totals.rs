//! What a file of records and a scrape must agree on.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::exposition::Sample;

/// Sums over all records.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Events by status.
    pub(super) events: BTreeMap<String, u64>,
    pub(super) retries: u64,
    pub(super) operations: u64,
    pub(super) failed_operations: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Totals {
    /// Counts the records of a file.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut totals = Self::default();
        for line in text.lines() {
            totals.add(&serde_json::from_str(line).with_context(|| format!("not a record: {line}"))?);
        }
        Ok(totals)
    }

    fn add(&mut self, record: &Value) {
        let number = |key: &str| record[key].as_u64().unwrap_or(0);
        if record["metric_type"] == "event" {
            *self.events.entry(record["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            self.retries += number("retry_count");
        } else {
            self.operations += 1;
            self.failed_operations += u64::from(!record["error"].is_null());
            self.sent += number("bytes_sent");
            self.received += number("bytes_received");
        }
    }

    /// Sums what a scrape has.
    pub(super) fn of_samples(samples: &[Sample]) -> Self {
        let mut totals = Self::default();
        for sample in samples {
            let value = sample.value as u64;
            match (sample.name.as_str(), sample.label("direction")) {
                // A series may stand at 0 from the start.
                ("event_records_total", _) if value > 0 => {
                    *totals.events.entry(sample.label("status").to_owned()).or_default() += value;
                }
                ("event_retries_total", _) => totals.retries += value,
                ("network_operations_total", _) => {
                    totals.operations += value;
                    totals.failed_operations += if sample.label("outcome") == "success" { 0 } else { value };
                }
                ("network_bytes_total", "sent") => totals.sent += value,
                ("network_bytes_total", "received") => totals.received += value,
                _ => {}
            }
        }
        totals
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: u64 = self.events.values().sum();
        write!(f, "{events} events {:?} with {} retries, ", self.events, self.retries)?;
        write!(f, "{} network operations ({} failed, ", self.operations, self.failed_operations)?;
        write!(f, "{} bytes sent, {} received)", self.sent, self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::samples;
    use super::*;

    #[test]
    fn a_file_and_a_scrape_agree() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        let records = [
            r#"{"metric_type":"event","status":"completed","retry_count":2}"#,
            r#"{"metric_type":"network","bytes_sent":5,"bytes_received":7,"error":""}"#,
        ];
        fs::write(&file, records.join("\n")).unwrap();
        let text = "event_records_total{status=\"completed\"} 1\nevent_records_total{status=\"failed\"} 0\n\
                    event_retries_total 2\nnetwork_operations_total{outcome=\"failure\"} 1\n\
                    network_bytes_total{direction=\"sent\"} 5\nnetwork_bytes_total{direction=\"received\"} 7\n";
        let found = Totals::of_samples(&samples(text).unwrap());
        assert_eq!(found, Totals::of_file(&file).unwrap());
        assert!(found.to_string().contains("1 events") && found.failed_operations == 1, "{found}");
    }
}
