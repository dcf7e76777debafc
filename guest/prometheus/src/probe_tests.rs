use super::*;
use crate::options::{Histograms, Time};
use serde_json::json;

/// As Prometheus 3.16 writes it, shortened.
const YAML: &str = "global:
  scrape_interval: 1s
  scrape_native_histograms: false
scrape_configs:
- job_name: self
  scrape_protocols:
  - OpenMetricsText1.0.0
  scrape_native_histograms: false
  always_scrape_classic_histograms: true
- job_name: shop/checkout
  scrape_protocols:
  - PrometheusProto
  - OpenMetricsText1.0.0
  scrape_native_histograms: true
  always_scrape_classic_histograms: false
  static_configs:
  - targets:
    - 127.0.0.1:9464
rule_files:
- rules.yml
";

/// What the server answers.
#[derive(Clone)]
struct Server {
    health: &'static str,
    job: &'static str,
    port: u16,
    features: &'static str,
    yaml: String,
}

const GOOD: Server = Server { health: "up", job: "shop/checkout", port: 9464, features: "", yaml: String::new() };

impl Server {
    fn answer(&self, url: &str) -> Response {
        let path = url.strip_prefix("http://prometheus:9090/api/v1/").expect("the server's own API");
        let data = match path {
            "status/buildinfo" => json!({ "version": "3.16.0" }),
            "targets?state=active" => json!({ "activeTargets": [
                { "labels": { "job": "self" }, "scrapePool": "self", "scrapeUrl": "http://127.0.0.1:9090/metrics", "health": "up" },
                { "labels": { "job": self.job }, "scrapePool": self.job, "health": self.health,
                  "scrapeUrl": format!("http://127.0.0.1:{}/metrics", self.port), "lastError": "connection refused" },
            ] }),
            "status/config" => json!({ "yaml": self.yaml }),
            "status/flags" => json!({ "enable-feature": self.features }),
            _ => panic!("{path}"),
        };
        let body = json!({ "status": "success", "data": data }).to_string().into_bytes();
        let headers = vec![("date".to_owned(), "Sun, 22 Nov 2026 23:27:21 GMT".to_owned())];
        Response { status: 200, headers, body }
    }

    /// Question, verdict and answer of each finding.
    fn findings(&self, config: &Config) -> Vec<(String, Verdict, String)> {
        let answer = |url: &str| Ok(self.answer(url));
        probed(config, &answer)
    }
}

const NOW: f64 = 1_795_390_042.0;

fn probed(config: &Config, get: &dyn Fn(&str) -> Result<Response, String>) -> Vec<(String, Verdict, String)> {
    let findings = Probe { config, server: "http://prometheus:9090", now: NOW, get }.findings();
    for finding in &findings {
        assert_eq!(finding.fix.is_empty(), finding.verdict == Verdict::Good, "{finding:?}");
    }
    findings.into_iter().map(|finding| (finding.question, finding.verdict, finding.answer)).collect()
}

fn config() -> Config {
    let service = Some("checkout".to_owned());
    Config { service, namespace: Some("shop".to_owned()), ..Config::default() }
}

/// The verdict on a question.
fn verdict(findings: &[(String, Verdict, String)], question: &str) -> Option<Verdict> {
    findings.iter().find_map(|(asked, verdict, _)| (asked == question).then_some(*verdict))
}

#[test]
fn a_good_server_is_told_in_full() {
    let server = Server { features: "exemplar-storage,created-timestamp-zero-ingestion", ..GOOD };
    let expected = [
        ("reachable", "Prometheus 3.16.0"),
        ("clock", "the clocks agree"),
        ("scraped", "http://127.0.0.1:9464/metrics is up, in the job shop/checkout"),
        ("first values", "it takes start timestamps as zeros, if it scrapes protobuf"),
    ];
    let expected = expected.map(|(question, answer)| (question.to_owned(), Verdict::Good, answer.to_owned()));
    assert_eq!(server.findings(&config()), expected);
}

