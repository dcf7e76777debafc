//! What is asked of a server before the first document.

use serde_json::{Value, json};

use super::*;
use crate::stub::{Answer, Asked, ELASTICSEARCH, OPENSEARCH, Stub, fault, ok, stands};

fn options(stub: &Stub, more: &Value) -> Options {
    let mut config = json!({ "hosts": [stub.url], "index_prefix": "shop" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Options::try_from(&serde_json::from_value(config).unwrap()).unwrap()
}

fn prepared(stub: &Stub, more: &Value) -> Result<Engine, PublishError> {
    let options = options(stub, more);
    prepare(&mut Client::new(&options), &options, Deadline::new())
}

fn server(root: &'static str, answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Stub {
    Stub::new(move |asked| answer(asked).unwrap_or_else(|| stands(root, asked)))
}

/// A server that has this template already.
fn with_template(body: &Value) -> Stub {
    let there = json!({ "index_templates": [{ "name": "shop-metricast", "index_template": body }] }).to_string();
    server(ELASTICSEARCH, move |it| (it.what == "GET /_index_template/shop-metricast").then(|| ok(there.clone())))
}

fn ours(more: &Value) -> Value {
    Template::new(&options(&Stub::new(|_| ok("")), more), Engine::Elasticsearch(8, 19)).body
}

const PUT: &str = "PUT /_index_template/shop-metricast";

#[test]
fn a_template_is_put_where_it_is_missing_or_of_another_config_only() {
    let missing = server(ELASTICSEARCH, |_| None);
    prepared(&missing, &json!({})).unwrap();
    assert_eq!(missing.count(PUT), 1);
    let mut edited = ours(&json!({}));
    edited["template"]["settings"]["index"]["number_of_shards"] = json!("3");
    let mut foreign = edited.clone();
    foreign["_meta"] = json!({});
    for (there, puts) in [(ours(&json!({})), 0), (ours(&json!({ "retention": "7d" })), 1), (edited, 0), (foreign, 0)] {
        let stub = with_template(&there);
        prepared(&stub, &json!({})).unwrap();
        assert_eq!(stub.count(PUT), puts, "{there}");
    }
}

#[test]
fn a_template_that_a_person_puts_is_looked_at_and_never_put() {
    let by_hand = json!({ "manage_template": false, "retention": "7d" });
    for there in [
        with_template(&json!({})),
        server(ELASTICSEARCH, |it| it.what.contains("template").then(|| fault(403, "security_exception", "no"))),
    ] {
        prepared(&there, &by_hand).unwrap();
        assert_eq!((there.count(PUT), there.count("PUT /_data_stream/shop-event/_lifecycle")), (0, 0));
    }
    let told = prepared(&server(ELASTICSEARCH, |_| None), &by_hand).unwrap_err().to_string();
    assert!(told.starts_with("manage_template: the index template shop-metricast is not there: put it"), "{told}");
}

#[test]
fn who_may_not_put_a_template_is_told_both_ways_out() {
    let stub =
        server(ELASTICSEARCH, |it| it.what.contains("_index_template").then(|| fault(403, "security_exception", "no")));
    let told = prepared(&stub, &json!({})).unwrap_err();
    let PublishError::Unauthorized(text) = &told else { panic!("{told:?}") };
    assert!(text.contains("check --print role") && text.contains("manage_template = false"), "{text}");
}

#[test]
fn retention_is_a_lifecycle_on_elasticsearch() {
    let stub = server(ELASTICSEARCH, |it| match it.what.as_str() {
        "GET /_data_stream/shop-event/_lifecycle" => {
            Some(ok(r#"{"data_streams":[{"name":"shop-event","lifecycle":{"enabled":true,"data_retention":"30d"}}]}"#))
        }
        "GET /_data_stream/shop-network/_lifecycle" => Some(ok(r#"{"data_streams":[{"name":"shop-network"}]}"#)),
        _ => None,
    });
    prepared(&stub, &json!({ "retention": "30d" })).unwrap();
    let asked = stub.asked();
    let body =
        |what: &str| asked.iter().find(|it| it.what == what).map(|it| serde_json::from_str::<Value>(&it.body).unwrap());
    assert_eq!(body(PUT).unwrap()["template"]["lifecycle"], json!({ "data_retention": "30d" }));
    assert_eq!(body("PUT /_data_stream/shop-network/_lifecycle"), Some(json!({ "data_retention": "30d" })));
    assert_eq!(body("PUT /_data_stream/shop-event/_lifecycle"), None, "it is so already");
}

/// The distributions for tests are without this plugin: these answers are as its documentation has them.
#[test]
fn retention_is_a_policy_of_index_state_management_on_opensearch() {
    const POLICY: &str = "/_plugins/_ism/policies/shop-metricast";
    let stub = server(OPENSEARCH, |it| {
        (it.what == format!("GET {POLICY}")).then(|| fault(404, "status_exception", "Policy not found"))
    });
    prepared(&stub, &json!({ "retention": "30d" })).unwrap();
    let put = stub.asked().into_iter().find(|it| it.what == format!("PUT {POLICY}")).unwrap();
    let policy: Value = serde_json::from_str(&put.body).unwrap();
    assert_eq!(policy["policy"]["ism_template"][0]["index_patterns"], json!(["shop-event", "shop-network"]));
    let after = &policy["policy"]["states"][0]["transitions"][0]["conditions"];
    assert_eq!(*after, json!({ "min_rollover_age": "30d" }));
    assert_eq!(stub.count("POST /_plugins/_ism/add/shop-event,shop-network"), 1);

    let other = server(OPENSEARCH, |it| {
        (it.what == format!("GET {POLICY}")).then(|| {
            ok(r#"{"_seq_no":7,"_primary_term":2,"policy":{"description":"metricast: documents are kept for 7d"}}"#)
        })
    });
    prepared(&other, &json!({ "retention": "30d" })).unwrap();
    assert_eq!(other.count(&format!("PUT {POLICY}?if_seq_no=7&if_primary_term=2")), 1);
    assert_eq!(other.count("POST /_plugins/_ism/change_policy/"), 1);
    prepared(&other, &json!({ "retention": "7d" })).unwrap();
    assert_eq!(other.count(&format!("PUT {POLICY}")), 1, "it is so already");
}

#[test]
fn retention_is_an_error_where_the_server_has_no_way_to_it() {
    let misconfigured = |stub: &Stub, more: Value| match prepared(stub, &more) {
        Err(PublishError::Misconfigured(text)) => text,
        other => panic!("{other:?}"),
    };
    let old = server(r#"{"version":{"number":"7.17.29"}}"#, |_| None);
    let told = misconfigured(&old, json!({ "retention": "30d", "indices": "daily" }));
    assert!(told.starts_with("retention: not available on Elasticsearch 7.17"), "{told}");
    let told = misconfigured(&server(ELASTICSEARCH, |_| None), json!({ "retention": "30d", "indices": "daily" }));
    assert!(told.starts_with("retention: not available for daily indices"), "{told}");
    let bare = server(OPENSEARCH, |it| {
        let told = r#"{"error":"no handler found for uri [/_plugins/_ism/policies/shop-metricast] and method [GET]"}"#;
        it.what.contains("/_plugins/").then(|| (400, "", told.to_owned()))
    });
    let told = misconfigured(&bare, json!({ "retention": "30d" }));
    assert!(told.starts_with("retention: not available here: OpenSearch deletes"), "{told}");
}
