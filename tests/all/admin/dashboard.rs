//! The dashboard: each of its queries gives data of a real Prometheus that scraped metricast and its publisher, and what
//! is asked for anywhere is there.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use support::prometheus::{Prometheus, Scraping};
use support::{Server, http, ports, wait};

use super::{Running, operations, search};

const PATIENCE: Duration = Duration::from_mins(1);

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(operations("dashboard.json")).unwrap()).unwrap()
}

/// Titles and queries.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let of = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.iter().map(|target| (title.clone(), target["expr"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    panels.iter().flat_map(of).collect()
}

/// As Grafana sends it.
fn filled_in(query: &str) -> String {
    let filled = query.replace("$__rate_interval", "20s").replace("$quantile", "0.95");
    let filled = filled.replace("$job", ".*").replace("$records_job", ".*");
    assert!(!filled.contains('$'), "{query}");
    filled
}

/// Names of metrics in an expression.
fn names(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let known = |word: &&str| ["metricast_", "event_", "network_"].iter().any(|start| word.starts_with(start));
    words.filter(known).filter(|word| !word.contains(':') && *word != "event_name").collect()
}

struct Shop {
    running: Running,
    scrape: String,
    _folder: tempfile::TempDir,
}

/// A metricast that keeps its queue in a folder, with one publisher that is scraped and one whose backend is away.
fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let (scrape, path) = (ports::free(), folder.path().join("queue"));
    let publisher =
        format!("[[publishers]]\nplugin = \"prometheus\"\nconfig = {{ port = {scrape}, histograms = \"both\" }}\n");
    let top = format!("drain_timeout = \"1s\"\n[queue]\npath = \"{}\"\n", path.display());
    let running = Running::with(&top, &format!("{publisher}{}", search()));
    Shop { running, scrape: format!("127.0.0.1:{scrape}"), _folder: folder }
}

impl Shop {
    /// Some of everything.
    fn sell(&self) {
        let event = |status: &str, attempt: u32| {
            format!(
                r#"{{"event_name": "Pack", "start_time": 1, "end_time": 2.5, "status": "{status}", "attempt": {attempt}}}"#
            )
        };
        let fetch = r#"{"operation": "fetch", "host": "h", "port": 1, "start_time": 1, "end_time": 1.5, "bytes_sent": 10, "bytes_received": 20}"#;
        let body = [event("completed", 1), event("failed", 3), fetch.to_owned(), "nonsense".to_owned()].join("\n");
        assert_eq!(self.running.post(&body).status, 200);
    }
}

fn every_query_gives_data(server: Server, scraping: Scraping) {
    let shop = shop();
    let targets = [shop.running.admin.as_str(), shop.scrape.as_str()];
    let Some(prometheus) = Prometheus::scraping_as(server, &targets, scraping) else { return };
    shop.sell();
    prometheus.wait_for_scrapes();
    for (title, query) in queries() {
        let filled = filled_in(&query);
        wait::until(&format!("{title}: {filled}"), PATIENCE, || {
            shop.sell();
            prometheus.query(&filled).iter().any(|sample| sample.value.is_finite()).then_some(())
        });
    }
    let scrapes = prometheus.scrape_errors();
    assert_eq!(scrapes, [""; 0]);
}

#[test]
fn queries_give_data_of_classic_histograms() {
    every_query_gives_data(Server::Prometheus3, Scraping::default());
}

#[test]
fn queries_give_data_of_classic_histograms_in_prometheus_2() {
    every_query_gives_data(Server::Prometheus2, Scraping::default());
}

#[test]
fn queries_give_data_of_native_histograms() {
    every_query_gives_data(Server::Prometheus3, Scraping { native: true, ..Scraping::default() });
}

#[test]
fn the_states_panel_tells_each_state() {
    let shop = shop();
    let Some(prometheus) = Prometheus::scraping(Server::Prometheus3, &[&shop.running.admin]) else { return };
    shop.sell();
    let (_, query) = queries().into_iter().find(|(title, _)| title == "Publishers").unwrap();
    let state = |publisher: &str| {
        let found = prometheus.query(&filled_in(&query));
        found.iter().find(|sample| sample.label("publisher") == publisher).map(|sample| sample.value)
    };
    wait::until("a running and a waiting publisher", PATIENCE, || {
        (state("prometheus") == Some(1.0) && state("search") == Some(2.0)).then_some(())
    });
}

#[test]
fn every_name_that_is_asked_for_is_in_a_real_scrape_and_explained() {
    let shop = shop();
    shop.sell();
    let page = |authority: &str| http::get(&format!("http://{authority}/metrics")).unwrap().text().to_owned();
    let own = page(&shop.running.admin);
    let records = wait::until("records in a scrape", PATIENCE, || {
        let page = page(&shop.scrape);
        page.contains("network_latency_seconds_bucket{").then_some(page)
    });
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    let lines = || own.lines().chain(records.lines());
    // A native histogram goes by its family's name.
    let families = lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(name);
    let there: BTreeSet<String> = families.chain(lines().filter(|line| !line.starts_with('#')).map(name)).collect();
    let rules = fs::read_to_string(operations("metricast-rules.yml")).unwrap();
    let rules: String = rules
        .lines()
        .filter(|line| !line.trim().starts_with('#') && !line.contains("name: "))
        .collect::<Vec<_>>()
        .join("\n");
    let mut asked: Vec<String> = queries().into_iter().map(|(_, query)| query).collect();
    asked.push(rules);
    let variables = dashboard()["templating"]["list"].to_string();
    asked.push(variables);
    let asked: BTreeSet<&str> = asked.iter().flat_map(|text| names(text)).collect();
    assert!(asked.len() > 25, "{asked:?}");
    for name in &asked {
        assert!(there.contains(*name), "{name} is in no scrape: {there:?}");
    }
    let told = fs::read_to_string(operations("../monitoring.md")).unwrap();
    let own_names = own.lines().filter(|line| !line.starts_with('#')).map(name);
    for name in own_names {
        let family = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
        assert!(
            told.contains(&format!("`{name}`")) || told.contains(&format!("`{family}`")),
            "docs/monitoring.md does not tell {name}"
        );
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "no two panels have one id");
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        assert!(panel["type"] == "row" || panel["datasource"]["uid"] == "${datasource}", "{panel}");
    }
    let four = ["event_duration_seconds", "event_retries_total", "network_bytes_total", "network_latency_seconds"];
    let queries: String = queries().into_iter().map(|(_, query)| query).collect();
    assert!(four.iter().all(|name| queries.contains(name)));
}
