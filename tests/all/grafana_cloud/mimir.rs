//! Mimir, the engine of Grafana Cloud's metrics: what it holds, and how it refuses.

use metricast_grafana_cloud::GrafanaCloudPublisher;
use metricast_sdk::{PublishError, Publisher as _, config};
use serde_json::json;
use support::data;
use support::grafana::{Limits, Mimir, gateway, gateway_that_loses_an_answer};

use super::{Program, numbers};
use crate::elasticsearch::real_batches;
use crate::truth::FILE;

const USER: &str = "123456";
const SETTINGS: &str = "instance_id = 123456\napi_key = { secret = \"env:SECRET\" }\n";

fn has_what_the_records_say(path: &str, settings: &str) {
    let Some(mimir) = Mimir::start(Limits::Wide) else { return };
    let gateway = gateway(mimir.url());
    let program = Program::at(&format!("{}{path}", gateway.url()), &format!("{SETTINGS}{settings}"));
    program.run("publish", &[&data(FILE)], "token").expect_good();
    numbers::are_those_of_the_records(|| mimir.querier(USER));
}

#[test]
fn it_has_what_the_records_say_by_remote_write() {
    has_what_the_records_say("/api/v1/push", "");
}

#[test]
fn it_has_what_the_records_say_by_otlp() {
    has_what_the_records_say("/otlp", "protocol = \"otlp\"\n");
}

#[test]
fn check_finds_it_good() {
    let Some(mimir) = Mimir::start(Limits::Wide) else { return };
    let gateway = gateway(mimir.url());
    let program = Program::at(&format!("{}/api/v1/push", gateway.url()), SETTINGS);
    program.run("check", &["--online".as_ref()], "token").expect_good();
    assert_eq!(mimir.querier(USER).query("count({__name__!=\"\"})"), []);
}

/// More samples at a time than it lets in: 429, and how long to wait.
#[test]
fn a_rate_that_is_too_high_is_waited_for() {
    let Some(mimir) = Mimir::start(Limits::Tight) else { return };
    let gateway = gateway(mimir.url());
    let endpoint = format!("{}/api/v1/push", gateway.url());
    let whole = json!({ "endpoint": endpoint, "instance_id": USER, "api_key": "token", "instance": "shop-1" });
    let config = config::parse::<GrafanaCloudPublisher>(&whole.to_string()).unwrap();
    let mut publisher = GrafanaCloudPublisher::open(config, None).unwrap();
    publisher.publish(&real_batches(500)[0]).unwrap();
    match publisher.flush() {
        Err(PublishError::Unavailable { reason, retry_after_ms: Some(wait) }) => {
            assert!(reason.contains("429") && wait >= 1000, "{reason}, {wait}");
        }
        other => panic!("{other:?}"),
    }
    let asked = gateway.requests().len();
    assert!(matches!(publisher.flush(), Err(PublishError::Unavailable { retry_after_ms: Some(_), .. })));
    assert_eq!(gateway.requests().len(), asked, "it is left alone until then");
}

/// 400, for good: the reason is told, and what else there is arrives.
#[test]
fn a_label_that_is_too_long_is_told() {
    let Some(mimir) = Mimir::start(Limits::Tight) else { return };
    let gateway = gateway(mimir.url());
    let settings = format!("{SETTINGS}extra_metrics = false\nbuckets = {{ events = [1.0], network = [1.0] }}\n");
    let program = Program::at(&format!("{}/api/v1/push", gateway.url()), &settings);
    let file = program.0.path().join("records.ndjson");
    let name = "x".repeat(100);
    let line = format!(r#"{{"event_name": "{name}", "start_time": 1, "end_time": 2, "status": "completed"}}"#);
    std::fs::write(&file, line).unwrap();
    let done = program.run("publish", &[&file], "token");
    assert!(done.said.contains("400") && done.said.contains("label value"), "{}", done.said);
}

/// 400, for good: what was sent again, since its answer was lost, begins before what is there.
#[test]
fn samples_out_of_order_are_told_and_the_numbers_are_right() {
    let Some(mimir) = Mimir::start(Limits::Tight) else { return };
    let gateway = gateway_that_loses_an_answer(mimir.url());
    let settings = format!("{SETTINGS}extra_metrics = false\nbuckets = {{ events = [1.0], network = [1.0] }}\n");
    let program = Program::at(&format!("{}/api/v1/push", gateway.url()), &settings);
    let file = program.0.path().join("records.ndjson");
    let line = r#"{"event_name": "order", "start_time": 1, "end_time": 2, "status": "completed", "retry_count": 3}"#;
    std::fs::write(&file, line).unwrap();
    let done = program.run("publish", &[&file], "token");
    assert!(done.said.contains("400") && done.said.contains("out-of-order"), "{}", done.said);
    let kept = mimir.querier(USER).query("max_over_time(event_retries_total[5m])");
    assert_eq!(kept.iter().map(|sample| sample.value).collect::<Vec<_>>(), [3.0]);
}
