//! Each real server starts, answers, and does the one thing that other tests rely on.

use serde_json::{Value, json};
use support::prometheus::{self, Prometheus};
use support::search::{Node, Options};
use support::stub::{Answer, Stub};
use support::{Server, http};

const EXPOSITION: &str = "# HELP sold_total Sold.\n# TYPE sold_total counter\nsold_total{kind=\"a\"} 7\n";

fn shop() -> Stub {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    Stub::start(move |_| Answer::text(200, EXPOSITION).with_header("content-type", text))
}

fn scrapes(server: Server) {
    let shop = shop();
    let Some(prometheus) = Prometheus::scraping(server, &[shop.authority()]) else { return };
    prometheus.wait_for("sum by (kind) (sold_total)", 7.0);
    assert_eq!(prometheus.query("sold_total")[0].label("kind"), "a");
    assert_eq!(prometheus.scrape_errors(), [""; 0]);
    assert_eq!(prometheus.value("never_seen"), None);
}

#[test]
fn prometheus_2_scrapes() {
    scrapes(Server::Prometheus2);
}

#[test]
fn prometheus_3_scrapes() {
    scrapes(Server::Prometheus3);
}

#[test]
fn promtool_judges_expositions() {
    for server in [Server::Prometheus2, Server::Prometheus3] {
        let Some(said) = prometheus::complaints(server, EXPOSITION) else { continue };
        assert_eq!(said, "");
        let said = prometheus::complaints(server, "# TYPE sold counter\nsold 1\n").unwrap();
        assert!(said.contains("sold"), "{said}");
    }
}

/// Indexes with a mapping, refuses what does not fit it, and takes the rest of the same request.
fn indexes(node: &Node, index: &str) {
    node.put(&format!("/{index}"), &json!({"mappings": {"properties": {"n": {"type": "long"}}}}));
    let lines = ["1", "\"many\"", "3"].map(|n| format!("{{\"create\":{{}}}}\n{{\"n\":{n}}}\n"));
    let answer = node.bulk(&format!("/{index}/_bulk"), &lines.concat());
    let statuses: Vec<_> = answer["items"].as_array().unwrap().iter().map(|item| &item["create"]["status"]).collect();
    assert_eq!(statuses, [201, 400, 201].map(Value::from).each_ref());
    assert_eq!(node.count(index), 2);
    assert_eq!(
        node.search(index, &json!({"query": {"range": {"n": {"gt": 1}}}}))["hits"]["hits"][0]["_source"]["n"],
        3
    );
}

fn starts_and_indexes(server: Server, version: &str) {
    let Some(node) = Node::start(server, &Options::default()) else { return };
    let front = node.get("/");
    let number = front["version"]["number"].as_str().unwrap();
    assert!(number.starts_with(version), "{number}");
    indexes(&node, "shop");
}

#[test]
fn opensearch_2_indexes() {
    let Some(node) = Node::shared() else { return };
    assert_eq!(node.get("/")["version"]["distribution"], "opensearch");
    indexes(&node, "smoke");
}

#[test]
fn opensearch_3_indexes() {
    starts_and_indexes(Server::OpenSearch3, "3.");
}

#[test]
fn elasticsearch_7_indexes() {
    starts_and_indexes(Server::Elasticsearch7, "7.17.");
}

#[test]
fn elasticsearch_9_indexes() {
    starts_and_indexes(Server::Elasticsearch9, "9.");
}

#[test]
fn elasticsearch_8_indexes_and_knows_who_asks() {
    let Some(node) = Node::start(Server::Elasticsearch8, &Options { security: true, ..Options::default() }) else {
        return;
    };
    indexes(&node, "shop");
    assert_eq!(http::get(&format!("{}/shop/_count", node.url())).unwrap().status, 401);
    let key = node.post("/_security/api_key", &json!({"name": "smoke"}));
    let header = format!("ApiKey {}", key["encoded"].as_str().unwrap());
    assert_eq!(http::get_with(&format!("{}/shop/_count", node.url()), "authorization", &header).unwrap().status, 200);
}
