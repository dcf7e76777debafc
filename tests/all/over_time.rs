//! What a real Prometheus keeps over time. Where the first value of a series is one that it can see, a counter's last
//! value less its first is what the records say, and `increase()` says as much within its extrapolation: for classic and
//! native histograms, with new series held at zero and with start timestamps read as zeros.

use std::collections::BTreeMap;
use std::fs;

use support::metricast::{self, Metricast};
use support::prometheus::{Prometheus, Scraping};
use support::promql::Series;
use support::{Server, data, ports};

use crate::truth::{FILE, RECORDS, Truth, truth};

/// More than a test takes.
const WHOLE: &str = "30m";
/// New series stand at zero for so long: two scrapes and more.
const HOLD: &str = "hold_new_series = \"3s\"\n";

fn totals_over_time_are_those_of_the_records(settings: &str, scraping: Scraping) {
    let (ingest, scrape) = (format!("127.0.0.1:{}", ports::free()), ports::free());
    let config = format!(
        "[ingest]\nlisten = \"{ingest}\"\n\n[[publishers]]\nplugin = \"prometheus\"\n[publishers.config]\nport = {scrape}\n{settings}"
    );
    let metricast = Metricast::run(&config);
    let target = format!("127.0.0.1:{scrape}");
    let Some(prometheus) = Prometheus::scraping_as(Server::Prometheus3, &[&target], scraping) else { return };
    prometheus.wait_for_scrapes();
    publish_in_parts(&prometheus, &metricast, &ingest);
    let truth = truth();
    counters(&prometheus, &truth);
    if !scraping.native || scraping.classic_too {
        classic_histograms(&prometheus, &truth);
    }
    if scraping.native {
        native_histograms(&prometheus, &truth);
    }
    assert_eq!(prometheus.scrape_errors(), [""; 0]);
}

