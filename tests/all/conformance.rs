//! The conformance kit: plugins that are known to be good pass it, and each rule is broken by a plugin that is good but
//! for that.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use support::prometheus::Prometheus;
use support::search::Node;
use support::stub::{Answer, Stub};
use support::{Server, metricast};

const ADVISER: &str = env!("ADVISER");
const RULEBREAKER: &str = env!("RULEBREAKER");
const WEBHOOK: &str = env!("WEBHOOK");

/// How many rules there are.
const RULES: usize = 26;

/// Rules that are broken in more than one way.
const OTHER_WAYS: [&str; 5] = [
    "description (split)",
    "unknown-key (unnamed)",
    "not-a-config (open)",
    "single-record (place)",
    "repeat (overlapping)",
];

/// What stands in the component where the rule's name goes.
const PLACE: &[u8] = b"THE RULE THAT THIS PLUGIN BREAKS";

fn judge(plugin: &str, more: &[&str]) -> Output {
    metricast::output(["conformance", plugin].into_iter().chain(more.iter().copied()))
}

/// The rules with this verdict.
fn rules(output: &Output, verdict: &str) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = text.lines().filter_map(|line| line.split_once("  "));
    let told = rows.filter(|(_, rest)| rest.trim_start().starts_with(verdict));
    told.map(|(rule, _)| rule.trim().to_owned()).collect()
}

fn all_rules() -> Vec<String> {
    let list = metricast::output(["conformance", "--list"]);
    let text = String::from_utf8_lossy(&list.stdout);
    let rules: Vec<_> =
        text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert_eq!(rules.len(), RULES, "{text}");
    rules
}

fn assert_passes(output: &Output) {
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(&format!("{RULES} rules kept or not its own, 0 broken, 0 not judged")), "{told}");
}

