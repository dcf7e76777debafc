//! Whole calls against a scripted server.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use metricast_records::{BatchBuilder, EventMetrics, Metrics, NetworkMetrics};
use metricast_sdk::Rejection;
use serde_json::{Value, json};

use super::*;
use crate::stub::{Asked, ELASTICSEARCH, OPENSEARCH, Stub, fault, ids, ok, stands, taken};

const NOW: f64 = 1_795_368_571.0;

fn open(hosts: &[&str], more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
    let mut config = json!({ "hosts": hosts, "index_prefix": "shop" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ElasticsearchPublisher::open(serde_json::from_value(config).unwrap(), None)
}

fn event(task: &str) -> Metrics {
    let (event_name, status, task_id) = ("Pay".into(), "completed".into(), task.into());
    Metrics::Event(EventMetrics { event_name, status, task_id, start_time: NOW, ..EventMetrics::default() })
}

fn batch(records: &[Metrics]) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), NOW).unwrap();
    }
    builder.finish().placed("e", 0)
}

fn events(count: usize) -> Batch {
    batch(&vec![event("t"); count])
}

fn unavailable(result: Result<Receipt, PublishError>) -> String {
    match result {
        Err(PublishError::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_are_compressed_where_the_config_says_so() {
    for (compression, header) in [("gzip", true), ("none", false)] {
        let stub = Stub::bulk(OPENSEARCH, taken);
        let mut publisher = open(&[&stub.url], &json!({ "compression": compression })).unwrap();
        assert_eq!(publisher.publish(&events(3)).unwrap().accepted, 3);
        let bulk = stub.asked().pop().unwrap();
        assert_eq!(bulk.headers.iter().any(|it| it == "content-encoding: gzip"), header);
        assert_eq!((bulk.documents(), ids(&bulk)), (3, vec!["e-10".into(), "e-11".into(), "e-12".into()]));
    }
}

#[test]
fn no_body_is_larger_than_the_config_allows() {
    let stub = Stub::bulk(OPENSEARCH, taken);
    let mut publisher = open(&[&stub.url], &json!({ "max_body": "1kB" })).unwrap();
    let mut records = vec![event("t"); 20];
    records[7] = event(&"x".repeat(2000));
    assert_eq!(publisher.publish(&batch(&records)).unwrap().accepted, 20);
    let bulks: Vec<_> = stub.asked().into_iter().filter(Asked::is_bulk).collect();
    assert!(bulks.len() > 5 && bulks.iter().all(|it| it.body.len() <= 1000 || it.documents() == 1), "{bulks:?}");
    let expected: Vec<String> = (0..20).map(|offset| bulk::Ids::new("e").unwrap().of(offset)).collect();
    assert_eq!(bulks.iter().flat_map(ids).collect::<Vec<_>>(), expected);
}

#[test]
fn what_a_413_taught_holds_for_the_next_batch() {
    let stub = Stub::bulk(OPENSEARCH, |asked| match asked.body.len() {
        ..2000 => taken(asked),
        _ => (413, "", "<html>413 Request Entity Too Large</html>".into()),
    });
    let mut publisher = open(&[&stub.url], &json!({})).unwrap();
    assert_eq!(publisher.publish(&events(30)).unwrap().accepted, 30);
    let refused = || stub.asked().iter().filter(|it| it.is_bulk() && it.body.len() >= 2000).count();
    let before = refused();
    assert!(before > 0);
    assert_eq!(publisher.publish(&events(30)).unwrap().accepted, 30);
    assert_eq!(refused(), before, "no body of the second batch was too large");
}

/// Whether the 413 is read or only the broken connection is seen is up to the machine; records must arrive in both.
#[test]
fn a_413_in_the_middle_of_a_large_body_does_not_keep_it_from_arriving() {
    let stub =
        Stub::with_limit(1 << 20, |asked| if asked.is_bulk() { taken(asked) } else { stands(OPENSEARCH, asked) });
    let mut publisher = open(&[&stub.url], &json!({ "indices": "daily" })).unwrap();
    let mut batch = batch(&vec![event(&"x".repeat(400)); 4000]);
    let (mut accepted, mut calls) = (0, 0);
    while !batch.is_empty() {
        calls += 1;
        assert!(calls < 8, "it is sent for ever: {accepted} of 4000 arrived");
        let receipt = publisher.publish(&batch).unwrap();
        accepted += receipt.accepted;
        assert_eq!(receipt.rejected, []);
        batch = batch.select(&receipt.retryable);
    }
    assert_eq!(accepted, 4000);
}

#[test]
fn an_answer_that_is_too_long_makes_the_next_request_smaller() {
    let stub = Stub::bulk(OPENSEARCH, |asked| match asked.documents() {
        50.. => ok("x".repeat(9 << 20)),
        _ => taken(asked),
    });
    let mut publisher = open(&[&stub.url], &json!({ "indices": "daily" })).unwrap();
    let receipt = publisher.publish(&events(60)).unwrap();
    assert_eq!((receipt.accepted, receipt.in_doubt.len()), (0, 60));
    assert_eq!(publisher.publish(&events(60).with_redelivered(true)).unwrap().accepted, 60);
    assert!(stub.asked().iter().filter(|it| it.is_bulk()).skip(1).all(|it| it.documents() <= 30));
}

#[test]
fn one_document_that_is_too_large_is_rejected_and_the_others_are_not() {
    let stub = Stub::bulk(OPENSEARCH, |asked| match asked.body.len() {
        ..2000 => taken(asked),
        _ => (413, "", "too large".into()),
    });
    let mut records = vec![event("t"); 9];
    records[4] = event(&"x".repeat(2000));
    let receipt = open(&[&stub.url], &json!({})).unwrap().publish(&batch(&records)).unwrap();
    assert_eq!((receipt.accepted, receipt.rejected.len(), receipt.rejected[0].index), (8, 1, 4));
    let reason = &receipt.rejected[0].reason;
    assert!(reason.ends_with("bytes, is larger than the server takes: 413 too large"), "{reason}");
}

#[test]
fn a_document_that_cannot_be_read_is_found_and_a_proxys_400_rejects_none() {
    let stub = Stub::bulk(OPENSEARCH, |asked| {
        if asked.body.contains("evil") { fault(400, "x_content_parse_exception", "bad byte") } else { taken(asked) }
    });
    let mut records = vec![event("t"); 9];
    records[4] = event("evil");
    let receipt = open(&[&stub.url], &json!({})).unwrap().publish(&batch(&records)).unwrap();
    let rejected = [Rejection {
        index: 4,
        reason: "the server cannot read the document: 400 x_content_parse_exception bad byte".into(),
    }];
    assert_eq!(
        (receipt.accepted, receipt.rejected.as_slice(), receipt.retryable.as_slice()),
        (8, &rejected[..], &[][..])
    );

    for body in ["<html>400 Bad Request</html>", r#"{"message":"blocked by the firewall"}"#, ""] {
        let stub = Stub::bulk(OPENSEARCH, move |_| (400, "", body.into()));
        let told = unavailable(open(&[&stub.url], &json!({})).unwrap().publish(&events(3)));
        assert!(told.starts_with("POST /_bulk: 400"), "{told}");
        assert_eq!(stub.count("POST /_bulk"), 1, "it is not sent in halves");
    }
}

#[test]
fn a_parameter_that_the_server_does_not_know_makes_it_be_looked_at_anew() {
    let stub = Stub::bulk(ELASTICSEARCH, |_| {
        fault(
            400,
            "illegal_argument_exception",
            "request [/_bulk] contains unrecognized parameter: [require_data_stream]",
        )
    });
    let mut publisher = open(&[&stub.url], &json!({})).unwrap();
    for roots in [1, 2] {
        unavailable(publisher.publish(&events(3)));
        assert_eq!(stub.asked().iter().filter(|it| it.what == "GET /").count(), roots);
    }
}

#[test]
fn hosts_take_turns_and_what_is_in_doubt_is_asked_of_no_other() {
    let stubs = [Stub::bulk(OPENSEARCH, taken), Stub::bulk(OPENSEARCH, |_| (0, "", String::new()))];
    let mut publisher = open(&[&stubs[0].url, &stubs[1].url], &json!({})).unwrap();
    let receipts: Vec<_> = (0..4).map(|_| publisher.publish(&events(1)).unwrap()).collect();
    let bulks = stubs.each_ref().map(|stub| stub.count("POST /_bulk"));
    assert_eq!((bulks[0] + bulks[1], bulks[1]), (4, 1), "one lost answer, then it rests: {bulks:?}");
    let doubts: Vec<_> = receipts.iter().map(|receipt| receipt.in_doubt.len()).collect();
    assert_eq!(doubts.iter().sum::<usize>(), 1, "{doubts:?}");
}

#[test]
fn a_host_that_is_not_there_is_passed_over() {
    let stub = Stub::bulk(OPENSEARCH, taken);
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let mut publisher = open(&[&closed, &stub.url], &json!({})).unwrap();
    for _ in 0..3 {
        assert_eq!(publisher.publish(&events(1)).unwrap().accepted, 1);
    }
}

/// A stream that has the ids of these offsets already.
fn with_ids(there: &'static [u64]) -> Stub {
    Stub::new(move |asked| match asked.what.split('?').next().unwrap() {
        "POST /shop-event/_refresh" => ok(r#"{"_shards":{"total":1,"successful":1,"failed":0}}"#),
        "POST /shop-event/_search" => {
            let hits: Vec<_> = there
                .iter()
                .map(|offset| bulk::Ids::new("e").unwrap().of(*offset))
                .filter(|id| asked.body.contains(&format!("{id:?}")))
                .map(|id| json!({ "_id": id }))
                .collect();
            ok(json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "hits": hits } }).to_string())
        }
        "POST /shop-network/_refresh" => fault(404, "index_not_found_exception", "no such index"),
        _ if asked.is_bulk() => taken(asked),
        _ => stands(OPENSEARCH, asked),
    })
}

#[test]
fn what_a_stream_has_already_is_accepted_and_not_sent_again() {
    let stub = with_ids(&[0, 2, 1500]);
    let mut publisher = open(&[&stub.url], &json!({})).unwrap();
    let network = NetworkMetrics { operation: "get".into(), host: "h".into(), ..NetworkMetrics::default() };
    let mut records = vec![event("t"); 1600];
    records.push(Metrics::Network(network));
    let batch = batch(&records).with_redelivered(true);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1601);
    let asked = stub.asked();
    let sent: Vec<String> = asked.iter().filter(|it| it.is_bulk()).flat_map(ids).collect();
    assert_eq!(sent.len(), 1598);
    assert!([0, 2, 1500].iter().all(|there| !sent.contains(&bulk::Ids::new("e").unwrap().of(*there))));
    assert_eq!(stub.count("POST /shop-event/_search?allow_partial_search_results=false"), 2, "pages of 1,000");
    assert_eq!(stub.count("POST /shop-network/_search"), 0, "what is not there has no records");
}

