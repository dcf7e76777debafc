//! The plugin for Elasticsearch and OpenSearch, compiled natively, against real nodes.

mod faults;

use std::fs;

use http::Method;
use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_records::{Batch, BatchBuilder, EventMetrics, Metrics, NetworkMetrics, input};
use metricast_sdk::{PublishError, Publisher as _, config};
use serde_json::{Value, json};
use support::search::{Node, Options};
use support::{Server, data};
use xtask::servers::TESTER;

use crate::truth::{FILE, RECORDS, truth};

/// Opens the plugin with a config that has these keys too.
fn open(hosts: &[String], prefix: &str, more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
    let mut whole = json!({ "hosts": hosts, "index_prefix": prefix });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = config::parse::<ElasticsearchPublisher>(&whole.to_string())?;
    ElasticsearchPublisher::open(config, None)
}

fn open_at(node: &Node, prefix: &str, more: &Value) -> Result<ElasticsearchPublisher, PublishError> {
    open(&[node.url()], prefix, more)
}

fn misconfigured(opened: Result<ElasticsearchPublisher, PublishError>) -> String {
    match opened {
        Err(PublishError::Misconfigured(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A batch at offset 0 of an epoch of its own.
fn batch(records: &[Metrics]) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), 1_795_368_572.0).unwrap();
    }
    builder.finish().placed("test", 0)
}

/// All real records in batches of so many.
fn real_batches(size: usize) -> Vec<Batch> {
    let file = fs::read(data(FILE)).unwrap();
    let lines: Vec<_> = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut batches = Vec::new();
    for (number, lines) in lines.chunks(size).enumerate() {
        let mut builder = BatchBuilder::new();
        for line in lines {
            builder.push(&input::parse_line(line).unwrap().unwrap().as_ref(), 1_795_368_572.0).unwrap();
        }
        batches.push(builder.finish().placed("real", (number * size) as u64));
    }
    batches
}

fn event() -> EventMetrics {
    EventMetrics {
        event_name: "Pay".into(),
        start_time: 1_795_368_571.25,
        end_time: Some(1_795_368_571.75),
        status: "completed".into(),
        ..EventMetrics::default()
    }
}

fn network() -> NetworkMetrics {
    NetworkMetrics {
        operation: "http_get".into(),
        host: "localhost".into(),
        start_time: 1_795_368_571.25,
        end_time: Some(1_795_368_571.75),
        ..NetworkMetrics::default()
    }
}

#[test]
fn every_real_record_arrives_and_can_be_asked_for() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open_at(node, "real", &json!({})).unwrap();
    for batch in real_batches(1000) {
        let receipt = publisher.publish(&batch).unwrap();
        assert_eq!(receipt.accepted as usize, batch.len(), "{receipt:?}");
    }
    let truth = truth();
    assert_eq!((node.count("real-event"), node.count("real-network")), (truth.events, truth.networks));
    let ask = json!({ "size": 0, "query": { "term": { "event.outcome": "failure" } }, "track_total_hits": true });
    let failures: u64 = truth.failures.values().sum();
    assert_eq!(node.search("real-network", &ask)["hits"]["total"]["value"], failures);
    let ask = json!({ "size": 0, "aggs": {
        "first": { "min": { "field": "@timestamp" } },
        "nanoseconds": { "sum": { "field": "event.duration" } },
        "pids": { "value_count": { "field": "process.pid" } },
    } });
    let found = &node.search("real-event", &ask)["aggregations"];
    assert!(found["first"]["value_as_string"].as_str().unwrap().starts_with("2026-11-22T17:"), "{found}");
    let seconds: f64 = truth.durations.values().map(|(_, seconds)| seconds).sum();
    let nanoseconds = found["nanoseconds"]["value"].as_f64().unwrap();
    assert!((nanoseconds / 1e9 - seconds).abs() < 1e-4, "{nanoseconds} ns are not {seconds} s");
    let file = fs::read_to_string(data(FILE)).unwrap();
    let with_pid = file.matches("\"process_id\": ").count() - file.matches("\"process_id\": null").count();
    assert_eq!(found["pids"]["value"], json!(with_pid));
    let literal = file.matches("\"host\": \"127.0.0.").count();
    let ask = json!({ "size": 0, "query": { "term": { "destination.ip": "127.0.0.0/8" } }, "track_total_hits": true });
    assert_eq!(node.search("real-network", &ask)["hits"]["total"]["value"], literal);
}

