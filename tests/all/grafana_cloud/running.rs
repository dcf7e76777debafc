//! `metricast run`: series are there while it runs, pushed at an interval, and end with it.

use std::time::Duration;

use support::metricast::{self, Metricast};
use support::prometheus::Prometheus;
use support::promql::Querier;
use support::victoria_metrics::VictoriaMetrics;
use support::{Server, data, ports, wait};

use super::INSTANCE;
use crate::truth::{FILE, RECORDS};

/// What is there now: without a range, a series that has ended gives nothing.
const ALL: &str = "sum(event_records_total) + sum(network_operations_total)";
const PATIENCE: Duration = Duration::from_secs(30);

fn series_live_as_long_as_the_program(endpoint: &str, settings: &str, querier: impl Fn() -> Querier) {
    let ingest = format!("127.0.0.1:{}", ports::free());
    let metricast = Metricast::run(&format!(
        "[ingest]\nlisten = \"{ingest}\"\n[[publishers]]\nplugin = \"grafana-cloud\"\n[publishers.config]\n\
         endpoint = \"{endpoint}\"\ninstance = \"{INSTANCE}\"\npush_interval = \"1s\"\n{settings}"
    ));
    let (to, file) = (format!("http://{ingest}"), data(FILE));
    let output = metricast::output(["publish", "--to", &to, file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    wait::until("all records by the push of an interval", PATIENCE, || {
        let found = querier().value(ALL)?;
        ((found - RECORDS as f64).abs() < 0.5).then_some(())
    });
    let (status, log) = metricast.stop();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
    wait::until("the end of all series", PATIENCE, || querier().value(ALL).is_none().then_some(()));
}

#[test]
fn in_prometheus_3_by_remote_write_2() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let endpoint = format!("{}/api/v1/write", prometheus.url());
    series_live_as_long_as_the_program(&endpoint, "", || prometheus.querier());
}

#[test]
fn in_prometheus_3_by_otlp() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let endpoint = format!("{}/api/v1/otlp", prometheus.url());
    series_live_as_long_as_the_program(&endpoint, "protocol = \"otlp\"\n", || prometheus.querier());
}

#[test]
fn in_victoria_metrics_by_remote_write_1() {
    let Some(victoria) = VictoriaMetrics::start() else { return };
    let endpoint = format!("{}/api/v1/write", victoria.url());
    series_live_as_long_as_the_program(&endpoint, "", || victoria.querier());
}
