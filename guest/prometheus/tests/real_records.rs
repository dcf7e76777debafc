//! The real sample records through the plugin, beside a count that shares no code with it: every sample of the page,
//! and no other, is what the file's JSON says.

use std::collections::{BTreeMap, BTreeSet};

use metricast_prometheus::{Config, PrometheusPublisher};
use metricast_records::{Batch, BatchBuilder, input};
use metricast_sdk::Publisher;
use metricast_series::histogram::{EVENT_SECONDS, NETWORK_SECONDS};
use serde_json::Value;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/event-pipeline.ndjson");

fn lines() -> Vec<String> {
    std::fs::read_to_string(FILE).expect("the sample records").lines().map(str::to_owned).collect()
}

fn batch(lines: &[String], first: u64) -> Batch {
    let mut builder = BatchBuilder::new();
    for line in lines {
        let record = input::parse_line(line.as_bytes()).expect("no line is refused").expect("no line is blank");
        builder.push(&record.as_ref(), 1_795_400_000.0).expect("there is room");
    }
    builder.finish().placed("epoch", first)
}

fn page(publisher: &PrometheusPublisher, accept: &str) -> String {
    String::from_utf8(publisher.scrape(accept).expect("a page").body).expect("a page is UTF-8")
}

type Samples = BTreeMap<String, f64>;

fn samples(page: &str) -> Samples {
    let samples = page.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let sample = line.split_once(" # ").map_or(line, |(sample, _exemplar)| sample);
        let (series, value) = sample.rsplit_once(' ').expect("a sample has a value");
        (series.to_owned(), value.parse().expect("a value is a number"))
    });
    samples.collect()
}

/// Adds the samples of a histogram of these values.
fn histogram(samples: &mut Samples, name: &str, labels: &str, bounds: &[f64], values: &[f64]) {
    for bound in bounds {
        let count = values.iter().filter(|value| *value <= bound).count();
        samples.insert(format!("{name}_bucket{{{labels},le=\"{bound:?}\"}}"), count as f64);
    }
    samples.insert(format!("{name}_bucket{{{labels},le=\"+Inf\"}}"), values.len() as f64);
    samples.insert(format!("{name}_count{{{labels}}}"), values.len() as f64);
    samples.insert(format!("{name}_sum{{{labels}}}"), values.iter().sum());
}

/// What the records of one label set say.
#[derive(Default)]
struct Counted {
    records: f64,
    seconds: Vec<f64>,
    last_end: Option<f64>,
}

#[derive(Default)]
struct Truth {
    events: BTreeMap<(String, String), Counted>,
    operations: BTreeMap<String, Counted>,
    /// Retries by event, bytes and failures by operation.
    sums: Samples,
    without_end: f64,
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().expect("a text")
}

impl Truth {
    fn of(lines: &[String]) -> Self {
        let mut truth = Self::default();
        for line in lines {
            let record: Value = serde_json::from_str(line).expect("a line is JSON");
            if record["metric_type"] == "event" { truth.event(&record) } else { truth.operation(&record) }
        }
        truth
    }

    fn add(&mut self, series: String, value: f64) {
        *self.sums.entry(series).or_default() += value;
    }

    fn event(&mut self, record: &Value) {
        let (name, status) = (text(record, "event_name"), text(record, "status"));
        for usual in ["completed", "failed"] {
            self.events.entry((name.to_owned(), usual.to_owned())).or_default();
        }
        let retries = record["retry_count"].as_f64().expect("a number");
        self.add(format!("event_retries_total{{event_name=\"{name}\"}}"), retries);
        let counted = self.events.entry((name.to_owned(), status.to_owned())).or_default();
        counted.records += 1.0;
        match record["end_time"].as_f64() {
            None => self.without_end += 1.0,
            Some(end) => {
                counted.seconds.push(end - record["start_time"].as_f64().expect("a number"));
                counted.last_end = Some(counted.last_end.map_or(end, |last| last.max(end)));
            }
        }
    }

