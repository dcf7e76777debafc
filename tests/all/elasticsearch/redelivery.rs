//! Records that may have reached the server before.

use metricast_records::{Batch, Metrics};
use metricast_sdk::Publisher as _;
use serde_json::json;

use super::engines::Engine;
use super::{batch, event, network, open_at};

/// Three records, the middle one of another kind.
fn three() -> Batch {
    batch(&[Metrics::Event(event()), Metrics::Network(network()), Metrics::Event(event())])
}

pub(super) fn a_plain_index_takes_no_record_twice(engine: &Engine) {
    let mut publisher = open_at(engine, "twice", &json!({ "indices": "daily" })).unwrap();
    for redelivered in [false, true, true] {
        assert_eq!(publisher.publish(&three().with_redelivered(redelivered)).unwrap().accepted, 3);
    }
    assert_eq!((engine.count("twice-event-*"), engine.count("twice-network-*")), (2, 1));
}
