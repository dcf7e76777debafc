use metricast_records::{BatchBuilder, EventMetrics, Metrics, NetworkMetrics};
use serde_json::{Value, json};

use crate::{Config, Encoder};

fn documents(config: &Value, records: &[Metrics]) -> Vec<Value> {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), 0.0).unwrap();
    }
    let batch = builder.finish();
    let rows: Vec<u32> = (0..batch.len() as u32).collect();
    let config: Config = serde_json::from_value(config.clone()).unwrap();
    let mut encoder = Encoder::new(&config).unwrap();
    let body = encoder.encode(&batch, &rows).unwrap();
    let lines = std::str::from_utf8(body).unwrap().lines();
    lines.skip(1).step_by(2).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn plain() -> Value {
    json!({ "hosts": ["http://search:9200"], "index_prefix": "shop" })
}

fn event() -> EventMetrics {
    EventMetrics {
        event_name: "Pay \"now\"".into(),
        task_id: "t-1".into(),
        start_time: 1_795_368_571.25,
        end_time: Some(1_795_368_571.75),
        status: "failed".into(),
        error: Some("line 1\nline 2".into()),
        retry_count: 2,
        process_id: Some(25331),
        attributes: vec![("tenant".into(), "a\\b".into()), (String::new(), "x".into())],
    }
}

fn network() -> NetworkMetrics {
    NetworkMetrics {
        operation: "http_get".into(),
        task_id: Some("t-2".into()),
        host: "127.0.0.1".into(),
        port: 443,
        start_time: 1_795_368_571.25,
        end_time: Some(1_795_368_571.75),
        bytes_sent: 7,
        bytes_received: u64::MAX,
        error: None,
        attributes: vec![("tenant".into(), "a".into())],
    }
}

#[test]
fn an_event_has_all_its_fields() {
    let expected = json!({
        "@timestamp": "2026-11-22T17:29:31.750000Z",
        "event": {
            "kind": "event", "action": "Pay \"now\"", "outcome": "failure", "duration": 500_000_000,
            "start": "2026-11-22T17:29:31.250000Z", "end": "2026-11-22T17:29:31.750000Z",
        },
        "metricast": {
            "status": "failed", "retry_count": 2, "task_id": "t-1", "attributes": { "tenant": "a\\b", "": "x" },
        },
        "process": { "pid": 25331 },
        "error": { "message": "line 1\nline 2" },
        "ecs": { "version": "8.17.0" },
    });
    assert_eq!(documents(&plain(), &[Metrics::Event(event())]), [expected]);
}

#[test]
fn an_event_under_way_has_neither_end_nor_duration() {
    let event = EventMetrics {
        event_name: "Pay".into(),
        start_time: 1_795_368_571.25,
        status: "pending".into(),
        ..EventMetrics::default()
    };
    let expected = json!({
        "@timestamp": "2026-11-22T17:29:31.250000Z",
        "event": { "kind": "event", "action": "Pay", "outcome": "unknown", "start": "2026-11-22T17:29:31.250000Z" },
        "metricast": { "status": "pending", "retry_count": 0 },
        "ecs": { "version": "8.17.0" },
    });
    assert_eq!(documents(&plain(), &[Metrics::Event(event)]), [expected]);
}

#[test]
fn a_network_operation_has_all_its_fields() {
    let expected = json!({
        "@timestamp": "2026-11-22T17:29:31.750000Z",
        "event": {
            "kind": "event", "action": "http_get", "outcome": "success", "duration": 500_000_000,
            "start": "2026-11-22T17:29:31.250000Z", "end": "2026-11-22T17:29:31.750000Z",
        },
        "metricast": { "task_id": "t-2", "attributes": { "tenant": "a" } },
        "source": { "bytes": 7 },
        "destination": { "bytes": u64::MAX, "address": "127.0.0.1", "ip": "127.0.0.1", "port": 443 },
        "ecs": { "version": "8.17.0" },
    });
    assert_eq!(documents(&plain(), &[Metrics::Network(network())]), [expected]);
}

#[test]
fn what_a_network_operation_lacks_is_left_out() {
    let bare = NetworkMetrics { host: "localhost".into(), port: 0, task_id: None, attributes: Vec::new(), ..network() };
    let empty_task = NetworkMetrics { task_id: Some(String::new()), ..bare.clone() };
    let only_attributes = NetworkMetrics { task_id: None, host: "localhost".into(), ..network() };
    let failed = NetworkMetrics { error: Some(String::new()), ..bare.clone() };
    let documents = documents(&plain(), &[bare, empty_task, only_attributes, failed].map(Metrics::Network));
    assert_eq!(documents[0]["destination"], json!({ "bytes": u64::MAX, "address": "localhost" }));
    assert_eq!((documents[0].get("metricast"), documents[0].get("error")), (None, None));
    assert_eq!(documents[1].get("metricast"), None);
    assert_eq!(documents[2]["metricast"], json!({ "attributes": { "tenant": "a" } }));
    assert_eq!(documents[3]["error"], json!({ "message": "" }), "an error without a message is one");
    assert_eq!(documents[3]["event"]["outcome"], "failure");
}