    fn operation(&mut self, record: &Value) {
        let name = text(record, "operation");
        for direction in ["sent", "received"] {
            let bytes = record[format!("bytes_{direction}")].as_f64().expect("a number");
            let series = format!("network_bytes_total{{operation=\"{name}\",direction=\"{direction}\"}}");
            self.add(series, bytes);
        }
        let failed = if record["error"].is_null() { 0.0 } else { 1.0 };
        for (outcome, count) in [("success", 1.0 - failed), ("failure", failed)] {
            let series = format!("network_operations_total{{operation=\"{name}\",outcome=\"{outcome}\"}}");
            self.add(series, count);
        }
        let counted = self.operations.entry(name.to_owned()).or_default();
        let start_to_end = || Some(record["end_time"].as_f64()? - record["start_time"].as_f64()?);
        match start_to_end().or_else(|| record["latency"].as_f64()) {
            None => self.without_end += 1.0,
            Some(seconds) => counted.seconds.push(seconds),
        }
    }

    fn samples(&self, extra: bool) -> Samples {
        let mut samples = self.sums.clone();
        samples.retain(|series, _| extra || !series.starts_with("network_operations"));
        samples.insert("metricast_unobserved_total{reason=\"no_end\"}".to_owned(), self.without_end);
        for ((name, status), counted) in &self.events {
            let labels = format!("event_name=\"{name}\",status=\"{status}\"");
            if !counted.seconds.is_empty() || status != "pending" {
                histogram(&mut samples, "event_duration_seconds", &labels, &EVENT_SECONDS, &counted.seconds);
            }
            if extra {
                samples.insert(format!("event_records_total{{{labels}}}"), counted.records);
                let last = format!("event_last_completion_timestamp_seconds{{{labels}}}");
                samples.extend(counted.last_end.map(|end| (last, end)));
            }
        }
        for (name, counted) in &self.operations {
            let labels = format!("operation=\"{name}\"");
            histogram(&mut samples, "network_latency_seconds", &labels, &NETWORK_SECONDS, &counted.seconds);
        }
        samples
    }
}

fn assert_same(page: &str, truth: &Samples) {
    let mut said = samples(page);
    said.retain(|series, value| {
        let overflow = series.starts_with("metricast_series_overflow_total");
        assert!(!overflow || value.abs() < f64::EPSILON, "{series} {value}");
        !overflow
    });
    let names = |samples: &Samples| samples.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&said), names(truth));
    for (series, value) in said {
        let expected = truth[&series];
        // Latencies are kept to the microsecond; all else is exact.
        let margin = if series.contains("_sum{") { 1e-4 } else { 0.0 };
        assert!((value - expected).abs() <= margin, "{series} {value} {expected}");
    }
}

#[test]
fn the_page_is_what_the_records_say() {
    let lines = lines();
    assert_eq!(lines.len(), 6965);
    let mut publisher = PrometheusPublisher::open(Config::default(), None).expect("opened");
    for (at, chunk) in lines.chunks(1000).enumerate() {
        let batch = batch(chunk, at as u64 * 1000);
        let receipt = publisher.publish(&batch).expect("taken");
        assert_eq!(receipt.accepted as usize, chunk.len());
    }
    let truth = Truth::of(&lines).samples(true);
    assert_same(&page(&publisher, "text/plain"), &truth);
    assert_same(&page(&publisher, "application/openmetrics-text"), &truth);
}

#[test]
fn without_the_extra_metrics_the_four_of_the_api_are_left() {
    let lines = lines();
    let config = Config { extra_metrics: false, ..Config::default() };
    let mut publisher = PrometheusPublisher::open(config, None).expect("opened");
    publisher.publish(&batch(&lines, 0)).expect("taken");
    let page = page(&publisher, "text/plain");
    assert_same(&page, &Truth::of(&lines).samples(false));
    for extra in ["event_records", "network_operations", "event_last_completion"] {
        assert!(!page.contains(extra), "{extra}");
    }
}