#[test]
fn a_repeat_is_accepted_and_makes_no_second_document() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open_at(node, "repeat", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event()), Metrics::Network(network()), Metrics::Event(event())]);
    for _ in 0..2 {
        assert_eq!(publisher.publish(&batch).unwrap().accepted, 3);
        assert_eq!((node.count("repeat-event"), node.count("repeat-network")), (2, 1));
    }
    let without_place = batch.placed("", 0);
    assert_eq!(publisher.publish(&without_place).unwrap().accepted, 3);
    assert_eq!(node.count("repeat-event"), 4, "records without a place are new each time");
}

/// What a node of OpenSearch must say of a stream.
fn mappings() -> Value {
    let keyword = json!({ "type": "keyword", "ignore_above": 1024 });
    let (time, long) = (json!({ "type": "date_nanos" }), json!({ "type": "long" }));
    let bytes = json!({ "type": "long", "ignore_malformed": true });
    let message = json!({ "type": "text", "norms": false, "fields": { "keyword": keyword } });
    json!({
        "dynamic": "false",
        "_meta": { "managed_by": "metricast" },
        "_data_stream_timestamp": { "enabled": true },
        "properties": {
            "@timestamp": time,
            "event": { "properties": {
                "action": keyword, "kind": keyword, "outcome": keyword, "start": time, "end": time, "duration": long,
            } },
            "metricast": { "properties": {
                "task_id": keyword, "status": keyword, "retry_count": long,
                "attributes": { "type": "object", "enabled": false },
            } },
            "process": { "properties": { "pid": long } },
            "error": { "properties": { "message": message } },
            "source": { "properties": { "bytes": bytes } },
            "destination": { "properties": {
                "address": keyword, "ip": { "type": "ip" }, "port": long, "bytes": bytes,
            } },
            "service": { "properties": { "name": keyword } },
            "host": { "properties": { "name": keyword } },
            "ecs": { "properties": { "version": keyword } },
        },
    })
}

#[test]
fn streams_have_the_mappings_that_they_should_have() {
    let Some(node) = Node::shared() else { return };
    open_at(node, "shape", &json!({})).unwrap();
    // A second opening finds all of it there.
    open_at(node, "shape", &json!({})).unwrap();
    let expected = mappings();
    for stream in ["shape-event", "shape-network"] {
        let answer = node.get(&format!("/{stream}/_mapping"));
        let (index, found) = answer.as_object().unwrap().iter().next().unwrap();
        assert_eq!(found["mappings"], expected, "{index}");
        assert_eq!(node.get(&format!("/_cluster/health/{stream}"))["status"], "green", "one node is enough");
    }
}

#[test]
fn awkward_values_are_kept() {
    let Some(node) = Node::shared() else { return };
    let config = json!({ "data_stream": { "namespace": "odd" }, "service": "checkout", "host_name": "web-1" });
    let mut publisher = open_at(node, "awkward", &config).unwrap();
    let long = "ä".repeat(40_000);
    let pairs = [("", "empty"), ("a.b", "1"), ("a", "2"), (".", "3"), ("long", &long), ("nul", "\0")];
    let attributes = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let record = NetworkMetrics { bytes_sent: u64::MAX, task_id: Some(long.clone()), error: Some(long), ..network() };
    let batch = batch(&[Metrics::Network(NetworkMetrics { attributes, ..record })]);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    let found = node.search("logs-awkward.network-odd", &json!({}));
    let document = &found["hits"]["hits"][0];
    assert_eq!(document["_id"], "test-10");
    let document = &document["_source"];
    assert_eq!(document["source"]["bytes"], u64::MAX);
    assert_eq!(document["metricast"]["attributes"]["a.b"], "1");
    assert_eq!(document["service"]["name"], "checkout");
    assert_eq!(document["data_stream"], json!({ "type": "logs", "dataset": "awkward.network", "namespace": "odd" }));
}

#[test]
fn a_document_that_does_not_fit_is_rejected_alone_in_the_servers_words() {
    let Some(node) = Node::shared() else { return };
    let narrow =
        json!({ "mappings": { "properties": { "process": { "properties": { "pid": { "type": "byte" } } } } } });
    node.put("/conflict-event-2026.11.22", &narrow);
    let mut publisher = open_at(node, "conflict", &json!({ "indices": "daily" })).unwrap();
    let of = |process_id| Metrics::Event(EventMetrics { process_id: Some(process_id), ..event() });
    let batch = batch(&[of(1), of(25_331), of(2), Metrics::Network(network())]);
    let receipt = publisher.publish(&batch).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (3, 0, 1), "{receipt:?}");
    assert_eq!(receipt.rejected[0].index, 1);
    let reason = &receipt.rejected[0].reason;
    assert!(
        reason.starts_with("400 mapper_parsing_exception failed to parse field [process.pid] of type [byte]"),
        "{reason}"
    );
    assert!(reason.contains("Value [25331] is out of range for a byte"), "{reason}");
    assert_eq!((node.count("conflict-event-2026.11.22"), node.count("conflict-network-2026.11.22")), (2, 1));
}