/// The rulebreaker's file, with this in the place of the rule's name.
pub(crate) fn rulebreaker(folder: &Path, rule: &str) -> String {
    let mut bytes = fs::read(RULEBREAKER).unwrap();
    let places: Vec<usize> =
        (0..bytes.len() - PLACE.len()).filter(|start| bytes[*start..].starts_with(PLACE)).collect();
    assert_eq!(places.len(), 1, "the name has one place");
    let name = format!("{rule:<width$}", width = PLACE.len());
    bytes[places[0]..][..PLACE.len()].copy_from_slice(name.as_bytes());
    let file = folder.join(format!("{rule}.wasm"));
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn prometheus_passes() {
    assert_passes(&judge("prometheus", &[]));
}

#[test]
fn elasticsearch_passes_in_front_of_a_real_opensearch() {
    let Some(node) = Node::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("search.json");
    let settings = format!(r#"{{"hosts": ["{}"], "index_prefix": "conformance"}}"#, node.url());
    fs::write(&config, settings).unwrap();
    assert_passes(&judge("elasticsearch", &["--config", config.to_str().unwrap()]));
}

#[test]
fn grafana_cloud_passes_in_front_of_a_real_prometheus() {
    let Some(prometheus) = Prometheus::receiving(Server::Prometheus3) else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("cloud.json");
    let settings = format!(r#"{{"endpoint": "{}/api/v1/write", "instance": "conformance"}}"#, prometheus.url());
    fs::write(&config, settings).unwrap();
    assert_passes(&judge("grafana-cloud", &["--config", config.to_str().unwrap()]));
}

#[test]
fn the_plugin_of_the_readme_passes_by_the_settings_of_a_config() {
    let stub = Stub::start(|_| Answer::empty(204));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("metricast.toml");
    let text = format!("[[publishers]]\nplugin = {WEBHOOK:?}\n[publishers.config]\nurl = \"{}\"\n", stub.url());
    fs::write(&config, text).unwrap();
    assert_passes(&judge(WEBHOOK, &["--config", config.to_str().unwrap()]));
    let posted: usize = stub.requests().iter().map(|request| request.text().lines().count()).sum();
    assert!(posted > 10_000, "{posted} records came to the backend");
}

#[test]
fn a_plugin_that_breaks_one_rule_fails_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    assert_passes(&judge(&rulebreaker(folder.path(), "none"), &[]));
    let rules_of_components = ["component", "imports"];
    let rules_by_name = all_rules().into_iter().filter(|rule| !rules_of_components.contains(&rule.as_str()));
    for way in rules_by_name.chain(OTHER_WAYS.map(str::to_owned)) {
        let rule = way.split(' ').next().unwrap();
        let output = judge(&rulebreaker(folder.path(), &way), &[]);
        let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(rules(&output, "broken"), BTreeSet::from([rule.to_owned()]), "{way}: {told}");
        assert_eq!(output.status.code(), Some(1), "{told}");
    }
}

#[test]
fn what_is_no_plugin_breaks_the_first_rules() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, text) in [
        ("component", "(module)"),
        ("component", "(component)"),
        ("imports", r#"(component (import "wasi:keyvalue/store@0.2.0" (instance)))"#),
    ] {
        let file = folder.path().join("bad.wasm");
        fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        let output = judge(file.to_str().unwrap(), &[]);
        assert_eq!(rules(&output, "broken"), BTreeSet::from([rule.to_owned()]), "{text}");
        assert_eq!(output.status.code(), Some(1), "{text}");
    }
}

#[test]
fn a_backend_that_is_away_breaks_no_rule_and_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hook.json");
    fs::write(&config, r#"{"url": "http://127.0.0.1:9"}"#).unwrap();
    let output = judge(WEBHOOK, &["--config", config.to_str().unwrap()]);
    assert_eq!(rules(&output, "broken"), BTreeSet::new());
    assert!(rules(&output, "not judged").contains("large-batch"));
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn settings_that_cannot_be_read_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let two = format!("[[publishers]]\nname = \"a\"\nplugin = {ADVISER:?}\n").repeat(2).replacen("\"a\"", "\"b\"", 1);
    for (file, expected) in [
        (file("list.json", "[]"), "are no JSON object, such as {\"url\": \"…\"}"),
        (file("broken.json", "{"), "cannot read the settings in "),
        (file("two.toml", &two), "has 2 publishers: leave the one whose settings these are"),
        ("missing.json".to_owned(), "cannot read the settings in missing.json: "),
    ] {
        let output = judge(ADVISER, &["--config", &file]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(expected), "{told}");
        assert_eq!(output.status.code(), Some(2), "{told}");
    }
}

#[test]
fn each_signal_is_judged_and_settings_may_be_a_table_of_toml() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("cloud.toml");
    let away = "http://127.0.0.1:1";
    let settings = format!(
        "signals = [\"metrics\", \"logs\"]\nendpoint = \"{away}/api/v1/write\"\n\
         logs.endpoint = \"{away}/loki/api/v1/push\"\n"
    );
    fs::write(&config, settings).unwrap();
    let output = judge("grafana-cloud", &["--config", config.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{told}");
    let (metrics, logs) = told.split_once("\ngrafana-cloud/logs\n").unwrap();
    assert!(metrics.starts_with("grafana-cloud/metrics\n") && metrics.contains("0 broken, 2 not judged"), "{told}");
    assert!(logs.contains("it keeps no state") && logs.contains("0 broken"), "{told}");
}

#[test]
fn a_typo_in_the_settings_is_no_fault_of_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("search.json");
    fs::write(&config, r#"{"hosts": ["http://127.0.0.1:9"], "index_perfix": "p"}"#).unwrap();
    let output = judge("elasticsearch", &["--config", config.to_str().unwrap()]);
    assert_eq!(rules(&output, "broken"), BTreeSet::new());
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("did you mean `index_prefix`?"));
    let other = folder.path().join("metricast.toml");
    fs::write(&other, "[[publishers]]\nplugin = \"prometheus\"\n").unwrap();
    let output = judge("elasticsearch", &["--config", other.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("has the settings of prometheus, and elasticsearch is to be judged"), "{told}");
}

#[test]
fn a_plugin_that_is_not_there_is_named() {
    let output = judge("nowhere/mine.wasm", &[]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.starts_with("error: publisher nowhere/mine.wasm: plugin: cannot read it: No such file"), "{told}");
}
