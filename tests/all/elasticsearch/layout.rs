//! Names of streams and indices on real servers.

use metricast_records::{EventMetrics, Metrics};
use metricast_sdk::Publisher as _;
use serde_json::json;

use super::engines::Engine;
use super::{END, batch, event, network, open_at};

pub(super) fn one_node_is_enough_for_green(engine: &Engine) {
    let both = batch(&[Metrics::Event(event()), Metrics::Network(network())]);
    assert_eq!(engine.open("green", &json!({})).unwrap().publish(&both).unwrap().accepted, 2);
    let health = engine.get("/_cluster/health/green-*?wait_for_status=green&timeout=30s");
    assert_eq!((&health["status"], &health["active_primary_shards"]), (&json!("green"), &json!(2)), "{health}");
}

pub(super) fn daily_indices_are_dated_by_the_record_and_shaped_by_the_template(engine: &Engine) {
    let mut publisher = open_at(engine, "daily", &json!({ "indices": "daily" })).unwrap();
    let ending = |end| EventMetrics { start_time: end - 1.0, end_time: Some(end), ..event() };
    let last_month = EventMetrics { start_time: 1_792_690_171.0, end_time: None, ..event() };
    // The second day begins with 1795305600.
    let records = [ending(1_795_305_599.9), ending(1_795_305_600.5), last_month].map(Metrics::Event);
    for _ in 0..2 {
        assert_eq!(publisher.publish(&batch(&records)).unwrap().accepted, 3);
    }
    for day in ["2026.11.21", "2026.11.22", "2026.10.22"] {
        let index = format!("daily-event-{day}");
        assert_eq!(engine.count(&index), 1, "{index}");
        let mappings = &engine.get(&format!("/{index}/_mapping"))[&index]["mappings"];
        assert_eq!(mappings["dynamic"], "false");
        assert_eq!(mappings["properties"]["event"]["properties"]["end"]["type"], "date_nanos");
    }
    let found = engine.get("/_resolve/index/daily-*");
    assert!(found["data_streams"].as_array().is_none_or(Vec::is_empty), "{found}");
}

pub(super) fn a_day_far_from_the_arrival_makes_no_index(engine: &Engine) {
    let mut publisher =
        open_at(engine, "window", &json!({ "indices": "daily", "max_past": "2d", "max_future": "1d" })).unwrap();
    let at = |days: f64| Metrics::Event(EventMetrics { start_time: END + days * 86_400.0, end_time: None, ..event() });
    let receipt = publisher.publish(&batch(&[at(-2.5), at(-1.5), at(0.5), at(1.5)])).unwrap();
    let rejected: Vec<_> = receipt.rejected.iter().map(|rejection| rejection.index).collect();
    assert_eq!((receipt.accepted, rejected.as_slice()), (2, &[0, 3][..]), "{receipt:?}");
    assert!(receipt.rejected[0].reason.contains("max_past"), "{receipt:?}");
    assert!(receipt.rejected[1].reason.contains("max_future"), "{receipt:?}");
    let health = engine.get("/_cluster/health/window-*");
    assert_eq!(health["active_primary_shards"], 2, "{health}");
}

pub(super) fn streams_by_elastics_scheme_win_over_its_own_template(engine: &Engine) {
    // What Elasticsearch brings along; the distribution for tests does not.
    let own = json!({
        "index_patterns": ["logs-*-*"], "priority": 100, "data_stream": {},
        "template": { "mappings": { "properties": { "data_stream": { "properties": {
            "dataset": { "type": "constant_keyword" } } } } } },
    });
    let own = if engine.is_opensearch() { json!({ "index_patterns": ["logs-*-*"], "priority": 100 }) } else { own };
    let put = engine.send(http::Method::PUT, "/_index_template/logs", "application/json", own.to_string());
    let config = json!({ "data_stream": { "namespace": "odd" } });
    let mut publisher = engine.open("scheme", &config).unwrap();
    let receipt = publisher.publish(&batch(&[Metrics::Event(event()), Metrics::Network(network())])).unwrap();
    assert_eq!(receipt.accepted, 2, "{receipt:?}; the template: {}", put.status);
    let found = engine.only("logs-scheme.network-odd");
    let parts = json!({ "type": "logs", "dataset": "scheme.network", "namespace": "odd" });
    assert_eq!(found["_source"]["data_stream"], parts);
    let mapping = engine.get("/logs-scheme.event-odd/_mapping");
    let (_, index) = mapping.as_object().unwrap().iter().next().unwrap();
    assert_eq!(index["mappings"]["properties"]["data_stream"]["properties"]["dataset"]["type"], "keyword");
    assert_eq!(index["mappings"]["_meta"]["managed_by"], "metricast");
}
