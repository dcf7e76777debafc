//! Labels and who they are of: what a config makes searchable on every server.

use metricast_records::{EventMetrics, Metrics};
use metricast_sdk::Publisher as _;
use serde_json::json;

use super::engines::Engine;
use super::{attributes, batch, event, network};

pub(super) fn labels_can_be_asked_for(engine: &Engine) {
    let config = json!({ "labels": { "tenant": { "attribute": "tenant.id" }, "data.center": "fsn1" } });
    let mut publisher = engine.open("labels", &config).unwrap();
    let of = |pairs: &[(&str, &str)]| Metrics::Event(EventMetrics { attributes: attributes(pairs), ..event() });
    let long = "ä".repeat(40_000);
    let records = [
        of(&[("tenant.id", "acme"), ("other", "1")]),
        of(&[("tenant.id", &long)]),
        of(&[("tenant.id", "")]),
        of(&[]),
        Metrics::Network(network()),
    ];
    let receipt = publisher.publish(&batch(&records)).unwrap();
    assert_eq!(receipt.accepted, 5, "{receipt:?}");
    let acme = json!({ "term": { "labels.tenant": "acme" } });
    assert_eq!(engine.hits("labels-*", &acme), 1);
    assert_eq!(engine.hits("labels-*", &json!({ "term": { "labels.data_center": "fsn1" } })), 5);
    let found = engine.search("labels-*", &json!({ "query": acme }));
    let document = &found["hits"]["hits"][0]["_source"];
    assert_eq!(document["metricast"]["attributes"], json!({ "other": "1" }), "what became a label stands there only");
    let kept = engine.search("labels-event*", &json!({ "size": 10 })).to_string();
    assert!(kept.contains(&long), "a value that is too long for an index is kept");
}

pub(super) fn who_is_asked_for_by_the_names_of_ecs(engine: &Engine) {
    let config = json!({
        "service": "checkout", "namespace": "shop", "environment": "production", "instance": "web-1:a7",
        "host": "web-1",
    });
    let mut publisher = engine.open("ecs", &config).unwrap();
    assert_eq!(publisher.publish(&batch(&[Metrics::Event(event())])).unwrap().accepted, 1);
    let terms = [
        ("service.name", "checkout"),
        ("service.namespace", "shop"),
        ("service.environment", "production"),
        ("service.node.name", "web-1:a7"),
        ("host.name", "web-1"),
    ];
    for (field, value) in terms {
        assert_eq!(engine.hits("ecs-event*", &json!({ "term": { field: value } })), 1, "{field}");
    }
}