#[test]
fn daily_indices_are_dated_by_the_record_and_shaped_by_the_template() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open_at(node, "daily", &json!({ "indices": "daily" })).unwrap();
    let yesterday = EventMetrics { start_time: 1_795_300_000.0, end_time: None, ..event() };
    let batch = batch(&[Metrics::Event(event()), Metrics::Event(yesterday)]);
    for _ in 0..2 {
        assert_eq!(publisher.publish(&batch).unwrap().accepted, 2);
    }
    assert_eq!((node.count("daily-event-2026.11.22"), node.count("daily-event-2026.11.21")), (1, 1));
    let mapping = node.get("/daily-event-2026.11.22/_mapping");
    assert_eq!(
        mapping["daily-event-2026.11.22"]["mappings"]["properties"]["event"]["properties"]["end"]["type"],
        "date_nanos"
    );
}

#[test]
fn a_name_that_is_no_data_stream_is_an_error_of_the_config() {
    let Some(node) = Node::shared() else { return };
    node.put("/plain-event", &json!({}));
    let expected = "index_prefix: plain-event is a plain index and must be a data stream: choose another name, or move \
                    what is there out of the way";
    assert_eq!(misconfigured(open_at(node, "plain", &json!({}))), expected);
    node.put("/elsewhere", &json!({ "aliases": { "alias-network": {} } }));
    let told = misconfigured(open_at(node, "alias", &json!({})));
    assert!(told.starts_with("index_prefix: alias-network is an alias"), "{told}");
}

#[test]
fn a_foreign_template_that_comes_first_is_an_error_that_names_it() {
    let Some(node) = Node::shared() else { return };
    let of =
        |pattern: &str, priority: u32| json!({ "index_patterns": [pattern], "priority": priority, "data_stream": {} });
    node.put("/_index_template/over", &of("higher-ev*", 900));
    let told = misconfigured(open_at(node, "higher", &json!({})));
    assert!(told.contains("\"over\" takes higher-event before ours, \"higher-metricast\""), "{told}");
    node.put("/_index_template/beside", &of("equal-ev*", 501));
    let told = misconfigured(open_at(node, "equal", &json!({})));
    assert!(told.starts_with("index_prefix: the server does not take the index template equal-metricast"), "{told}");
    assert!(told.contains("beside"), "{told}");
}

#[test]
fn a_stream_that_was_deleted_is_a_stream_again() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open_at(node, "gone", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event())]);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    node.delete("/_data_stream/gone-event");
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    assert_eq!(node.get("/_resolve/index/gone-event")["data_streams"][0]["name"], "gone-event");
}

#[test]
fn a_blocked_index_is_waited_for() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open_at(node, "blocked", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event()), Metrics::Network(network())]);
    for block in ["index.blocks.write", "index.blocks.read_only_allow_delete"] {
        node.put("/blocked-event/_settings", &json!({ block: true }));
        let receipt = publisher.publish(&batch).unwrap();
        assert_eq!((receipt.accepted, receipt.retryable.as_slice()), (1, &[0][..]), "{block}");
        let Err(PublishError::Unavailable { reason, .. }) = publisher.publish(&batch.select(&[0])) else {
            panic!("{block}: the one record that is left cannot be taken");
        };
        assert!(reason.contains("cluster_block_exception"), "{reason}");
        node.put("/blocked-event/_settings", &json!({ block: null }));
    }
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 2);
}

#[test]
fn what_a_busy_node_puts_off_is_sent_again_until_all_is_there() {
    let settings = &[("thread_pool.write.size", "1"), ("thread_pool.write.queue_size", "1")];
    let Some(node) = Node::start(Server::OpenSearch2, &Options { settings, ..Options::default() }) else { return };
    let six = json!({ "settings": { "number_of_shards": 6 } });
    for kind in ["event", "network"] {
        node.put(&format!("/busy-{kind}-2026.11.22"), &six);
    }
    let mut publisher = open_at(&node, "busy", &json!({ "indices": "daily" })).unwrap();
    let (mut mixed, mut accepted) = (0, 0);
    for mut batch in real_batches(60) {
        // Each attempt gets on at least a little, or says why not: 100 of them are a fault.
        for attempt in 0.. {
            assert!(attempt < 100, "a batch does not come through");
            let Ok(receipt) = publisher.publish(&batch) else { continue };
            assert_eq!(receipt.rejected, []);
            accepted += u64::from(receipt.accepted);
            if receipt.retryable.is_empty() {
                break;
            }
            mixed += 1;
            batch = batch.select(&receipt.retryable);
        }
    }
    assert_eq!(accepted, RECORDS);
    assert!(mixed > 0, "the node took everything at once");
    assert_eq!(node.count("busy-event-*") + node.count("busy-network-*"), RECORDS);
}

