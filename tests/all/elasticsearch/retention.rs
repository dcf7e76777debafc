//! How long documents are kept, where the server can be told.

use serde_json::json;

use super::engines::Engine;
use super::misconfigured;

pub(super) fn a_retention_stands_in_the_template(engine: &Engine) {
    engine.open("aging", &json!({ "retention": "30d" })).unwrap();
    let found = engine.get("/_index_template/aging-metricast");
    let lifecycle = &found["index_templates"][0]["index_template"]["template"]["lifecycle"];
    assert_eq!(lifecycle["data_retention"], "30d", "{found}");
}

pub(super) fn a_retention_that_the_server_does_not_know_is_an_error_of_the_config(engine: &Engine) {
    let told = misconfigured(engine.open("aged", &json!({ "retention": "30d" })));
    assert!(told.starts_with("retention: "), "{told}");
}
