//! What `check --online` hears from real servers.

use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_sdk::{Finding, Publisher as _, Verdict, config};
use serde_json::{Value, json};
use support::http::basic;

use super::engines::Engine;

fn probe(engine: &Engine, prefix: &str, user: Option<(&str, &str)>) -> Vec<Finding> {
    let mut whole = json!({ "hosts": [engine.url()], "index_prefix": prefix });
    if !engine.has_streams() {
        whole["indices"] = json!("daily");
    }
    if let Some((user, password)) = user {
        whole["basic"] = json!(basic(user, password).strip_prefix("Basic ").unwrap());
    }
    ElasticsearchPublisher::probe(&config::parse::<ElasticsearchPublisher>(&whole.to_string()).unwrap())
}

pub(super) fn a_server_where_all_stands_is_found_good(engine: &Engine) {
    engine.open("probed", &json!({})).unwrap();
    let found = probe(engine, "probed", engine.user());
    let questions: Vec<_> = found.iter().map(|finding| finding.question.as_str()).collect();
    for question in ["reachable", "credentials", "version", "template", "clock"] {
        assert!(questions.contains(&question), "{question} is not in {questions:?}");
    }
    for finding in &found {
        assert_ne!(finding.verdict, Verdict::Bad, "{finding:?}");
    }
    let version = found.iter().find(|finding| finding.question == "version").unwrap();
    let product = if engine.is_opensearch() { "OpenSearch" } else { "Elasticsearch" };
    assert!(version.answer.starts_with(product), "{version:?}");
}

pub(super) fn a_probe_changes_nothing(engine: &Engine) {
    probe(engine, "untouched", engine.user());
    let found = engine.get("/_resolve/index/untouched-*");
    let nothing = |kind: &str| found[kind].as_array().is_none_or(Vec::is_empty);
    assert!(nothing("indices") && nothing("data_streams"), "{found}");
    let templates: Value = engine.get("/_index_template");
    assert!(!templates.to_string().contains("untouched"), "{templates}");
}

pub(super) fn wrong_credentials_are_found_with_what_to_do(engine: &Engine) {
    let found = probe(engine, "probed", Some(("tester", "wrong")));
    let bad: Vec<_> = found.iter().filter(|finding| finding.verdict == Verdict::Bad).collect();
    assert!(!bad.is_empty() && bad.iter().all(|finding| !finding.fix.is_empty()), "{found:?}");
    assert!(bad.iter().any(|finding| finding.question == "credentials"), "{found:?}");
}
