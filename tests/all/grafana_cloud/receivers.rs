//! The real records through `metricast publish` into real receivers, and `check --online` in front of them.

use support::grafana::witness;
use support::prometheus::Prometheus;
use support::promql::Querier;
use support::victoria_metrics::VictoriaMetrics;
use support::{Server, data};

use super::{PROTOBUF, Program, SECOND, media_types, numbers};
use crate::truth::FILE;

/// Publishes the real records to a path of a server; the media types of what was pushed.
fn published(url: String, path: &str, settings: &str) -> Vec<String> {
    let witness = witness(url);
    let program = Program::at(&format!("{}{path}", witness.url()), settings);
    program.run("publish", &[&data(FILE)], "").expect_good();
    media_types(&witness)
}

/// The same, and the server has their numbers.
fn pushed(url: String, path: &str, settings: &str, querier: impl Fn() -> Querier) -> Vec<String> {
    let pushed = published(url, path, settings);
    numbers::are_those_of_the_records(querier);
    pushed
}

/// The path of remote write, the same for Prometheus and VictoriaMetrics.
const WRITE: &str = "/api/v1/write";

#[test]
fn prometheus_3_has_what_the_records_say_by_remote_write_2() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let pushed = pushed(prometheus.url(), WRITE, "", || prometheus.querier());
    assert!(pushed.len() > 1 && pushed.iter().all(|media_type| media_type == SECOND), "{pushed:?}");
}

#[test]
fn prometheus_3_has_what_the_records_say_by_otlp() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let pushed = pushed(prometheus.url(), "/api/v1/otlp", "protocol = \"otlp\"\n", || prometheus.querier());
    assert!(pushed.len() > 1 && pushed.iter().all(|media_type| media_type == PROTOBUF), "{pushed:?}");
}

/// It answers 204 to remote write 2.0, and stores nothing of it.
#[test]
fn prometheus_2_has_what_the_records_say_by_remote_write_1() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus2) else { return };
    assert_falls_back(&pushed(prometheus.url(), WRITE, "", || prometheus.querier()));
}

/// As Prometheus 2.
#[test]
fn victoria_metrics_has_what_the_records_say_by_remote_write_1() {
    let Some(victoria) = VictoriaMetrics::start() else { return };
    assert_falls_back(&pushed(victoria.url(), WRITE, "", || victoria.querier()));
}

/// It makes labels of what OTLP says of the sender, with the names that they have there.
#[test]
fn victoria_metrics_has_what_the_records_say_by_otlp() {
    let Some(victoria) = VictoriaMetrics::start() else { return };
    published(victoria.url(), "/opentelemetry", "protocol = \"otlp\"\n");
    numbers::of_an_instance_are_those_of_the_records("\"service.instance.id\"", || victoria.querier());
}

/// 2.0 is tried once, and not again in the same run.
fn assert_falls_back(pushed: &[String]) {
    assert_eq!(pushed[0], SECOND);
    assert!(pushed.len() > 2 && pushed[1..].iter().all(|media_type| media_type == PROTOBUF), "{pushed:?}");
}

/// `check --online` finds all good and leaves no sample.
fn is_found_good(url: &str, path: &str, settings: &str, protocol: &str, querier: impl Fn() -> Querier) {
    let checked = Program::at(&format!("{url}{path}"), settings).run("check", &["--online".as_ref()], "");
    checked.expect_good();
    let told = |question: &str, answer: &str| {
        let mut lines = checked.said.lines().map(str::trim).filter(|line| line.starts_with(question));
        assert!(lines.any(|line| line.contains("  good  ") && line.contains(answer)), "{question}: {}", checked.said);
    };
    told("reachable", "");
    told("credentials", "none, and none are asked for");
    told("protocol", protocol);
    assert_eq!(querier().query("count({__name__!=\"\"})"), []);
}

#[test]
fn check_finds_prometheus_3_good_and_leaves_no_sample() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let querier = || prometheus.querier();
    is_found_good(&prometheus.url(), WRITE, "", "remote write 2.0", querier);
    is_found_good(&prometheus.url(), "/api/v1/otlp", "protocol = \"otlp\"\n", "OTLP", querier);
}

#[test]
fn check_finds_that_prometheus_2_takes_remote_write_1() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus2) else { return };
    is_found_good(&prometheus.url(), WRITE, "", "remote write 1.0", || prometheus.querier());
}

#[test]
fn check_finds_that_victoria_metrics_takes_remote_write_1() {
    let Some(victoria) = VictoriaMetrics::start() else { return };
    is_found_good(&victoria.url(), WRITE, "", "remote write 1.0", || victoria.querier());
}

#[test]
fn check_says_so_where_nothing_takes_pushes() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let program = Program::at(&format!("{}/api/v1/push", prometheus.url()), "");
    let checked = program.run("check", &["--online".as_ref()], "");
    assert_eq!(checked.code, Some(3), "{}", checked.said);
    assert!(checked.said.contains("write the receiver's whole path into endpoint"), "{}", checked.said);
}
