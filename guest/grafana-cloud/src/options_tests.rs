use metricast_sdk::config;
use serde_json::{Value, json};

use super::*;
use crate::GrafanaCloudPublisher;

fn parsed(config: &Value) -> Result<Config, String> {
    config::parse::<GrafanaCloudPublisher>(&config.to_string()).map_err(|error| error.to_string())
}

fn least() -> Value {
    json!({ "api_key": "glc_x", "org_slug": "acme" })
}

fn with(changes: &Value) -> Value {
    let mut config = least();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(config.as_object_mut().unwrap().remove(key)),
            value => config[key] = value.clone(),
        }
    }
    config
}

/// What is wrong with a good config that has this besides or instead; null takes a key out.
fn fault(changes: &Value) -> String {
    let config = with(changes);
    match parsed(&config) {
        Err(error) => error,
        Ok(_) => panic!("{config} is taken"),
    }
}

#[test]
fn every_default_is_the_one_that_the_schema_states() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let mut stated = least();
    for (key, default) in properties.iter().filter_map(|(key, of)| Some((key, of.get("default")?))) {
        stated[key] = default.clone();
    }
    let lists = &properties["buckets"]["properties"];
    stated["buckets"] = json!({ "events": lists["events"]["default"], "network": lists["network"]["default"] });
    let mut config = parsed(&stated).unwrap();
    assert_eq!(config.api.take().as_deref(), Some(API));
    assert_eq!(Ok(config), parsed(&least()));
    assert!(properties.values().all(|key| key["description"].is_string()));
}

#[test]
fn addresses_and_names_are_marked_for_the_host() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for pointer in ["/properties/endpoint", "/properties/api", "/properties/logs/properties/endpoint"] {
        assert_eq!(schema.pointer(pointer).unwrap()["format"], "uri", "{pointer}");
    }
    for name in ["service", "namespace", "environment", "instance", "host"] {
        assert_eq!(schema["properties"][name]["type"], "string", "{name}");
    }
}

