//! Real records through the program and the sandboxed plugin into a real OpenSearch.

use std::fs;

use serde_json::json;
use support::search::{Node, Options};
use support::{Server, data, metricast};

use crate::truth::{FILE, RECORDS, truth};

fn publish(node: &Node, prefix: &str, file: &str) -> (std::process::Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("metricast.toml");
    let text = format!(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"{}\"]\nindex_prefix = \"{prefix}\"\n",
        node.url()
    );
    fs::write(&config, text).unwrap();
    let output = metricast::output(["publish", "-c", config.to_str().unwrap(), file]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

#[test]
fn every_real_record_is_one_document() {
    let Some(node) = Node::shared() else { return };
    let (output, said) = publish(node, "whole", data(FILE).to_str().unwrap());
    assert!(output.status.success(), "{said}");
    let truth = truth();
    assert_eq!((node.count("whole-event"), node.count("whole-network")), (truth.events, truth.networks));
    let by_name = json!({"size": 0, "aggs": {"names": {"terms": {"field": "event.action", "size": 100}}}});
    let found = node.search("whole-event", &by_name);
    for bucket in found["aggregations"]["names"]["buckets"].as_array().unwrap() {
        let name = bucket["key"].as_str().unwrap();
        let expected: u64 = truth.statuses.iter().filter(|((known, _), _)| known == name).map(|(_, count)| count).sum();
        assert_eq!(bucket["doc_count"], expected, "{name}");
    }
    let received: u64 = truth.bytes.values().map(|(_, received)| received).sum();
    let sum = json!({"size": 0, "aggs": {"received": {"sum": {"field": "destination.bytes"}}}});
    assert_eq!(node.search("whole-network", &sum)["aggregations"]["received"]["value"], json!(received as f64));
    assert!(said.contains("6,965"), "{said}");
}

#[test]
fn a_node_that_puts_records_off_gets_all_of_them_in_the_end() {
    let options = Options {
        settings: &[("thread_pool.write.size", "1"), ("thread_pool.write.queue_size", "1")],
        ..Options::default()
    };
    let Some(node) = Node::start(Server::OpenSearch2, &options) else { return };
    // Streams of six shards from before: more work at once for a bulk than the node has room for.
    let shards = json!({
        "index_patterns": ["busy-*"], "priority": 1000, "data_stream": {},
        "template": {"settings": {"number_of_shards": 6, "number_of_replicas": 0}}
    });
    node.put("/_index_template/busy-metricast", &shards);
    node.put("/_data_stream/busy-event", &json!({}));
    node.put("/_data_stream/busy-network", &json!({}));
    let (output, said) = publish(&node, "busy", data(FILE).to_str().unwrap());
    assert!(output.status.success(), "{said}");
    assert!(said.contains("puts records off"), "the node had room for all: {said}");
    assert_eq!(node.count("busy-event") + node.count("busy-network"), RECORDS, "{said}");
}

#[test]
fn a_backend_that_is_away_is_told_and_nothing_is_called_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("metricast.toml");
    let port = support::ports::free();
    let text = format!(
        "drain_timeout = \"1s\"\n[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"http://127.0.0.1:{port}\"]\nindex_prefix = \"away\"\n"
    );
    fs::write(&config, text).unwrap();
    let output = metricast::output(["publish", "-c", config.to_str().unwrap(), data(FILE).to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&port.to_string()), "the log names where nobody answered: {said}");
}
