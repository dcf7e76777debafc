//! Records that may have reached the server before.

use metricast_records::{Batch, Metrics};
use metricast_sdk::Publisher as _;
use serde_json::{Value, json};

use super::engines::Engine;
use super::{batch, event, network, open_at};

/// Three records, the middle one of another kind.
fn three() -> Batch {
    batch(&[Metrics::Event(event()), Metrics::Network(network()), Metrics::Event(event())])
}

fn roll_over(engine: &Engine, stream: &str) {
    let rolled = engine.post(&format!("/{stream}/_rollover"), &json!({}));
    assert_eq!(rolled["rolled_over"], true, "{rolled}");
}

/// The ids of all documents, sorted.
fn ids(engine: &Engine, index: &str) -> Vec<String> {
    let found = engine.search(index, &json!({ "size": 1000 }));
    let id = |hit: &Value| hit["_id"].as_str().unwrap().to_owned();
    let mut ids: Vec<_> = found["hits"]["hits"].as_array().unwrap().iter().map(id).collect();
    ids.sort();
    ids
}

pub(super) fn a_plain_index_takes_no_record_twice(engine: &Engine) {
    let mut publisher = open_at(engine, "twice", &json!({ "indices": "daily" })).unwrap();
    for redelivered in [false, true, true] {
        assert_eq!(publisher.publish(&three().with_redelivered(redelivered)).unwrap().accepted, 3);
    }
    assert_eq!((ids(engine, "twice-event-*").len(), ids(engine, "twice-network-*").len()), (2, 1));
}

pub(super) fn a_record_in_doubt_is_not_written_again_after_a_rollover(engine: &Engine) {
    let mut publisher = engine.open("rolled", &json!({})).unwrap();
    assert_eq!(publisher.publish(&three()).unwrap().accepted, 3);
    // Not refreshed: what was written last must be found all the same.
    roll_over(engine, "rolled-event");
    roll_over(engine, "rolled-network");
    let receipt = publisher.publish(&three().with_redelivered(true)).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (3, 0, 0), "{receipt:?}");
    assert_eq!((ids(engine, "rolled-event").len(), ids(engine, "rolled-network").len()), (2, 1));
}

pub(super) fn what_is_missing_after_a_rollover_is_written(engine: &Engine) {
    let mut publisher = engine.open("partly", &json!({})).unwrap();
    let whole = batch(&vec![Metrics::Event(event()); 1500]);
    let odd: Vec<u32> = (0..1500).filter(|index| index % 2 == 1).collect();
    assert_eq!(publisher.publish(&whole.select(&odd)).unwrap().accepted, 750);
    roll_over(engine, "partly-event");
    let receipt = publisher.publish(&whole.with_redelivered(true)).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (1500, 0, 0), "{receipt:?}");
    assert_eq!(engine.count("partly-event"), 1500);
}
