//! A disk that is full, as the node itself sees it.

use std::time::Duration;

use metricast_records::Metrics;
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::{Value, json};
use support::Server;
use support::search::{Node, Options};
use support::wait;

use super::{batch, event, network, open_at};

/// The node looks at its disk as often as it may, was seen to act within 10 s, and has room until the test says else.
const SETTINGS: &[(&str, &str)] = &[
    ("cluster.info.update.interval", "10s"),
    ("cluster.routing.allocation.disk.threshold_enabled", "true"),
    ("cluster.routing.allocation.disk.watermark.low", "3mb"),
    ("cluster.routing.allocation.disk.watermark.high", "2mb"),
    ("cluster.routing.allocation.disk.watermark.flood_stage", "1mb"),
];
const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn a_full_disk_is_waited_for_and_nothing_is_lost() {
    let Some(node) = Node::start(Server::OpenSearch2, &Options { settings: SETTINGS, ..Options::default() }) else {
        return;
    };
    let mut publisher = open_at(&node, "disk", &json!({})).unwrap();
    let both = batch(&[Metrics::Event(event()), Metrics::Network(network())]);
    assert_eq!(publisher.publish(&both.clone().placed("before", 0)).unwrap().accepted, 2);
    marks(&node, &json!("1%"));
    let refused = wait::until("the flood stage", PATIENCE, || match publisher.publish(&both) {
        Err(PublishError::Unavailable { reason, .. }) => Some(reason),
        Ok(receipt) if receipt.rejected.is_empty() => None,
        other => panic!("{other:?}"),
    });
    assert!(refused.contains("cluster_block_exception") && refused.contains("disk"), "{refused}");
    marks(&node, &json!(null));
    let taken =
        wait::until("room on the disk", PATIENCE, || publisher.publish(&both).ok().filter(|it| it.accepted == 2));
    assert_eq!((taken.retryable.len(), taken.rejected.len()), (0, 0));
    assert_eq!((node.count("disk-event"), node.count("disk-network")), (2, 2));
}

/// How much of the disk may be used.
fn marks(node: &Node, part: &Value) {
    let name = |stage: &str| format!("cluster.routing.allocation.disk.watermark.{stage}");
    let settings = json!({ name("low"): part, name("high"): part, name("flood_stage"): part });
    node.put("/_cluster/settings", &json!({ "persistent": settings }));
}
