//! Real records through `metricast run` and the sandboxed plugin into real Prometheus servers.

use std::time::Duration;

use support::metricast::{self, Metricast};
use support::prometheus::{Prometheus, Sample, complaints, parsed_open_metrics};
use support::{Server, data, http, ports, wait};

use crate::truth::{FILE, RECORDS, truth};

/// A running metricast that shows itself to Prometheus, and the authorities of ingest and scrapes.
fn running() -> (Metricast, String, String) {
    let (ingest, scrape) = (format!("127.0.0.1:{}", ports::free()), ports::free());
    let config = format!(
        "[ingest]\nlisten = \"{ingest}\"\n\n[[publishers]]\nplugin = \"prometheus\"\n[publishers.config]\nport = {scrape}\n"
    );
    (Metricast::run(&config), ingest, format!("127.0.0.1:{scrape}"))
}

fn publish_real_records(ingest: &str) {
    let to = format!("http://{ingest}");
    let file = data(FILE);
    let output = metricast::output(["publish", "--to", &to, file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn scraped_values_are_those_of_the_records(server: Server) {
    let (metricast, ingest, scrape) = running();
    let Some(prometheus) = Prometheus::scraping(server, &[&scrape]) else { return };
    publish_real_records(&ingest);
    let truth = truth();
    prometheus.wait_for("sum(event_records_total) + sum(network_operations_total)", RECORDS as f64);
    for ((name, status), count) in &truth.statuses {
        let labels = format!("{{event_name=\"{name}\",status=\"{status}\"}}");
        prometheus.wait_for(&format!("event_records_total{labels}"), *count as f64);
        let (ended, seconds) = truth.durations.get(&(name.clone(), status.clone())).copied().unwrap_or_default();
        let observed = prometheus.value(&format!("event_duration_seconds_count{labels}")).unwrap_or(0.0);
        assert!((observed - ended as f64).abs() < 0.5, "{labels}: {observed} of {ended}");
        let sum = prometheus.value(&format!("event_duration_seconds_sum{labels}")).unwrap_or(0.0);
        assert!((sum - seconds).abs() < 1e-6 * seconds.max(1.0), "{labels}: {sum} s of {seconds} s");
    }
    for (name, retries) in &truth.retries {
        prometheus.wait_for(&format!("event_retries_total{{event_name=\"{name}\"}}"), *retries as f64);
    }
    for (operation, (sent, received)) in &truth.bytes {
        for (direction, bytes) in [("sent", sent), ("received", received)] {
            let series = format!("network_bytes_total{{operation=\"{operation}\",direction=\"{direction}\"}}");
            prometheus.wait_for(&series, *bytes as f64);
        }
        let outcome = format!("network_operations_total{{operation=\"{operation}\",outcome=\"failure\"}}");
        prometheus.wait_for(&outcome, truth.failures[operation] as f64);
        let (count, seconds) = truth.latencies.get(operation).copied().unwrap_or_default();
        let label = format!("{{operation=\"{operation}\"}}");
        let observed = prometheus.value(&format!("network_latency_seconds_count{label}")).unwrap_or(0.0);
        assert!((observed - count as f64).abs() < 0.5, "{label}: {observed} of {count}");
        let sum = prometheus.value(&format!("network_latency_seconds_sum{label}")).unwrap_or(0.0);
        assert!((sum - seconds).abs() < 1e-3, "{label}: {sum} s of {seconds} s");
    }
    assert_eq!(prometheus.scrape_errors(), [""; 0]);
    let (status, log) = metricast.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn prometheus_2_queries_give_what_the_records_say() {
    scraped_values_are_those_of_the_records(Server::Prometheus2);
}

#[test]
fn prometheus_3_queries_give_what_the_records_say() {
    scraped_values_are_those_of_the_records(Server::Prometheus3);
}

#[test]
fn promtool_has_nothing_to_say() {
    let (_metricast, ingest, scrape) = running();
    publish_real_records(&ingest);
    let text = http::get(&format!("http://{scrape}/metrics")).unwrap().expect_success("a scrape");
    assert!(text.header("content-type").starts_with("text/plain; version=0.0.4"), "{}", text.header("content-type"));
    for server in [Server::Prometheus2, Server::Prometheus3] {
        let Some(said) = complaints(server, text.text()) else { continue };
        assert_eq!(said, "");
    }
}

#[test]
fn the_accept_header_chooses_the_format() {
    let (_metricast, ingest, scrape) = running();
    publish_real_records(&ingest);
    let url = format!("http://{scrape}/metrics");
    let open = http::get_with(&url, "accept", "application/openmetrics-text;version=1.0.0").unwrap();
    assert!(open.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.text().ends_with("# EOF\n"));
    let index = http::get(&format!("http://{scrape}/")).unwrap().expect_success("the index");
    assert!(index.text().contains("/metrics"));
}

fn total(samples: &[Sample], name: &str) -> f64 {
    samples.iter().filter(|sample| sample.label("__name__") == name).map(|sample| sample.value).sum()
}

#[test]
fn the_reference_parser_of_open_metrics_reads_what_the_records_say() {
    let (_metricast, ingest, scrape) = running();
    publish_real_records(&ingest);
    let url = format!("http://{scrape}/metrics");
    let truth = truth();
    let whole = wait::until("all records in a scrape", Duration::from_secs(30), || {
        let scraped = http::get_with(&url, "accept", "application/openmetrics-text;version=1.0.0").unwrap();
        let Some(samples) = parsed_open_metrics(scraped.text()) else { return Some(None) };
        let all = total(&samples, "event_records_total") + total(&samples, "network_operations_total");
        ((all - RECORDS as f64).abs() < 0.5).then_some(Some(samples))
    });
    let Some(samples) = whole else { return };
    let observed = truth.durations.values().map(|(count, _)| count).sum();
    let bytes = truth.bytes.values().map(|(sent, received)| sent + received).sum();
    for (name, expected) in [
        ("event_records_total", truth.events),
        ("event_duration_seconds_count", observed),
        ("network_bytes_total", bytes),
    ] {
        let total = total(&samples, name);
        assert!((total - expected as f64).abs() < 0.5, "{name}: {total}, not {expected}");
    }
}
