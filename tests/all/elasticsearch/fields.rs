//! How fields are indexed, as the server says it and as a search finds it.

use metricast_records::{EventMetrics, Metrics};
use metricast_sdk::Publisher as _;
use serde_json::{Value, json};

use super::engines::Engine;
use super::{attributes, batch, event, network};

fn mappings(engine: &Engine) -> Value {
    let keyword = json!({ "type": "keyword", "ignore_above": 1024 });
    let (time, long) = (json!({ "type": "date_nanos" }), json!({ "type": "long" }));
    let bytes = json!({ "type": "long", "ignore_malformed": true });
    let message = json!({ "type": "text", "norms": false, "fields": { "keyword": keyword } });
    let kept = json!({ "type": "object", "enabled": false });
    let flattened = json!({ "type": "flattened", "ignore_above": 1024 });
    let mut mappings = json!({
        "dynamic": "false",
        "dynamic_templates": [{ "labels": { "path_match": "labels.*", "mapping": keyword } }],
        "_meta": { "managed_by": "metricast" },
        "properties": {
            "@timestamp": time,
            "event": { "properties": {
                "action": keyword, "kind": keyword, "outcome": keyword, "start": time, "end": time, "duration": long,
            } },
            "metricast": { "properties": {
                "task_id": keyword, "status": keyword, "retry_count": long,
                "attributes": if engine.is_opensearch() { kept } else { flattened },
            } },
            "process": { "properties": { "pid": long } },
            "error": { "properties": { "message": message } },
            "source": { "properties": { "bytes": bytes } },
            "destination": { "properties": {
                "address": keyword, "ip": { "type": "ip" }, "port": long, "bytes": bytes,
            } },
            "service": { "properties": {
                "name": keyword, "namespace": keyword, "environment": keyword,
                "node": { "properties": { "name": keyword } },
            } },
            "labels": { "type": "object", "dynamic": "true" },
            "host": { "properties": { "name": keyword } },
            "ecs": { "properties": { "version": keyword } },
        },
    });
    if engine.has_streams() {
        mappings["_data_stream_timestamp"] = json!({ "enabled": true });
    }
    mappings
}

pub(super) fn fields_have_the_mappings_that_they_should_have(engine: &Engine) {
    let both = batch(&[Metrics::Event(event()), Metrics::Network(network())]);
    // A second opening finds all of it there.
    for _ in 0..2 {
        assert_eq!(engine.open("shape", &json!({})).unwrap().publish(&both).unwrap().accepted, 2);
    }
    for index in ["shape-event*", "shape-network*"] {
        let answer = engine.get(&format!("/{index}/_mapping"));
        let (index, found) = answer.as_object().unwrap().iter().next().unwrap();
        assert_eq!(found["mappings"], mappings(engine), "{index}");
    }
}

pub(super) fn attributes_of_any_name_and_length_are_kept(engine: &Engine) {
    let long = "ä".repeat(40_000);
    let pairs = [("", "empty"), ("a.b", "1"), ("a", "2"), (".", "3"), ("..x", "4"), ("long", &long), ("nul", "\0")];
    let record =
        EventMetrics { task_id: long.clone(), error: Some(long.clone()), attributes: attributes(&pairs), ..event() };
    let receipt = engine.open("kept", &json!({})).unwrap().publish(&batch(&[Metrics::Event(record)])).unwrap();
    assert_eq!(receipt.accepted, 1, "{receipt:?}");
    let document = engine.only("kept-event*");
    assert_eq!(document["_id"], "test-10");
    let document = &document["_source"];
    let kept: Value = pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    assert_eq!(document["metricast"]["attributes"], kept);
    assert_eq!((&document["metricast"]["task_id"], &document["error"]["message"]), (&json!(long), &json!(long)));
    assert_eq!(engine.hits("kept-event*", &json!({ "exists": { "field": "metricast.task_id" } })), 0, "too long a key");
}

pub(super) fn attributes_are_found_by_where_the_server_can_look_for_them(engine: &Engine) {
    let of = |pairs: &[(&str, &str)]| Metrics::Event(EventMetrics { attributes: attributes(pairs), ..event() });
    let records = [of(&[("tenant", "acme"), ("a.b", "1")]), of(&[("tenant", "other")]), of(&[])];
    let receipt = engine.open("found", &json!({})).unwrap().publish(&batch(&records)).unwrap();
    assert_eq!(receipt.accepted, 3, "{receipt:?}");
    let hits = |field: &str, value: &str| engine.hits("found-event*", &json!({ "term": { field: value } }));
    let expected = u64::from(!engine.is_opensearch());
    assert_eq!(hits("metricast.attributes.tenant", "acme"), expected);
    assert_eq!(hits("metricast.attributes.a.b", "1"), expected);
    assert_eq!(hits("metricast.status", "completed"), 3);
}

pub(super) fn fields_that_nobody_mapped_are_kept_and_not_indexed(engine: &Engine) {
    let mut publisher = engine.open("root", &json!({})).unwrap();
    assert_eq!(publisher.publish(&batch(&[Metrics::Event(event())])).unwrap().accepted, 1);
    let foreign = json!({ "@timestamp": "2026-11-22T17:29:31Z", "surprise": { "of": "another" } });
    let index = if engine.has_streams() { "root-event" } else { "root-event-2026.11.22" };
    let items = engine.bulk(&format!("/{index}/_bulk"), &format!("{{\"create\":{{}}}}\n{foreign}\n"));
    assert_eq!(items["errors"], false, "{items}");
    assert_eq!(engine.hits("root-event*", &json!({ "exists": { "field": "surprise.of" } })), 0);
    let mapping = engine.get("/root-event*/_mapping").to_string();
    assert!(!mapping.contains("surprise"), "{mapping}");
}
