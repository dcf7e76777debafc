//! Nodes that have no room: a part of a batch, none of it, or the whole request.

use metricast_records::{Batch, EventMetrics, Metrics};
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::{Value, json};
use support::Server;
use support::search::{Node, Options};

use super::{batch, event, open_at, real_batches};

/// One worker and room for one more piece of work: a bulk into six shards is too much at once.
const NARROW: &[(&str, &str)] = &[("thread_pool.write.size", "1"), ("thread_pool.write.queue_size", "1")];

#[test]
fn what_opensearch_puts_off_is_sent_again_until_all_is_there() {
    puts_off(Server::OpenSearch2);
}

#[test]
fn what_elasticsearch_puts_off_is_sent_again_until_all_is_there() {
    puts_off(Server::Elasticsearch8);
}

fn puts_off(server: Server) {
    let Some(node) = Node::start(server, &Options { settings: NARROW, ..Options::default() }) else { return };
    let six = json!({ "settings": { "number_of_shards": 6 } });
    for kind in ["event", "network"] {
        node.put(&format!("/busy-{kind}-2026.11.22"), &six);
    }
    let mut publisher = open_at(&node, "busy", &json!({ "indices": "daily" })).unwrap();
    let (mut mixed, mut accepted) = (0, 0);
    for mut batch in real_batches(60).into_iter().take(25) {
        // Each attempt gets on at least a little, or says why not: 100 of them are a fault.
        for attempt in 0.. {
            assert!(attempt < 100, "a batch does not come through");
            let Ok(receipt) = publisher.publish(&batch) else { continue };
            assert_eq!((receipt.rejected.as_slice(), receipt.in_doubt.as_slice()), (&[][..], &[][..]));
            accepted += u64::from(receipt.accepted);
            if receipt.retryable.is_empty() {
                break;
            }
            mixed += 1;
            batch = batch.select(&receipt.retryable);
        }
    }
    assert_eq!(accepted, 25 * 60);
    assert!(mixed > 0, "the node took everything at once");
    assert_eq!(node.count("busy-event-*") + node.count("busy-network-*"), 25 * 60);
}

/// No queue at all, and memory for 32 kB of what is being indexed.
const FULL: Options<'static> = Options {
    settings: &[
        ("thread_pool.write.size", "1"),
        ("thread_pool.write.queue_size", "0"),
        ("indexing_pressure.memory.limit", "32kb"),
    ],
    security: false,
};

fn unavailable(node: &Node, prefix: &str, batch: &Batch) -> String {
    let mut publisher = open_at(node, prefix, &json!({ "indices": "daily" })).unwrap();
    match publisher.publish(batch) {
        Err(PublishError::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_node_without_a_queue_puts_all_off_one_by_one() {
    let Some(node) = Node::shared_with(Server::OpenSearch2, &FULL) else { return };
    let told = unavailable(&node, "queue", &batch(&vec![Metrics::Event(event()); 3]));
    assert!(told.starts_with("429 rejected_execution_exception"), "{told}");
}

#[test]
fn a_node_without_memory_for_a_request_puts_all_of_it_off() {
    let Some(node) = Node::shared_with(Server::OpenSearch2, &FULL) else { return };
    let large = EventMetrics { error: Some("x".repeat(1000)), ..event() };
    let told = unavailable(&node, "pressure", &batch(&vec![Metrics::Event(large); 109]));
    assert!(told.starts_with("POST /_bulk: 429 rejected_execution_exception"), "{told}");
}

/// No request of more than 64 kB.
const SMALL: &[(&str, &str)] = &[("http.max_content_length", "64kb")];

#[test]
fn what_is_too_large_for_opensearch_is_sent_in_parts() {
    too_large(Server::OpenSearch2);
}

#[test]
fn what_is_too_large_for_elasticsearch_is_sent_in_parts() {
    too_large(Server::Elasticsearch8);
}

fn too_large(server: Server) {
    let Some(node) = Node::start(server, &Options { settings: SMALL, ..Options::default() }) else { return };
    let mut publisher = open_at(&node, "parts", &json!({})).unwrap();
    // Noise, so that compression cannot make it small.
    let mut random = fastrand::Rng::with_seed(413);
    let mut of = |length| {
        let noise = std::iter::repeat_with(|| random.alphanumeric()).take(length).collect();
        Metrics::Event(EventMetrics { error: Some(noise), ..event() })
    };
    let mut records: Vec<_> = (0..40).map(|_| of(10_000)).collect();
    records[7] = of(100_000);
    let receipt = publisher.publish(&batch(&records)).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (39, 0, 1), "{receipt:?}");
    assert_eq!(receipt.rejected[0].index, 7);
    assert!(receipt.rejected[0].reason.contains("larger than the server takes"), "{receipt:?}");
    assert_eq!(node.count("parts-event"), 39);
}

#[test]
fn as_many_shards_as_opensearch_may_have_reject_no_record() {
    no_more_shards(Server::OpenSearch2);
}

#[test]
fn as_many_shards_as_elasticsearch_may_have_reject_no_record() {
    no_more_shards(Server::Elasticsearch7);
}

fn no_more_shards(server: Server) {
    let Some(node) = Node::start(server, &Options::default()) else { return };
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
