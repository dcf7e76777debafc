//! The page about this plugin beside its schema.

use metricast_prometheus::PrometheusPublisher;
use metricast_sdk::Publisher;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/prometheus.md");

/// The cell after the key in the table of settings.
fn stated(key: &str) -> Option<&'static str> {
    let row = PAGE.lines().find_map(|line| line.strip_prefix(&format!("| `{key}` | ")))?;
    row.split(" | ").next()
}

#[test]
fn the_page_has_every_setting_with_its_default() {
    let schema: Value = serde_json::from_str(PrometheusPublisher::description().config_schema).expect("JSON");
    let properties = schema["properties"].as_object().expect("a table");
    for (key, of) in properties.iter().filter(|(key, _)| *key != "buckets") {
        let stated = stated(key).unwrap_or_else(|| panic!("{key} is not on the page"));
        match of.get("default") {
            Some(default) => assert_eq!(stated, format!("`{default}`"), "{key}"),
            None => assert!(["off", "none"].contains(&stated), "{key} has no default, and the page says {stated}"),
        }
    }
    for list in ["events", "network"] {
        let bounds = properties["buckets"]["properties"][list]["default"].as_array().expect("a list");
        let [least, most] = [&bounds[0], &bounds[bounds.len() - 1]].map(|bound| bound.as_f64().expect("a number"));
        let expected = format!("{} bounds, {least} to {most}", bounds.len());
        assert_eq!(stated(&format!("buckets.{list}")), Some(expected.as_str()));
    }
}

#[test]
fn the_page_has_every_metric() {
    let mut publisher = PrometheusPublisher::open(metricast_prometheus::Config::default(), None).expect("opened");
    let batch = metricast_records::BatchBuilder::new().finish();
    publisher.publish(&batch).expect("taken");
    let page = String::from_utf8(publisher.scrape("text/plain").expect("a page").body).expect("UTF-8");
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let mut found = 0;
    for (name, kind) in types {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{name}` | {kind}")));
        assert!(row.is_some(), "{name} {kind}");
        found += 1;
    }
    assert_eq!(found, 9);
}