#[test]
fn records_that_are_new_or_have_no_place_are_not_looked_for() {
    let stub = with_ids(&[0]);
    let mut publisher = open(&[&stub.url], &json!({})).unwrap();
    assert_eq!(publisher.publish(&events(2)).unwrap().accepted, 2);
    assert_eq!(publisher.publish(&events(2).placed("", 0).with_redelivered(true)).unwrap().accepted, 2);
    let mut daily = open(&[&stub.url], &json!({ "indices": "daily" })).unwrap();
    assert_eq!(daily.publish(&events(2).with_redelivered(true)).unwrap().accepted, 2);
    assert_eq!(stub.count("POST /shop-event/"), 0);
}

#[test]
fn nothing_is_sent_where_the_look_up_fails() {
    let answers = [
        ("_refresh", fault(503, "no_shard_available_action_exception", "x")),
        ("_refresh", ok(r#"{"_shards":{"failed":1}}"#)),
        ("_refresh", ok("<html>login</html>")),
        ("_search", fault(503, "search_phase_execution_exception", "Partial shards failure")),
        ("_search", ok(r#"{"timed_out":true,"_shards":{"failed":0}}"#)),
        ("_search", ok(r#"{"timed_out":false,"_shards":{"failed":1}}"#)),
        ("_search", (0, "", String::new())),
    ];
    for (step, answer) in answers {
        let told = format!("{step} {answer:?}");
        let stub = Stub::new(move |asked| match asked.what.split(['/', '?']).nth(2) {
            Some(asked_for) if asked_for == step => answer.clone(),
            Some("_refresh") => ok(r#"{"_shards":{"failed":0}}"#),
            _ => stands(OPENSEARCH, asked),
        });
        let mut publisher = open(&[&stub.url], &json!({})).unwrap();
        unavailable(publisher.publish(&events(2).with_redelivered(true)));
        assert_eq!(stub.count("POST /_bulk"), 0, "{told}");
    }
    let stub = Stub::new(|asked| match asked.what.as_str() {
        "POST /shop-event/_refresh" => fault(403, "security_exception", "no"),
        _ => stands(OPENSEARCH, asked),
    });
    let told = open(&[&stub.url], &json!({})).unwrap().publish(&events(2).with_redelivered(true)).unwrap_err();
    assert!(matches!(&told, PublishError::Unauthorized(text) if text.contains("read and maintenance")), "{told}");
}

#[test]
fn a_day_that_no_index_is_made_for_rejects_its_record_alone() {
    let stub = Stub::bulk(OPENSEARCH, taken);
    let old = EventMetrics { event_name: "Pay".into(), status: "s".into(), ..EventMetrics::default() };
    let records = batch(&[event("t"), Metrics::Event(old), event("t")]);
    let receipt = open(&[&stub.url], &json!({ "indices": "daily" })).unwrap().publish(&records).unwrap();
    assert_eq!((receipt.accepted, receipt.rejected.len(), receipt.rejected[0].index), (2, 1, 1));
    let mut wide = open(&[&stub.url], &json!({ "indices": "daily", "max_past": "99999d" })).unwrap();
    assert_eq!(wide.publish(&records).unwrap().accepted, 3);
}

#[test]
fn what_stands_in_the_way_of_an_open_publisher_is_waited_for() {
    let gone = json!({ "items": [{ "create": { "status": 404, "error": { "type": "index_not_found_exception" } } }] });
    let opened = AtomicUsize::new(0);
    let stub = Stub::new(move |asked| match asked.what.as_str() {
        "GET /_resolve/index/shop-event" if opened.fetch_add(1, Ordering::SeqCst) > 0 => ok(r#"{"indices":[{}]}"#),
        _ if asked.is_bulk() => ok(gone.to_string()),
        _ => stands(OPENSEARCH, asked),
    });
    let mut publisher = open(&[&stub.url], &json!({})).unwrap();
    unavailable(publisher.publish(&events(1)));
    let told = unavailable(publisher.publish(&events(1)));
    assert!(told.starts_with("index_prefix: shop-event is a plain index and must be a data stream"), "{told}");
}
