//! Whose the index template is.

use metricast_records::Metrics;
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::{Value, json};

use super::engines::Engine;
use super::{batch, event};

/// As it was put: Elasticsearch 9 shows its own dates with it and takes them from nobody.
fn template(engine: &Engine, name: &str) -> Value {
    let mut template = engine.get(&format!("/_index_template/{name}"))["index_templates"][0]["index_template"].clone();
    let fields = template.as_object_mut().expect("a template is an object");
    fields.retain(|key, _| !key.starts_with("created_date") && !key.starts_with("modified_date"));
    template
}

pub(super) fn a_template_that_a_person_changed_is_left_as_it_is(engine: &Engine) {
    engine.open("edited", &json!({})).unwrap();
    let mut edited = template(engine, "edited-metricast");
    edited["template"]["settings"]["index"]["refresh_interval"] = json!("17s");
    engine.put("/_index_template/edited-metricast", &edited);
    let mut publisher = engine.open("edited", &json!({})).unwrap();
    assert_eq!(publisher.publish(&batch(&[Metrics::Event(event())])).unwrap().accepted, 1);
    assert_eq!(
        template(engine, "edited-metricast")["template"]["settings"]["index"]["refresh_interval"],
        "17s",
        "the change is still there"
    );
}

pub(super) fn a_template_that_a_person_should_have_put_is_missed(engine: &Engine) {
    let refused = match engine.open("missing", &json!({ "manage_template": false })) {
        Err(told) => told,
        // The distribution of Elasticsearch for tests makes a stream with its first document.
        Ok(mut publisher) => publisher.publish(&batch(&[Metrics::Event(event())])).unwrap_err(),
    };
    match (&refused, engine.is_opensearch()) {
        (PublishError::Misconfigured(told), _) => assert!(told.contains("template"), "{told}"),
        (PublishError::Unavailable { reason, .. }, false) => assert!(reason.contains("data stream"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let found = engine.get("/_resolve/index/missing-*");
    assert_eq!(found["indices"], json!([]), "no plain index was made: {found}");
}
