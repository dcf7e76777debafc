//! The entry, read by a YAML parser.

use saphyr::{LoadableYamlNode as _, Yaml};

use super::*;

fn read(config: &Config) -> (Yaml<'static>, String) {
    let text = scrape_config(config).text;
    let mut documents = Yaml::load_from_str(&text).expect("the snippet is YAML");
    assert_eq!(documents.len(), 1, "{text}");
    (documents.remove(0), text)
}

fn keys(entry: &Yaml<'_>) -> Vec<String> {
    entry.as_mapping().expect("a table").keys().map(|key| key.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn without_a_config_it_scrapes_the_loopback_address() {
    let (document, text) = read(&Config::default());
    let entry = &document["scrape_configs"][0];
    assert_eq!(keys(&document), ["scrape_configs"]);
    assert_eq!(keys(entry), ["job_name", "scrape_interval", "static_configs"]);
    assert_eq!(entry["job_name"].as_str(), Some("metricast"));
    assert_eq!(entry["scrape_interval"].as_str(), Some("15s"));
    let targets = &entry["static_configs"][0];
    assert_eq!(keys(targets), ["targets"]);
    assert_eq!(targets["targets"][0].as_str(), Some("127.0.0.1:9464"));
    assert!(text.contains("--enable-feature=created-timestamp-zero-ingestion"), "{text}");
}

#[test]
fn names_become_job_and_labels_whatever_stands_in_them() {
    let config = Config {
        port: 9999,
        service: Some("check: \"out\" # 1".to_owned()),
        namespace: Some("shop".to_owned()),
        environment: Some("prüfung\\$HOME".to_owned()),
        instance: Some("yes".to_owned()),
        host: Some("fe80::1".to_owned()),
        ..Config::default()
    };
    let (document, text) = read(&config);
    let entry = &document["scrape_configs"][0];
    assert_eq!(entry["job_name"].as_str(), Some("shop/check: \"out\" # 1"));
    let labels = &entry["static_configs"][0]["labels"];
    assert_eq!(keys(labels), ["instance", "environment"]);
    assert_eq!(labels["instance"].as_str(), Some("yes"));
    assert_eq!(labels["environment"].as_str(), Some("prüfung\\$HOME"));
    assert!(text.contains("\"[fe80::1]:9999\""), "{text}");
}

#[test]
fn a_label_that_the_series_have_is_not_put_in_by_the_scraper() {
    let labels = [("environment".to_owned(), crate::Label::Constant("test".to_owned()))].into_iter().collect();
    let environment = Some("production".to_owned());
    let (document, _) = read(&Config { environment, labels, instance: Some("a".to_owned()), ..Config::default() });
    assert_eq!(keys(&document["scrape_configs"][0]["static_configs"][0]["labels"]), ["instance"]);
}

#[test]
fn native_histograms_need_their_keys_and_protobuf_first() {
    let entry = |histograms| read(&Config { histograms, ..Config::default() }).0["scrape_configs"][0].clone();
    let [classic, native, both] = [Histograms::Classic, Histograms::Native, Histograms::Both].map(entry);
    let set = |entry: &Yaml<'_>, key: &str| entry.as_mapping_get(key).and_then(Yaml::as_bool);
    let keys = ["scrape_native_histograms", "always_scrape_classic_histograms"];
    assert_eq!(keys.map(|key| set(&classic, key)), [None, None]);
    assert_eq!(keys.map(|key| set(&native, key)), [Some(true), None]);
    assert_eq!(keys.map(|key| set(&both, key)), [Some(true), Some(true)]);
    for entry in [native, both] {
        assert_eq!(entry["scrape_protocols"][0].as_str(), Some("PrometheusProto"));
        assert_eq!(entry["scrape_protocols"].as_vec().map(Vec::len), Some(5));
    }
}

#[test]
fn a_port_that_changes_is_told() {
    let (_, text) = read(&Config { port: 0, ..Config::default() });
    assert!(text.contains("another at each start"), "{text}");
}
