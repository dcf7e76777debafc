use std::sync::{Arc, Mutex};

use metricast_records::{BatchBuilder, input};
use metricast_sdk::Publisher as _;
use metricast_sdk::time::rfc3339;
use serde_json::{Value, json};

use super::push::tests::{Read, read};
use super::*;
use crate::GrafanaCloudPublisher;
use crate::options::{Config, Signal};
use crate::stub::{Answer, Asked, Stub, plain};

/// The time that every record is received at, seconds since the Unix epoch.
const ARRIVAL: f64 = 1_795_400_000.0;

fn open(receiver: &Stub, changes: &Value) -> Logs {
    let mut logs = json!({ "endpoint": receiver.url, "instance_id": 401_822 });
    logs.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let config = json!({ "signals": ["logs"], "api_key": "glc_token", "service": "till", "logs": logs });
    let config: Config = serde_json::from_value(config).unwrap();
    Logs::open(config.options(Signal::Logs).unwrap()).unwrap()
}

/// Events that end so many seconds before they arrive, named by their places.
fn batch(ages: &[f64]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (place, age) in ages.iter().enumerate() {
        let line = json!({ "event_name": place.to_string(), "status": "completed", "start_time": 1, "end_time": ARRIVAL - age }).to_string();
        let record = input::parse_line(line.as_bytes()).unwrap().unwrap();
        builder.push(&record.as_ref(), ARRIVAL).unwrap();
    }
    builder.finish()
}

fn name(entry: &Read) -> &str {
    &entry.metadata[0].1
}

fn age(entry: &Read) -> f64 {
    ARRIVAL - entry.nanos as f64 / 1e9
}

/// What a Loki has, by names and streams.
type Stored = Arc<Mutex<Vec<(String, String)>>>;

/// A Loki that answers as the real one does: what `judge` has words for is refused, the rest is stored.
fn loki(judge: impl Fn(&Read) -> Option<String> + Send + Sync + 'static) -> (Stub, Stored) {
    let stored = Stored::default();
    let kept = Arc::clone(&stored);
    let stub = Stub::new(move |asked| {
        let (labels, entries) = read(&asked.body);
        let words: Vec<String> = entries.iter().filter_map(&judge).collect();
        let good = entries.iter().filter(|entry| judge(entry).is_none());
        let mut stored = kept.lock().unwrap();
        for entry in good {
            let line = (labels.clone(), name(entry).to_owned());
            if !stored.contains(&line) {
                stored.push(line);
            }
        }
        let ignored = format!("\nuser 'a', total ignored: {} out of {} for stream: {{}}", words.len(), entries.len());
        if words.is_empty() { plain(204, "") } else { plain(400, &(words.join("\n") + &ignored)) }
    });
    (stub, stored)
}

fn far_behind(entry: &Read) -> Option<String> {
    let oldest = rfc3339(ARRIVAL - 3600.0).replace(".000000", "");
    let words = format!(
        "entry with timestamp {} ignored, reason: 'entry too far behind, entry timestamp is: 7, oldest acceptable timestamp is: {oldest}',",
        entry.nanos
    );
    (age(entry) > 3600.0).then_some(words)
}

fn rejected(receipt: &Receipt) -> Vec<u32> {
    receipt.rejected.iter().map(|rejection| rejection.index).collect()
}