#[test]
fn the_shared_keys_are_those_of_the_prometheus_plugin() {
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let (own, other) = (read(SCHEMA), read(include_str!("../../prometheus/config.schema.json")));
    for key in
        ["histograms", "buckets", "series_limit", "extra_metrics", "expire_after", "max_age", "labels", "exemplars"]
    {
        let mut pair = [&own, &other].map(|schema| schema["properties"][key].clone());
        for side in &mut pair {
            side.as_object_mut().unwrap().remove("description");
        }
        assert_eq!(pair[0], pair[1], "{key}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_eq!(fault(&json!({ "org_slog": "a" })), "org_slog: unknown key; did you mean `org_slug`?");
    assert!(fault(&json!({ "logs": { "endpont": "a" } })).starts_with("logs.endpont: "));
}

#[test]
fn a_place_is_written_whole_or_found() {
    for (changes, expected) in [
        (json!({ "org_slug": null }), "org_slug: is missing: the organisation, as in https://grafana.com/orgs/SLUG"),
        (json!({ "api_key": null }), "api_key: is missing"),
        (json!({ "api_key": "two words" }), "api_key: is one word"),
        (json!({ "instance_id": 7 }), "instance_id: goes with endpoint, which is missing"),
        (json!({ "org_slug": "../admin" }), "org_slug: is a slug"),
        (json!({ "stack_slug": "a/b" }), "stack_slug: is a slug"),
        (json!({ "region": "eu?x" }), "region: is a slug"),
        (json!({ "endpoint": "prometheus:9090" }), "endpoint: needs a scheme"),
        (json!({ "endpoint": "https://a@b.grafana.net" }), "endpoint: has credentials in it"),
        (
            json!({ "endpoint": "http://a.grafana.net/api/prom/push", "instance_id": 1 }),
            "endpoint: a host of Grafana Labs is asked over https",
        ),
        (
            json!({ "endpoint": "https://a.grafana.net/api/prom/push" }),
            "instance_id: is missing: the user that goes with the endpoint, at grafana.com",
        ),
        (
            json!({ "endpoint": "https://a.grafana.net/api/prom/push", "instance_id": 7, "api_key": null }),
            "api_key: is missing",
        ),
        (
            json!({ "endpoint": "http://mimir:9009" }),
            "endpoint: needs the path of remote write too: http://mimir:9009/api/v1/push for Mimir",
        ),
        (json!({ "endpoint": "http://mimir:9009/push", "instance_id": "a:b" }), "instance_id: is a number, or a name"),
        (json!({ "signals": ["logs"], "logs": { "instance_id": 7 } }), "logs.instance_id: goes with logs.endpoint"),
        (json!({ "api": "grafana.com/api" }), "api: needs a scheme"),
    ] {
        let fault = fault(&changes);
        assert!(fault.starts_with(expected), "{changes}: {fault}");
    }
}

#[test]
fn a_push_goes_to_the_whole_address() {
    let place = |changes: &Value, signal| parsed(&with(changes)).unwrap().options(signal).unwrap().place;
    let url = |changes: &Value, signal| match place(changes, signal) {
        Place::Written(target) => target.url.to_string(),
        Place::ToFind(question) => panic!("{question:?}"),
    };
    let own = |endpoint: &str, protocol: &str| {
        url(&json!({ "endpoint": endpoint, "instance_id": 7, "protocol": protocol }), Signal::Metrics)
    };
    for (endpoint, protocol, expected) in [
        ("https://a.grafana.net", "remote-write", "https://a.grafana.net/api/prom/push"),
        ("https://a.grafana.net/api/prom/push", "remote-write", "https://a.grafana.net/api/prom/push"),
        ("http://prometheus:9090/api/v1/write", "remote-write", "http://prometheus:9090/api/v1/write"),
        ("https://otlp-gateway.grafana.net/otlp", "otlp", "https://otlp-gateway.grafana.net/otlp/v1/metrics"),
        ("https://otlp-gateway.grafana.net/", "otlp", "https://otlp-gateway.grafana.net/otlp/v1/metrics"),
        ("http://collector:4318", "otlp", "http://collector:4318/v1/metrics"),
        ("http://collector:4318/v1/metrics", "otlp", "http://collector:4318/v1/metrics"),
    ] {
        assert_eq!(own(endpoint, protocol), expected);
    }
    let logs = json!({ "signals": ["logs"], "logs": { "endpoint": "https://l.grafana.net", "instance_id": "8" } });
    assert_eq!(url(&logs, Signal::Logs), "https://l.grafana.net/loki/api/v1/push");
    assert!(matches!(place(&json!({}), Signal::Logs), Place::ToFind(_)));
    let open = json!({ "endpoint": "http://prometheus:9090/api/v1/write", "api_key": null, "org_slug": null });
    assert_eq!(url(&open, Signal::Metrics), "http://prometheus:9090/api/v1/write", "a receiver that asks for no token");
}

#[test]
fn one_opening_has_one_signal() {
    let error = fault(&json!({ "signals": ["logs", "metrics"] }));
    assert!(error.starts_with("signals: has more than one") && error.contains("write two publishers"), "{error}");
    assert_eq!(parsed(&least()).unwrap().signal(), Ok(Signal::Metrics));
    assert_eq!(fault(&json!({ "signals": [] })), "signals: is empty: write metrics, logs, or both");
    assert!(fault(&json!({ "signals": ["logs", "logs"] })).starts_with("signals: has one twice"));
    assert!(fault(&json!({ "signals": ["traces"] })).starts_with("signals[0]: "));
}

#[test]
fn pushes_are_often_enough_for_queries() {
    let interval =
        |text: &str| parsed(&with(&json!({ "push_interval": text }))).unwrap().options(Signal::Metrics).unwrap();
    assert_eq!(interval("90s").push_interval, Duration::from_secs(90));
    assert_eq!(fault(&json!({ "push_interval": 0.5 })), "push_interval: the least is 1s");
    assert!(fault(&json!({ "push_interval": "5m" })).starts_with("push_interval: the most is 4m"));
}

#[test]
fn labels_leave_job_and_instance_alone_and_have_the_environment() {
    assert_eq!(
        fault(&json!({ "labels": { "job": "a" } })),
        "labels.job: is made of service and namespace: write it there"
    );
    assert!(fault(&json!({ "labels": { "instance": { "attribute": "a" } } })).starts_with("labels.instance: "));
    assert!(fault(&json!({ "service": "" })).starts_with("service: is empty"));
    let labels = |changes: &Value| parsed(&with(changes)).unwrap().options(Signal::Metrics).unwrap().settings.labels;
    let text = |text: &str| Label::Constant(text.to_owned());
    assert_eq!(labels(&json!({ "environment": "test" }))["environment"], text("test"));
    let own = json!({ "environment": "test", "labels": { "environment": "own" } });
    assert_eq!(labels(&own)["environment"], text("own"));
}

#[test]
fn the_token_is_in_no_text() {
    let config = parsed(&with(&json!({ "api_key": "glc_hunter2" }))).unwrap();
    let texts = [format!("{config:?}"), format!("{:?}", config.options(Signal::Metrics).unwrap())];
    assert!(texts.iter().all(|text| !text.contains("hunter2")), "{texts:?}");
}

#[test]
fn the_page_tells_every_key() {
    let page = include_str!("../../../docs/grafana-cloud.md");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for key in schema["properties"].as_object().unwrap().keys() {
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let told = rows.filter_map(|row| row.split('|').nth(1)).any(|cell| cell.contains(&format!("`{key}`")));
        assert!(told, "{key}");
    }
}

#[test]
fn late_lines_are_dropped_unless_the_config_says_otherwise() {
    let late = |logs: &Value| parsed(&with(&json!({ "logs": logs }))).unwrap().options(Signal::Logs).unwrap().late;
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(late(&json!({})), Late::Drop);
    assert_eq!(late(&json!({ "late": schema["properties"]["logs"]["properties"]["late"]["default"] })), Late::Drop);
    assert_eq!(late(&json!({ "late": "arrival_time" })), Late::ArrivalTime);
    let told = fault(&json!({ "logs": { "late": "never" } }));
    assert!(told.starts_with("logs.late: ") && told.contains("arrival_time"), "{told}");
}
