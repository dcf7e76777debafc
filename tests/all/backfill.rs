//! Old records into a real Prometheus: `metricast format --openmetrics`, promtool's blocks, and queries at the times when
//! the records happened.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use support::prometheus::Prometheus;
use support::{Server, data, metricast};

use crate::truth::{FILE, truth};

const STEP: f64 = 5.0;

/// Of all real records: when the first and the last happened.
fn span() -> (f64, f64) {
    let text = fs::read_to_string(data(FILE)).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let time = |record: &Value| {
        let at = |key: &str| record[key].as_f64();
        let started = || at("start_time").unwrap_or_else(|| at("end_time").unwrap_or(f64::NAN));
        at("end_time").unwrap_or_else(started)
    };
    let times: Vec<f64> = records.map(|record| time(&record)).filter(|time| time.is_finite()).collect();
    (times.iter().copied().fold(f64::MAX, f64::min), times.iter().copied().fold(f64::MIN, f64::max))
}

fn openmetrics(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let file = folder.path().join("old.om");
    let output = metricast::output(["format", "--openmetrics", "--step", "5s", data(FILE).to_str().unwrap()]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::write(&file, output.stdout).unwrap();
    file
}

#[test]
fn a_prometheus_on_promtools_blocks_answers_with_the_truth_at_the_old_times() {
    let folder = tempfile::tempdir().unwrap();
    let Some(prometheus) = Prometheus::on_blocks_of(Server::Prometheus3, &openmetrics(&folder)) else { return };
    let (first, last) = span();
    let end = (last / STEP).ceil() * STEP;
    let value = |expression: &str, time: f64| {
        let samples = prometheus.query_at(expression, time);
        assert!(samples.len() < 2, "{expression} gives {}", samples.len());
        samples.first().map(|sample| sample.value)
    };
    let is = |expression: &str, wanted: f64| {
        let found = value(expression, end).unwrap_or(0.0);
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{expression} is {found}, not {wanted}");
    };
    let truth = truth();
    for ((name, status), count) in &truth.statuses {
        let labels = format!("{{event_name=\"{name}\",status=\"{status}\"}}");
        is(&format!("event_records_total{labels}"), *count as f64);
        // From the zero before the first sample: what increase() can see.
        let series = format!("event_records_total{labels}[10m]");
        is(&format!("max_over_time({series}) - min_over_time({series})"), *count as f64);
        let (ended, seconds) = truth.durations.get(&(name.clone(), status.clone())).copied().unwrap_or_default();
        is(&format!("event_duration_seconds_count{labels}"), ended as f64);
        is(&format!("event_duration_seconds_sum{labels}"), seconds);
    }
    for (name, retries) in &truth.retries {
        is(&format!("event_retries_total{{event_name=\"{name}\"}}"), *retries as f64);
    }
    for (operation, (sent, received)) in &truth.bytes {
        is(&format!("network_bytes_total{{operation=\"{operation}\",direction=\"sent\"}}"), *sent as f64);
        is(&format!("network_bytes_total{{operation=\"{operation}\",direction=\"received\"}}"), *received as f64);
    }
    assert_eq!(value("sum(event_records_total)", first - 2.0 * STEP), None, "nothing was before");
    let half = (f64::midpoint(first, last) / STEP).floor() * STEP;
    assert_eq!(value("sum(event_records_total) + sum(network_operations_total)", half), Some(happened_until(half)));
}

/// How many records had happened by then.
fn happened_until(time: f64) -> f64 {
    let formatted = metricast::output(["format", data(FILE).to_str().unwrap()]);
    let records = String::from_utf8(formatted.stdout).unwrap();
    let records = records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let own = |record: &Value| record["end_time"].as_f64().or(record["start_time"].as_f64()).unwrap();
    records.filter(|record| own(record) <= time).count() as f64
}

#[test]
fn every_series_begins_at_zero_stays_together_and_goes_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(openmetrics(&folder)).unwrap();
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let mut kinds = BTreeMap::new();
    let mut kind = "";
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, of) = family.split_once(' ').unwrap();
            assert_eq!(kinds.insert(name, of), None, "{name} comes twice");
            kind = of;
        } else if !line.starts_with('#') {
            let mut words = line.rsplitn(3, ' ');
            let time: u64 = words.next().unwrap().parse().unwrap();
            let (value, key) = (words.next().unwrap(), words.next().unwrap());
            let before = last.insert(key, time);
            assert!(
                time.is_multiple_of(5) && before.is_none_or(|before| before + 5 == time),
                "{line} after {before:?}"
            );
            assert!(before.is_some() || kind == "gauge" || value == "0", "{line} is the first");
        }
    }
    assert!(kinds.len() >= 7 && last.len() > 100, "{kinds:?}");
}