#[test]
fn as_many_shards_as_there_may_be_reject_no_record() {
    let Some(node) = Node::start(Server::OpenSearch2, &Options::default()) else { return };
    let limit = |limit: Value| {
        node.put("/_cluster/settings", &json!({ "persistent": { "cluster.max_shards_per_node": limit } }))
    };
    node.put("/first", &json!({}));
    let mut publisher = open_at(&node, "full", &json!({ "indices": "daily" })).unwrap();
    limit(json!(1));
    let told = publisher.publish(&batch(&[Metrics::Event(event())])).unwrap_err();
    assert!(matches!(&told, PublishError::Unavailable { reason, .. } if reason.contains("maximum")), "{told}");
    limit(json!(null));
    assert_eq!(publisher.publish(&batch(&[Metrics::Event(event())])).unwrap().accepted, 1);
}

#[test]
fn a_server_without_data_streams_gets_plain_indices() {
    let Some(node) = Node::start(Server::Elasticsearch7, &Options::default()) else { return };
    let told = misconfigured(open_at(&node, "seven", &json!({})));
    assert_eq!(told, "indices: this server has no data streams: write indices = \"daily\" for plain indices");
    let mut publisher = open_at(&node, "seven", &json!({ "indices": "daily" })).unwrap();
    let attributes = [("", "empty"), ("a.b", "1"), ("a", "2"), ("nul\0", "dropped")];
    let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let batch = batch(&[Metrics::Event(EventMetrics { attributes, ..event() })]);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    assert_eq!(node.count("seven-event-2026.11.22"), 1);
    let by_attribute = json!({ "query": { "term": { "metricast.attributes.a.b": "1" } } });
    assert_eq!(node.search("seven-event-*", &by_attribute)["hits"]["total"]["value"], 1);
    let answer = node.send(Method::GET, "/_data_stream/seven-event", "application/json", "");
    assert_eq!(answer.status, 405, "the server has learned of data streams");
}

#[test]
fn real_credentials_are_taken_and_refused() {
    let Some(node) = Node::start(Server::Elasticsearch8, &Options { security: true, ..Options::default() }) else {
        return;
    };
    let key_for = |name: &str, cluster: &[&str], privileges: &[&str]| {
        let indices = json!([{ "names": ["keyed-*"], "privileges": privileges }]);
        let role = json!({ "cluster": cluster, "indices": indices });
        node.post("/_security/api_key", &json!({ "name": name, "role_descriptors": { "role": role } }))["encoded"]
            .clone()
    };
    let write = ["auto_configure", "create_doc", "view_index_metadata"];
    let full = key_for("full", &["manage_index_templates"], &write);
    let mut publisher = open_at(&node, "keyed", &json!({ "api_key": full })).unwrap();
    let batch = batch(&[Metrics::Event(event()), Metrics::Network(network())]);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 2);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 2, "again is 409 and accepted");

    let basic = support::http::basic(TESTER.0, TESTER.1);
    let basic = json!({ "basic": basic.strip_prefix("Basic ").unwrap() });
    assert_eq!(open_at(&node, "keyed", &basic).unwrap().publish(&batch).unwrap().accepted, 2);

    let unauthorized = |config: Value| match open_at(&node, "keyed", &config) {
        Err(PublishError::Unauthorized(text)) => text,
        other => panic!("{other:?}"),
    };
    assert!(unauthorized(json!({})).starts_with("GET /: 401 security_exception missing authentication"));
    assert!(unauthorized(json!({ "bearer": "wrong" })).starts_with("GET /: 401 security_exception"));
    let no_templates = unauthorized(json!({ "api_key": key_for("no-templates", &[], &write) }));
    assert!(no_templates.contains("manage_index_templates"), "the missing privilege is named: {no_templates}");

    let read_only = key_for("read-only", &["manage_index_templates"], &["view_index_metadata"]);
    let mut publisher = open_at(&node, "keyed", &json!({ "api_key": read_only })).unwrap();
    let told = publisher.publish(&batch).unwrap_err();
    assert!(matches!(&told, PublishError::Unauthorized(text) if text.contains("create_doc")), "{told}");
}
