//! Where a data stream must be: what else may stand there, and what shapes it.

use metricast_records::Metrics;
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::{Value, json};

use super::engines::Engine;
use super::{batch, event, misconfigured};

pub(super) fn a_plain_index_of_the_name_is_an_error_of_the_config(engine: &Engine) {
    engine.put("/plain-event", &json!({}));
    let expected = "index_prefix: plain-event is a plain index and must be a data stream: choose another name, or move \
                    what is there out of the way";
    assert_eq!(misconfigured(engine.open("plain", &json!({}))), expected);
    assert_eq!(engine.count("plain-event"), 0);
}

pub(super) fn an_alias_of_the_name_is_an_error_of_the_config(engine: &Engine) {
    engine.put("/elsewhere", &json!({ "aliases": { "alias-network": {} } }));
    let told = misconfigured(engine.open("alias", &json!({})));
    assert!(told.starts_with("index_prefix: alias-network is an alias"), "{told}");
}

/// Someone else's template of data streams.
fn template(pattern: &str, priority: u32) -> Value {
    json!({ "index_patterns": [pattern], "priority": priority, "data_stream": {} })
}

pub(super) fn a_template_of_the_same_rank_is_an_error_that_names_it(engine: &Engine) {
    engine.put("/_index_template/beside", &template("equal-ev*", 501));
    let told = misconfigured(engine.open("equal", &json!({})));
    assert!(told.starts_with("index_prefix: the server does not take the index template equal-metricast"), "{told}");
    assert!(told.contains("beside"), "{told}");
}

pub(super) fn a_template_of_a_higher_rank_is_an_error_that_names_it(engine: &Engine) {
    engine.put("/_index_template/over", &template("higher-ev*", 900));
    let told = misconfigured(engine.open("higher", &json!({})));
    assert!(told.contains("\"over\" takes higher-event before ours, \"higher-metricast\""), "{told}");
}

pub(super) fn a_stream_that_was_deleted_is_a_stream_again(engine: &Engine) {
    let mut publisher = engine.open("gone", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event())]);
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    engine.delete("/_data_stream/gone-event");
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    assert_eq!(engine.get("/_resolve/index/gone-event")["data_streams"][0]["name"], "gone-event");
}

pub(super) fn a_stream_deleted_with_its_template_is_told_at_the_next_opening(engine: &Engine) {
    let mut publisher = engine.open("bare", &json!({})).unwrap();
    let batch = batch(&[Metrics::Event(event())]);
    engine.delete("/_data_stream/bare-event,bare-network");
    engine.delete("/_index_template/bare-metricast");
    // OpenSearch knows no parameter that guards against it.
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    let told = misconfigured(engine.open("bare", &json!({})));
    assert!(told.starts_with("index_prefix: bare-event is a plain index and must be a data stream"), "{told}");
}

/// The distribution for tests makes a stream with the first document, not before: so the template can be taken away.
pub(super) fn a_template_deleted_before_the_first_record_makes_no_plain_index(engine: &Engine) {
    let mut publisher = engine.open("bare", &json!({})).unwrap();
    engine.delete("/_index_template/bare-metricast");
    let batch = batch(&[Metrics::Event(event())]);
    let told = publisher.publish(&batch).unwrap_err();
    assert!(matches!(&told, PublishError::Unavailable { reason, .. } if reason.contains("data stream")), "{told}");
    let found = engine.get("/_resolve/index/bare-*");
    assert_eq!((&found["indices"], &found["data_streams"]), (&json!([]), &json!([])), "{found}");
    assert_eq!(publisher.publish(&batch).unwrap().accepted, 1, "the template is put again");
    assert_eq!(engine.get("/_resolve/index/bare-event")["data_streams"][0]["name"], "bare-event");
}
