//! What a real Loki does that the plugin's ways follow from, each asked for directly. Where one of these fails, Loki
//! has changed, and the plugin may have to.

use http::Request;
use serde_json::{Value, json};
use support::grafana::{Limits, Line, Loki, now};
use support::http::{self as client, Answer};

const TENANT: &str = "123456";
const QUERY: &str = "{service_name=\"shop\"}";
const HOUR: i64 = 3_600_000_000_000;

/// Pushes lines to one stream: time, text, structured metadata.
fn push(loki: &Loki, lines: &[(i64, &str, Value)]) -> Answer {
    let values: Vec<_> = lines.iter().map(|(time, text, metadata)| json!([time.to_string(), text, metadata])).collect();
    let body = json!({ "streams": [{ "stream": { "service_name": "shop" }, "values": values }] });
    let request = Request::post(format!("{}/loki/api/v1/push", loki.url()));
    let request = request.header("content-type", "application/json").header("x-scope-orgid", TENANT);
    client::send(&request.body(body.to_string().into_bytes()).unwrap()).unwrap()
}

fn stored(loki: &Loki, now: i64) -> Vec<Line> {
    loki.lines(TENANT, QUERY, now - 20 * HOUR, now + HOUR)
}

#[test]
fn it_takes_lines_with_metadata_for_a_tenant() {
    let Some(loki) = Loki::start(Limits::Wide) else { return };
    let now = now();
    let answer = push(&loki, &[(now, "one", json!({ "event_name": "Pack" })), (now + 1, "two", json!({}))]);
    assert_eq!(answer.status, 204, "{}", answer.text());
    let lines = stored(&loki, now);
    let mut told: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.time - now)).collect();
    told.sort_unstable();
    assert_eq!(told, [("one", 0), ("two", 1)]);
    let one = lines.iter().find(|line| line.text == "one").unwrap();
    assert_eq!((one.labels["service_name"].as_str(), one.labels["event_name"].as_str()), ("shop", "Pack"));
    assert_eq!(loki.count(TENANT, QUERY, "1h", now + HOUR / 2), 2);
    assert_eq!(loki.count("another", QUERY, "1h", now + HOUR / 2), 0);
}

#[test]
fn it_says_400_and_has_the_good_lines_all_the_same() {
    let Some(loki) = Loki::start(Limits::Tight) else { return };
    let now = now();
    let answer = push(&loki, &[(now - 10 * HOUR, "late", json!({})), (now, "in time", json!({}))]);
    assert_eq!(answer.status, 400, "{}", answer.text());
    let told: Vec<_> = stored(&loki, now).into_iter().map(|line| line.text).collect();
    assert_eq!(told, ["in time"]);
}

#[test]
fn the_same_line_twice_is_there_once() {
    let Some(loki) = Loki::start(Limits::Wide) else { return };
    let now = now();
    for _ in 0..2 {
        assert_eq!(push(&loki, &[(now, "one", json!({ "task_id": "1" }))]).status, 204);
    }
    assert_eq!(stored(&loki, now).len(), 1);
}

#[test]
fn it_does_not_say_how_long_to_wait_where_the_rate_is_too_high() {
    let Some(loki) = Loki::start(Limits::Tight) else { return };
    let (now, text) = (now(), "x".repeat(4_000));
    let lines: Vec<_> = (0..300).map(|number| (now + number, text.as_str(), json!({}))).collect();
    let answer = push(&loki, &lines);
    assert_eq!((answer.status, answer.header("retry-after")), (429, ""), "{}", answer.text());
}

#[test]
fn a_line_without_a_tenant_is_401() {
    let Some(loki) = Loki::start(Limits::Wide) else { return };
    let answer = client::post(&format!("{}/loki/api/v1/push", loki.url()), "application/json", "{}").unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text());
}