#[test]
fn what_the_config_says_stands_in_each_document() {
    let config = json!({
        "hosts": ["http://search:9200"], "index_prefix": "shop", "service": "a \"b\"", "namespace": "web",
        "environment": "prod", "instance": "web-1-0a1b2c3d", "host": "web-1", "data_stream": { "namespace": "prod" },
        "labels": { "region.zone": "eu\n1" },
    });
    let documents = documents(&config, &[Metrics::Event(event()), Metrics::Network(network())]);
    for (document, kind) in documents.iter().zip(["event", "network"]) {
        let service = json!({
            "name": "a \"b\"", "namespace": "web", "environment": "prod", "node": { "name": "web-1-0a1b2c3d" },
        });
        assert_eq!(document["service"], service);
        assert_eq!(document["host"], json!({ "name": "web-1" }));
        assert_eq!(document["labels"], json!({ "region_zone": "eu\n1" }));
        let expected = json!({ "type": "logs", "dataset": format!("shop.{kind}"), "namespace": "prod" });
        assert_eq!(document["data_stream"], expected);
    }
}

#[test]
fn each_of_the_service_s_fields_stands_alone_too() {
    for (key, service) in [
        ("service", json!({ "name": "x" })),
        ("namespace", json!({ "namespace": "x" })),
        ("environment", json!({ "environment": "x" })),
        ("instance", json!({ "node": { "name": "x" } })),
    ] {
        let mut config = plain();
        config[key] = json!("x");
        assert_eq!(documents(&config, &[Metrics::Event(event())])[0]["service"], service);
    }
}

#[test]
fn an_attribute_that_is_a_label_stands_under_labels_and_not_among_the_others() {
    let mut config = plain();
    config["labels"] = json!({ "tenant.id": { "attribute": "tenant", "allow": ["z"], "max": 1 } });
    let without = NetworkMetrics { attributes: vec![("other".into(), "o".into())], task_id: None, ..network() };
    let empty = EventMetrics { attributes: vec![("tenant".into(), String::new())], ..event() };
    let records =
        [Metrics::Event(event()), Metrics::Network(network()), Metrics::Network(without), Metrics::Event(empty)];
    let mut found = documents(&config, &records);
    assert_eq!(found[0]["labels"], json!({ "tenant_id": "a\\b" }));
    assert_eq!(found[0]["metricast"]["attributes"], json!({ "": "x" }));
    assert_eq!(found[1].get("labels"), None, "an empty label is none");
    assert_eq!(found[2]["labels"], json!({ "tenant_id": "a" }));
    assert_eq!((found[3].get("labels"), &found[3]["metricast"]), (None, &json!({ "attributes": { "other": "o" } })));

    config["labels"]["region"] = json!("eu");
    found = documents(&config, &records);
    assert_eq!(found[0]["labels"], json!({ "tenant_id": "a\\b", "region": "eu" }));
    assert_eq!(found[3]["labels"], json!({ "region": "eu" }));
}

#[test]
fn attributes_that_elasticsearch_refuses_are_left_out() {
    let fits = ("k".repeat(32_766 - 4), "123".to_owned());
    let long = ("l".repeat(32_766 - 4), "1234".to_owned());
    let not_indexed = ("m".repeat(32_765), "x".repeat(1025));
    let attributes = vec![
        ("a\0b".into(), "1".into()),
        (String::new(), "2".into()),
        fits.clone(),
        long,
        not_indexed.clone(),
        ("c".into(), "2\0".into()),
    ];
    let only_bad = vec![("\0".into(), "1".into())];
    let [some, none] = [attributes, only_bad].map(|attributes| Metrics::Event(EventMetrics { attributes, ..event() }));
    let documents = documents(&plain(), &[some, none]);
    let expected: Value = [fits, not_indexed, (String::new(), "2".into()), ("c".into(), "2\0".into())]
        .into_iter()
        .map(|(key, value)| (key, json!(value)))
        .collect();
    assert!(documents[0]["metricast"]["attributes"] == expected);
    assert_eq!(documents[1]["metricast"].get("attributes"), None);
}