#[test]
fn without_a_server_the_way_to_ask_is_told() {
    let findings = findings(&Config::default());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].verdict, Verdict::Unknown);
    assert!(findings[0].fix.contains("`server`"), "{}", findings[0].fix);
}

#[test]
fn a_server_that_does_not_answer_is_asked_nothing_more() {
    let refused = |_: &str| Err("connect: refused".to_owned());
    assert_eq!(probed(&config(), &refused), [("reachable".to_owned(), Verdict::Bad, "connect: refused".to_owned())]);
    for status in [401, 404] {
        let answer = move |_: &str| Ok(Response { status, headers: Vec::new(), body: Vec::new() });
        let findings = probed(&config(), &answer);
        assert_eq!((findings.len(), findings[0].1), (1, Verdict::Unknown));
        assert!(findings[0].2.contains(&status.to_string()));
    }
    let odd = |_: &str| Ok(Response { status: 200, headers: Vec::new(), body: b"<html>".to_vec() });
    assert_eq!(verdict(&probed(&config(), &odd), "scraped"), Some(Verdict::Bad));
}

#[test]
fn targets_are_found_by_job_or_port() {
    let scraped = |server: &Server, config: &Config| verdict(&server.findings(config), "scraped");
    assert_eq!(scraped(&Server { port: 1, ..GOOD }, &config()), Some(Verdict::Good));
    assert_eq!(scraped(&Server { job: "other", ..GOOD }, &config()), Some(Verdict::Good));
    assert_eq!(scraped(&Server { job: "other", port: 1, ..GOOD }, &config()), Some(Verdict::Bad));
    assert_eq!(scraped(&Server { health: "down", ..GOOD }, &config()), Some(Verdict::Warning));
    assert_eq!(scraped(&Server { health: "unknown", ..GOOD }, &config()), Some(Verdict::Unknown));
}

#[test]
fn native_histograms_are_asked_after_where_the_config_has_them() {
    let native = |histograms, yaml: &str| {
        let server = Server { yaml: yaml.to_owned(), ..GOOD };
        verdict(&server.findings(&Config { histograms, ..config() }), "native histograms")
    };
    let (off, on) = ("scrape_native_histograms: true", "scrape_native_histograms: false");
    assert_eq!(native(Histograms::Classic, YAML), None);
    assert_eq!(native(Histograms::Native, YAML), Some(Verdict::Good));
    assert_eq!(native(Histograms::Native, &YAML.replace(off, on)), Some(Verdict::Warning));
    assert_eq!(
        native(Histograms::Native, &YAML.replace("PrometheusProto", "PrometheusText0.0.4")),
        Some(Verdict::Warning)
    );
    assert_eq!(native(Histograms::Both, YAML), Some(Verdict::Warning));
    let always = YAML.replace("classic_histograms: false", "classic_histograms: true");
    assert_eq!(native(Histograms::Both, &always), Some(Verdict::Good));
    assert_eq!(native(Histograms::Both, "global: {}"), Some(Verdict::Unknown));
}

#[test]
fn first_values_need_a_hold_or_a_feature() {
    let first = |features, hold_new_series| {
        let config = Config { hold_new_series, ..config() };
        verdict(&Server { features, ..GOOD }.findings(&config), "first values")
    };
    assert_eq!(first("", None), Some(Verdict::Warning));
    assert_eq!(first("exemplar-storage", None), Some(Verdict::Warning));
    assert_eq!(first("", Some(Time(Duration::from_mins(1)))), Some(Verdict::Good));
}

#[test]
fn a_clock_that_differs_is_told_with_its_way() {
    let get = |url: &str| Ok(GOOD.answer(url));
    let clock = |now| {
        let config = config();
        let probe = Probe { config: &config, server: "http://prometheus:9090", now, get: &get };
        probe.findings().into_iter().find(|finding| finding.question == "clock").expect("a clock").answer
    };
    assert_eq!(clock(NOW + 60.0), "its clock is 61 s behind this one");
    assert_eq!(clock(NOW - 60.0), "its clock is 59 s ahead of this one");
}