#[test]
fn each_kind_is_one_push_in_the_order_of_time() {
    let (receiver, _) = loki(|_| None);
    let mut builder = BatchBuilder::new();
    for line in [
        r#"{"event_name": "a", "status": "completed", "start_time": 5, "end_time": 9}"#,
        r#"{"operation": "connect", "host": "h", "port": 1, "start_time": 3}"#,
        r#"{"event_name": "b", "status": "running", "start_time": 7}"#,
    ] {
        builder.push(&input::parse_line(line.as_bytes()).unwrap().unwrap().as_ref(), ARRIVAL).unwrap();
    }
    let batch = builder.finish();
    assert_eq!(open(&receiver, &json!({})).publish(&batch), Ok(Receipt::all_accepted(&batch)));
    let [events, networks] = receiver.pushes().try_into().unwrap();
    assert_eq!(events.what, "POST /loki/api/v1/push");
    assert_eq!(events.header("authorization"), Some("Basic NDAxODIyOmdsY190b2tlbg=="), "401822:glc_token");
    assert_eq!(events.header("content-type"), Some("application/x-protobuf"));
    let (labels, entries) = read(&events.body);
    assert_eq!(labels, r#"{service_name="till", metric_type="event"}"#);
    let times: Vec<(&str, i64)> = entries.iter().map(|entry| (name(entry), entry.nanos)).collect();
    assert_eq!(times, [("b", 7_000_000_000), ("a", 9_000_000_000)], "the end, else the start");
    assert_eq!(read(&networks.body).0, r#"{service_name="till", metric_type="network"}"#);
}

#[test]
fn the_leg_keeps_nothing_and_sends_in_order() {
    let (receiver, stored) = loki(|_| None);
    let config = json!({ "signals": ["logs"], "logs": { "endpoint": format!("{}/loki/api/v1/push", receiver.url) } });
    let mut publisher = GrafanaCloudPublisher::open(serde_json::from_value(config).unwrap(), None).unwrap();
    assert_eq!(publisher.profile(), Profile::default());
    let batch = batch(&[0.0]);
    assert_eq!(publisher.publish(&batch), Ok(Receipt::all_accepted(&batch)));
    assert_eq!((publisher.close().unwrap().pending, publisher.snapshot()), (0, None));
    assert_eq!(stored.lock().unwrap().len(), 1);
    assert_eq!(receiver.pushes()[0].header("authorization"), None, "no key is written");
}

#[test]
fn bad_lines_are_found_and_the_others_stored() {
    let bad = |entry: &Read| ["3", "4", "77"].contains(&name(entry)).then(|| "Max entry size exceeded".to_owned());
    let (receiver, stored) = loki(bad);
    let receipt = open(&receiver, &json!({})).publish(&batch(&[0.0; 100])).unwrap();
    assert_eq!((receipt.accepted, rejected(&receipt)), (97, vec![3, 4, 77]));
    assert!(receipt.rejected.iter().all(|it| it.reason.contains("400 Max entry size exceeded")), "{receipt:?}");
    assert_eq!(stored.lock().unwrap().len(), 97);
    assert!(receiver.pushes().len() < 40, "{} pushes", receiver.pushes().len());
}

#[test]
fn late_lines_are_told_by_the_times_in_the_words() {
    let (receiver, stored) = loki(far_behind);
    let ages: Vec<f64> = (0..100).map(|place| if place % 3 == 0 { 4000.0 } else { 1.0 }).collect();
    let receipt = open(&receiver, &json!({})).publish(&batch(&ages)).unwrap();
    assert_eq!((receipt.accepted, receipt.rejected.len()), (66, 34));
    assert!(
        receipt
            .rejected
            .iter()
            .all(|it| it.index % 3 == 0 && it.reason.contains("line: entry too far behind the newest"))
    );
    assert_eq!((stored.lock().unwrap().len(), receiver.pushes().len()), (66, 1), "nothing is sent twice");
}

#[test]
fn late_lines_can_go_under_their_arrival_into_a_stream_of_their_own() {
    let (receiver, stored) = loki(far_behind);
    let batch = batch(&[4000.0, 1.0, 5000.0]);
    let receipt = open(&receiver, &json!({ "late": "arrival_time" })).publish(&batch);
    assert_eq!(receipt, Ok(Receipt::all_accepted(&batch)));
    let own = r#"{service_name="till", metric_type="event"}"#;
    let arrival = r#"{service_name="till", metric_type="event", time="arrival"}"#;
    let expected = [(own, "1"), (arrival, "2"), (arrival, "0")].map(|(of, name)| (of.to_owned(), name.to_owned()));
    assert_eq!(*stored.lock().unwrap(), expected);
    let moved = receiver.pushes().pop().unwrap();
    assert!(read(&moved.body).1.iter().all(|entry| age(entry) == 0.0 && entry.line.contains("\"end_time\":17953")));
}

#[test]
fn what_is_too_late_at_its_arrival_too_is_rejected() {
    let words = "entry for stream '{}' has timestamp too old: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: \
                 2030-01-01T00:00:00Z";
    let (receiver, _) = loki(|_| Some(words.to_owned()));
    let receipt = open(&receiver, &json!({ "late": "arrival_time" })).publish(&batch(&[1.0, 2.0])).unwrap();
    assert_eq!((receipt.accepted, rejected(&receipt)), (0, vec![0, 1]));
    assert_eq!(receiver.pushes().len(), 2, "once at each time");
    let (receiver, _) = loki(|_| Some("Max entry size exceeded".to_owned()));
    let receipt = open(&receiver, &json!({ "late": "arrival_time" })).publish(&batch(&[1.0])).unwrap();
    assert_eq!((rejected(&receipt), receiver.pushes().len()), (vec![0], 1), "the time is not what was wrong");
}

#[test]
fn lines_ahead_of_the_clock_are_told_by_their_time() {
    let (receiver, _) = loki(|entry| {
        let at = rfc3339(entry.nanos as f64 / 1e9).replace(".000000", "");
        (age(entry) < 0.0).then(|| format!("entry for stream '{{}}' has timestamp too new: {at}"))
    });
    let receipt = open(&receiver, &json!({})).publish(&batch(&[1.0, -5000.0, 0.0, -4000.0])).unwrap();
    assert_eq!((receipt.accepted, rejected(&receipt)), (2, vec![1, 3]));
}

/// What comes of one answer to everything.
fn publish_to(answer: fn(&Asked) -> Answer) -> (Result<Receipt, PublishError>, usize) {
    let receiver = Stub::new(answer);
    let receipt = open(&receiver, &json!({})).publish(&batch(&[0.0; 4]));
    (receipt, receiver.pushes().len())
}

#[test]
fn what_keeps_all_lines_away_is_the_error_of_the_batch() {
    let unauthorized =
        publish_to(|_| plain(401, "{\"status\":\"error\",\"error\":\"authentication error: invalid token\"}"));
    let (Err(PublishError::Unauthorized(told)), 1) = unauthorized else { panic!("{unauthorized:?}") };
    for part in ["401 authentication error: invalid token", "user 401822", "logs.instance_id", "logs:write"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (Err(error), 1) = publish_to(|_| plain(404, "")) else { panic!("nothing takes pushes there") };
    assert!(error.to_string().contains("/loki/api/v1/push") && error.to_string().contains("logs.endpoint"), "{error}");
    let (Err(PublishError::Unavailable { reason, .. }), 1) = publish_to(|_| plain(400, WORDS)) else {
        panic!("no line is at fault")
    };
    assert!(reason.contains("schema v13") && reason.contains("metric_type=\"event\""), "{reason}");
    for status in [429, 503, 260] {
        let answer = publish_to(match status {
            429 => |_| (429, "Retry-After: 3\r\n".to_owned(), b"Ingestion rate limit exceeded".to_vec()),
            503 => |_| (503, "Retry-After: 3\r\n".to_owned(), Vec::new()),
            _ => |_| (260, "Retry-After: 3\r\n".to_owned(), b"ingestion blocked".to_vec()),
        });
        assert!(matches!(answer, (Err(PublishError::Unavailable { retry_after_ms: Some(3000), .. }), 1)), "{answer:?}");
    }
}

const WORDS: &str = "stream '{a=\"b\"}' includes structured metadata, but this feature is disallowed. Please see \
                     `limits_config.allow_structured_metadata`";

#[test]
fn what_nobody_knows_of_is_in_doubt() {
    for answer in [|_: &Asked| plain(500, "broken"), |_: &Asked| plain(504, ""), |_: &Asked| plain(0, "")] {
        let (receipt, pushes) = publish_to(answer);
        let receipt = receipt.unwrap();
        assert_eq!((receipt.accepted, receipt.rejected.len(), pushes), (0, 0, 1));
        assert_eq!((receipt.retryable, receipt.in_doubt), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
    }
}

/// A text of an attribute, so many bytes long.
fn long(sizes: &[usize]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (place, size) in sizes.iter().enumerate() {
        let line = json!({ "event_name": place.to_string(), "status": "completed", "start_time": ARRIVAL, "note": "x".repeat(*size) }).to_string();
        let record = input::parse_line(line.as_bytes()).unwrap().unwrap();
        builder.push(&record.as_ref(), ARRIVAL).unwrap();
    }
    builder.finish()
}

#[test]
fn bodies_are_bounded_and_long_lines_stand_alone() {
    let (receiver, _) = loki(|entry| (entry.line.len() > 256 << 10).then(|| "Max entry size exceeded".to_owned()));
    let batch = long(&[400_000, 200_000, 200_000, 200_000, 200_000, 200_000, 200_000, 4 << 20]);
    let receipt = open(&receiver, &json!({})).publish(&batch).unwrap();
    assert_eq!((receipt.accepted, rejected(&receipt)), (6, vec![0, 7]));
    assert!(receipt.rejected[1].reason.contains("never more than 3 MiB"), "{receipt:?}");
    let counts: Vec<usize> = receiver.pushes().iter().map(|push| read(&push.body).1.len()).collect();
    assert_eq!(counts, [1, 5, 1], "1 MiB a body");
}

#[test]
fn a_body_that_is_too_large_is_halved_until_one_line_is() {
    let receiver = Stub::new(|asked| plain(if read(&asked.body).1.len() > 1 { 413 } else { 204 }, ""));
    let all = batch(&[0.0; 4]);
    assert_eq!(open(&receiver, &json!({})).publish(&all), Ok(Receipt::all_accepted(&all)));
    let (receipt, _) = publish_to(|_| plain(413, "too large"));
    assert_eq!(rejected(&receipt.unwrap()), [0, 1, 2, 3]);
}

#[test]
fn a_limit_makes_the_next_bodies_smaller_until_they_are_taken() {
    let limit = |entries: &[Read]| entries.iter().map(|entry| entry.line.len()).sum::<usize>() > 300_000;
    let receiver = Stub::new(move |asked| plain(if limit(&read(&asked.body).1) { 429 } else { 204 }, "limit"));
    let mut logs = open(&receiver, &json!({}));
    let batch = long(&[100_000; 9]);
    let mut results = Vec::new();
    for _ in 0..3 {
        results.push(logs.publish(&batch).map(|receipt| receipt.accepted));
    }
    assert!(matches!(results[..], [Err(_), Err(_), Ok(accepted)] if accepted > 0), "{results:?}");
}

#[test]
fn after_a_fault_the_receipt_tells_record_by_record() {
    let receiver = Stub::new(|asked| match read(&asked.body).1.iter().map(name).next() {
        Some("5") => plain(503, "busy"),
        _ => plain(204, ""),
    });
    let receipt = open(&receiver, &json!({})).publish(&long(&[200_000; 12])).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable), (5, (5..12).collect::<Vec<u32>>()));
    assert!(receipt.in_doubt.is_empty() && receipt.rejected.is_empty());
}
