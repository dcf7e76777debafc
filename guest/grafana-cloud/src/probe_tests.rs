use serde_json::{Value, json};

use super::*;
use crate::stub::{Stub, plain, stored};

fn asked(changes: &Value) -> Vec<Finding> {
    let mut config = json!({ "api_key": "glc_token", "instance_id": 7, "instance": "a" });
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    findings(&serde_json::from_value(config).unwrap())
}

fn of(stub: &Stub) -> Vec<Finding> {
    asked(&json!({ "endpoint": format!("{}/api/v1/push", stub.url) }))
}

fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
    findings.iter().map(|finding| (finding.question.as_str(), finding.verdict)).collect()
}

fn find<'a>(findings: &'a [Finding], question: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.question == question).unwrap()
}

#[test]
fn a_receiver_is_asked_with_nothing_in_the_push() {
    let receiver = Stub::new(|asked| {
        let (status, headers, body) = stored();
        assert_eq!(asked.body, [0], "snappy's form of no bytes");
        (status, headers, body)
    });
    let findings = of(&receiver);
    let good = ["endpoint", "reachable", "credentials", "protocol"].map(|question| (question, Verdict::Good));
    assert_eq!(verdicts(&findings), good);
    assert_eq!(find(&findings, "protocol").answer, "remote write 2.0");
    assert_eq!(receiver.asked().len(), 1);
    assert!(findings.iter().all(|finding| finding.verdict != Verdict::Good || finding.fix.is_empty()));
}

#[test]
fn an_older_receiver_and_one_that_wants_samples_take_the_token() {
    let older = of(&Stub::new(|_| plain(204, "")));
    assert!(find(&older, "protocol").answer.contains("remote write 1.0"));
    assert_eq!(find(&older, "credentials").verdict, Verdict::Good);
    let strict = of(&Stub::new(|_| plain(400, "empty request")));
    assert_eq!(
        (find(&strict, "credentials").verdict, find(&strict, "protocol").verdict),
        (Verdict::Good, Verdict::Unknown)
    );
}

#[test]
fn what_is_wrong_is_told_with_its_remedy() {
    let refused = of(&Stub::new(|_| plain(401, "invalid token")));
    let credentials = find(&refused, "credentials");
    assert_eq!((credentials.verdict, credentials.answer.as_str()), (Verdict::Bad, "401 invalid token"));
    assert!(
        credentials.fix.contains("instance id, not the organisation's number")
            && credentials.fix.contains("metrics:write")
    );
    let nowhere = of(&Stub::new(|_| plain(404, "")));
    assert!(find(&nowhere, "protocol").answer.contains("/api/v1/write at Prometheus"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = asked(&json!({ "endpoint": format!("http://{closed}/api/v1/push") }));
    assert_eq!(verdicts(&away), [("endpoint", Verdict::Good), ("reachable", Verdict::Bad)]);
}

#[test]
fn the_api_is_asked_where_no_endpoint_is_written() {
    let api = Stub::new(|_| plain(403, r#"{"message":"Permission denied"}"#));
    let config = json!({ "api": api.url, "org_slug": "acme", "instance_id": null });
    let findings = asked(&config);
    assert_eq!(verdicts(&findings), [("endpoint", Verdict::Bad)]);
    assert!(
        findings[0].fix.contains("stacks:read") && findings[0].fix.contains("Remote Write Endpoint"),
        "{findings:?}"
    );
}

#[test]
fn clocks_that_differ_and_one_without_a_name_are_told() {
    let date = |skew: u64| {
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(clock::now_millis().unsigned_abs());
        httpdate::fmt_http_date(now + std::time::Duration::from_secs(skew))
    };
    let with = |skew: u64| {
        of(&Stub::new(move |_| {
            let (status, headers, body) = stored();
            (status, format!("{headers}Date: {}\r\n", date(skew)), body)
        }))
    };
    assert_eq!(find(&with(0), "clock").verdict, Verdict::Good);
    let behind = with(60);
    let clock = find(&behind, "clock");
    assert!(clock.verdict == Verdict::Warning && clock.answer.ends_with("s behind the receiver"), "{clock:?}");
    let nameless = asked(&json!({ "endpoint": "http://127.0.0.1:1/push", "instance": null }));
    assert_eq!(find(&nameless, "instance").verdict, Verdict::Warning);
}

#[test]
fn a_token_in_the_clear_is_told() {
    let open = asked(&json!({ "endpoint": "http://receiver.invalid/push" }));
    assert_eq!(find(&open, "privacy").verdict, Verdict::Warning);
}

#[test]
fn several_signals_are_told_apart() {
    let receiver = Stub::new(|_| stored());
    let findings = asked(&json!({
        "endpoint": format!("{}/api/v1/push", receiver.url), "signals": ["metrics", "logs"],
        "logs": { "endpoint": receiver.url, "instance_id": 8 },
    }));
    assert!(
        findings.iter().any(|finding| finding.of == "metrics") && findings.iter().any(|finding| finding.of == "logs")
    );
}

fn of_logs(stub: &Stub) -> Vec<Finding> {
    asked(&json!({ "signals": ["logs"], "instance": null, "logs": { "endpoint": stub.url, "instance_id": 8 } }))
}

#[test]
fn a_loki_is_asked_with_nothing_in_the_push() {
    for status in [204, 400, 422] {
        let loki = Stub::new(move |asked| {
            assert_eq!((asked.what.as_str(), asked.body.as_slice()), ("POST /loki/api/v1/push", [0].as_slice()));
            plain(status, "error at least one valid stream is required for ingestion")
        });
        let good = ["endpoint", "reachable", "credentials", "protocol"].map(|question| (question, Verdict::Good));
        assert_eq!(verdicts(&of_logs(&loki)), good, "no instance is asked for: {status}");
    }
    let refused = of_logs(&Stub::new(|_| plain(401, "invalid token")));
    assert!(find(&refused, "credentials").fix.contains("logs:write"));
    let nowhere = of_logs(&Stub::new(|_| plain(404, "")));
    let protocol = find(&nowhere, "protocol");
    assert!(protocol.verdict == Verdict::Bad && protocol.answer.contains("/loki/api/v1/push"), "{protocol:?}");
    assert_eq!(find(&of_logs(&Stub::new(|_| plain(429, "limit"))), "protocol").verdict, Verdict::Unknown);
}