/// A third of the real records at a time, each seen by Prometheus before the next.
fn publish_in_parts(prometheus: &Prometheus, metricast: &Metricast, ingest: &str) {
    let text = fs::read_to_string(data(FILE)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut published = 0;
    for part in lines.chunks(lines.len().div_ceil(3)) {
        let file = metricast.folder().join("part.ndjson");
        fs::write(&file, part.join("\n")).unwrap();
        let output = metricast::output(["publish", "--to", &format!("http://{ingest}"), file.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        published += part.len();
        prometheus.wait_for("sum(event_records_total) + sum(network_operations_total)", published as f64);
    }
    assert_eq!(published as u64, RECORDS);
}

fn counters(prometheus: &Prometheus, truth: &Truth) {
    let mut expected = BTreeMap::new();
    for ((name, status), count) in &truth.statuses {
        expected.insert(format!("event_records_total{{event_name=\"{name}\",status=\"{status}\"}}"), *count);
    }
    for (name, retries) in &truth.retries {
        expected.insert(format!("event_retries_total{{event_name=\"{name}\"}}"), *retries);
    }
    for (operation, (sent, received)) in &truth.bytes {
        let series = |direction| format!("network_bytes_total{{operation=\"{operation}\",direction=\"{direction}\"}}");
        expected.extend([(series("sent"), *sent), (series("received"), *received)]);
        let failures = format!("network_operations_total{{operation=\"{operation}\",outcome=\"failure\"}}");
        expected.insert(failures, truth.failures[operation]);
    }
    for (selector, expected) in expected {
        grew_by(prometheus, &selector, expected as f64, 0.0);
    }
}

fn classic_histograms(prometheus: &Prometheus, truth: &Truth) {
    for (histogram, labels, (count, seconds)) in histograms(truth) {
        grew_by(prometheus, &format!("{histogram}_count{{{labels}}}"), count as f64, 0.0);
        grew_by(prometheus, &format!("{histogram}_bucket{{{labels},le=\"+Inf\"}}"), count as f64, 0.0);
        grew_by(prometheus, &format!("{histogram}_sum{{{labels}}}"), seconds, 1e-3);
    }
}

fn native_histograms(prometheus: &Prometheus, truth: &Truth) {
    for (histogram, labels, (count, seconds)) in histograms(truth) {
        let selector = format!("{histogram}{{{labels}}}");
        let stored = one(prometheus, &selector);
        let (first, last) = (stored.histograms.first().unwrap(), stored.histograms.last().unwrap());
        assert!((last.1 - first.1 - count as f64).abs() < 0.5, "{selector}: {stored:?}");
        assert!((last.2 - first.2 - seconds).abs() < 1e-3, "{selector}: {} s of {seconds} s", last.2 - first.2);
        let times: Vec<f64> = stored.histograms.iter().map(|point| point.0).collect();
        let increase = prometheus.value(&format!("histogram_count(increase({selector}[{WHOLE}]))")).unwrap();
        is_extrapolated(&selector, increase, count as f64, &times);
    }
}

/// Name, labels, count and sum of each histogram that observed something.
fn histograms(truth: &Truth) -> Vec<(&'static str, String, (u64, f64))> {
    let events = truth.durations.iter().map(|((name, status), observed)| {
        ("event_duration_seconds", format!("event_name=\"{name}\",status=\"{status}\""), *observed)
    });
    let networks = truth
        .latencies
        .iter()
        .map(|(operation, observed)| ("network_latency_seconds", format!("operation=\"{operation}\""), *observed));
    events.chain(networks).collect()
}

fn grew_by(prometheus: &Prometheus, selector: &str, expected: f64, tolerance: f64) {
    let stored = one(prometheus, selector);
    let (first, last) = (stored.values.first().unwrap(), stored.values.last().unwrap());
    let growth = last.1 - first.1;
    assert!((growth - expected).abs() <= tolerance, "{selector} grew by {growth}, not {expected}: {stored:?}");
    let times: Vec<f64> = stored.values.iter().map(|point| point.0).collect();
    let increase = prometheus.value(&format!("increase({selector}[{WHOLE}])")).unwrap();
    is_extrapolated(selector, increase, growth, &times);
}

/// `increase()` extends what it saw beyond the last sample by the mean distance of samples and a tenth at most, and
/// before the first one not at all, because that is a zero.
fn is_extrapolated(selector: &str, increase: f64, growth: f64, times: &[f64]) {
    let beyond = 1.1 / (times.len() - 1) as f64;
    let bounds = growth * (1.0 - 1e-9)..=growth * (1.0 + beyond) + 1e-9;
    assert!(bounds.contains(&increase), "increase({selector}) is {increase}, and it grew by {growth}: {times:?}");
}

fn one(prometheus: &Prometheus, selector: &str) -> Series {
    let mut series = prometheus.stored(&format!("{selector}[{WHOLE}]"));
    assert_eq!(series.len(), 1, "{selector}: {series:?}");
    series.remove(0)
}

#[test]
fn classic_histograms_with_new_series_held_at_zero() {
    totals_over_time_are_those_of_the_records(HOLD, Scraping::default());
}

#[test]
fn classic_histograms_with_start_timestamps() {
    let scraping = Scraping { zero_ingestion: true, ..Scraping::default() };
    totals_over_time_are_those_of_the_records("histograms = \"classic\"\n", scraping);
}

#[test]
fn native_histograms_with_new_series_held_at_zero() {
    let scraping = Scraping { native: true, ..Scraping::default() };
    totals_over_time_are_those_of_the_records(&format!("histograms = \"native\"\n{HOLD}"), scraping);
}

#[test]
fn native_histograms_with_start_timestamps() {
    let scraping = Scraping { native: true, zero_ingestion: true, ..Scraping::default() };
    totals_over_time_are_those_of_the_records("histograms = \"native\"\n", scraping);
}

#[test]
fn both_histograms_with_new_series_held_at_zero() {
    let scraping = Scraping { native: true, classic_too: true, ..Scraping::default() };
    totals_over_time_are_those_of_the_records(&format!("histograms = \"both\"\n{HOLD}"), scraping);
}

#[test]
fn both_histograms_with_start_timestamps() {
    let scraping = Scraping { native: true, classic_too: true, zero_ingestion: true };
    totals_over_time_are_those_of_the_records("histograms = \"both\"\n", scraping);
}
