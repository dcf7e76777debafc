//! Records through the program and the sandboxed plugin into real servers.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request as HttpRequest};
use serde_json::{Value, json};
use support::search::{Node, Options};
use support::stub::{Answer, Request, Stub};
use support::{Server, data, http as client, metricast};
use tempfile::TempDir;
use xtask::servers::TESTER;

use super::engines::Engine;
use crate::truth::{FILE, RECORDS, truth};

/// What the program did: its exit code, and all that it said.
struct Done {
    code: Option<i32>,
    said: String,
}

/// Runs `metricast publish` with a publisher of these settings; `env:SECRET` is `secret`.
fn publish(settings: &str, secret: &str, input: &Path) -> Done {
    publish_within("30s", settings, secret, input)
}

/// The same, given up when nothing moved for so long.
fn publish_within(patience: &str, settings: &str, secret: &str, input: &Path) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("metricast.toml");
    let text = format!(
        "drain_timeout = {patience:?}\n[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n\
         [publishers.config]\n{settings}"
    );
    fs::write(&config, text).unwrap();
    let mut command = metricast::command(["publish", "-c"].map(Path::new).into_iter().chain([config.as_path(), input]));
    let output = command.env("SECRET", secret).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Done { code: output.status.code(), said }
}

fn hosts(urls: &[&str], prefix: &str) -> String {
    format!("hosts = {urls:?}\nindex_prefix = {prefix:?}\n")
}

/// The settings for a server as it is, behind `url`.
fn settings(engine: &Engine, url: &str, prefix: &str) -> String {
    let mut settings = hosts(&[url], prefix);
    if !engine.has_streams() {
        settings += "indices = \"daily\"\n";
    }
    if let Some((user, _)) = engine.user() {
        let basic = format!("basic = {{ basic = {{ user = {user:?}, secret = \"env:SECRET\" }} }}\n");
        settings += &basic;
    }
    settings
}

fn publish_to(engine: &Engine, prefix: &str, input: &Path) -> Done {
    publish(&settings(engine, &engine.url(), prefix), TESTER.1, input)
}

/// A file with these lines.
fn lines(lines: &[Value]) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.ndjson");
    fs::write(&file, lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).unwrap();
    (folder, file)
}

fn an_event() -> Value {
    json!({ "event_name": "Pay", "start_time": 1_795_368_571.25, "end_time": 1_795_368_571.75, "status": "completed" })
}

pub(super) fn every_real_record_is_one_document(engine: &Engine) {
    let done = publish_to(engine, "whole", &data(FILE));
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains("6,965") && !done.said.contains(TESTER.1), "{}", done.said);
    let truth = truth();
    assert_eq!((engine.count("whole-event*"), engine.count("whole-network*")), (truth.events, truth.networks));
    let by_name = json!({ "size": 0, "aggs": { "names": { "terms": { "field": "event.action", "size": 100 } } } });
    let found = engine.search("whole-event*", &by_name);
    for bucket in found["aggregations"]["names"]["buckets"].as_array().unwrap() {
        let name = bucket["key"].as_str().unwrap();
        let expected: u64 = truth.statuses.iter().filter(|((known, _), _)| known == name).map(|(_, count)| count).sum();
        assert_eq!(bucket["doc_count"], expected, "{name}");
    }
    let received: u64 = truth.bytes.values().map(|(_, received)| received).sum();
    let sum = json!({ "size": 0, "aggs": { "received": { "sum": { "field": "destination.bytes" } } } });
    assert_eq!(engine.search("whole-network*", &sum)["aggregations"]["received"]["value"], json!(received as f64));
}

pub(super) fn awkward_lines_are_kept_as_they_are(engine: &Engine) {
    let long = "ä".repeat(40_000);
    let network = json!({
        "operation": "http_get", "host": "localhost", "port": 65_535, "bytes_sent": u64::MAX, "bytes_received": 1,
        "start_time": 1_795_368_571.25, "end_time": 1_795_368_571.75, "error": "",
        "attributes": { "long": long, "a.b": "1", "a": "2" },
    });
    let (_folder, file) = lines(std::slice::from_ref(&network));
    let done = publish_to(engine, "lines", &file);
    assert_eq!(done.code, Some(0), "{}", done.said);
    let document = &engine.only("lines-network*")["_source"];
    assert_eq!(document["source"]["bytes"], u64::MAX);
    assert_eq!(document["destination"], json!({ "address": "localhost", "port": 65_535, "bytes": 1 }));
    assert_eq!(document["metricast"]["attributes"], network["attributes"]);
    assert_eq!((&document["event"]["outcome"], &document["error"]["message"]), (&json!("failure"), &json!("")));
}

/// Stands in front of a node and hands everything on, but loses the answer to the first `_bulk` and has both streams
/// rolled over before anything else comes.
fn loses_an_answer(engine: &Engine, prefix: &str) -> (Stub, Arc<AtomicUsize>) {
    let (url, user) = (engine.url(), engine.user());
    let streams = [format!("{prefix}-event"), format!("{prefix}-network")];
    let bulks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&bulks);
    let stub = Stub::start(move |request| {
        let answer = forward(&url, request);
        if !request.path.contains("/_bulk") || counted.fetch_add(1, Ordering::SeqCst) > 0 {
            return answer;
        }
        for stream in &streams {
            let mut rollover = HttpRequest::post(format!("{url}/{stream}/_rollover"));
            if let Some((user, password)) = user {
                rollover = rollover.header("authorization", client::basic(user, password));
            }
            client::send(&rollover.body(Vec::new()).unwrap()).unwrap().expect_success("a rollover");
        }
        Answer::HangUp
    });
    (stub, bulks)
}

fn forward(url: &str, request: &Request) -> Answer {
    let mut forwarded = HttpRequest::builder().method(request.method.as_str()).uri(format!("{url}{}", request.path));
    for name in ["authorization", "content-type", "content-encoding"] {
        if !request.header(name).is_empty() {
            forwarded = forwarded.header(name, request.header(name));
        }
    }
    let answer = client::send(&forwarded.body(request.body.clone()).unwrap()).unwrap();
    let headers = ["content-type", "x-elastic-product"].map(|name| (name.to_owned(), answer.header(name).to_owned()));
    let headers = headers.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    Answer::Response { status: answer.status, headers, body: answer.body }
}

pub(super) fn an_answer_that_is_lost_before_a_rollover_makes_no_second_document(engine: &Engine) {
    let (stub, bulks) = loses_an_answer(engine, "lost");
    let network = json!({ "operation": "connect", "host": "localhost", "start_time": 1_795_368_571.25 });
    let (_folder, file) = lines(&[an_event(), network, an_event()]);
    let done = publish(&settings(engine, &stub.url(), "lost"), TESTER.1, &file);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(bulks.load(Ordering::SeqCst) > 0, "the stub was in between");
    assert_eq!((engine.count("lost-event"), engine.count("lost-network")), (2, 1), "{}", done.said);
}

pub(super) fn a_name_that_is_taken_ends_with_what_to_do(engine: &Engine) {
    engine.put("/taken-event", &json!({}));
    let (_folder, file) = lines(&[an_event()]);
    let done = publish_to(engine, "taken", &file);
    assert_eq!(done.code, Some(2), "{}", done.said);
    assert!(
        done.said.contains("taken-event is a plain index and must be a data stream: choose another name"),
        "{}",
        done.said
    );
    assert_eq!(engine.count("taken-event"), 0);
}

pub(super) fn an_api_key_from_a_secret_is_taken_and_never_shown(engine: &Engine) {
    let answer = engine.post("/_security/api_key", &json!({ "name": "program" }));
    let key = answer["encoded"].as_str().unwrap();
    let with_key = |prefix: &str| hosts(&[&engine.url()], prefix) + "api_key = { secret = \"env:SECRET\" }\n";
    let (_folder, file) = lines(&[an_event()]);
    let done = publish(&with_key("secret"), key, &file);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert_eq!(engine.count("secret-event"), 1);
    assert!(!done.said.contains(key), "{}", done.said);

    let body = json!({ "ids": [answer["id"]] }).to_string();
    engine.send(Method::DELETE, "/_security/api_key", "application/json", body).expect_success("invalidated");
    let done = publish_within("1s", &with_key("secret"), key, &file);
    assert_eq!(done.code, Some(3), "{}", done.said);
    assert!(done.said.contains("401 security_exception") && !done.said.contains(key), "{}", done.said);
    assert_eq!(engine.count("secret-event"), 1);
}

#[test]
fn a_node_that_puts_records_off_gets_all_of_them_in_the_end() {
    let options = Options {
        settings: &[("thread_pool.write.size", "1"), ("thread_pool.write.queue_size", "1")],
        ..Options::default()
    };
    let Some(node) = Node::start(Server::OpenSearch2, &options) else { return };
    // Streams of six shards from before: more work at once for a bulk than the node has room for.
    let shards = json!({
        "index_patterns": ["busy-*"], "priority": 1000, "data_stream": {},
        "template": { "settings": { "number_of_shards": 6, "number_of_replicas": 0 } }
    });
    node.put("/_index_template/busy-metricast", &shards);
    node.put("/_data_stream/busy-event", &json!({}));
    node.put("/_data_stream/busy-network", &json!({}));
    let done = publish(&hosts(&[&node.url()], "busy"), "", &data(FILE));
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains("puts records off"), "the node had room for all: {}", done.said);
    assert_eq!(node.count("busy-event") + node.count("busy-network"), RECORDS, "{}", done.said);
}

#[test]
fn a_dead_host_beside_a_live_one_delays_nothing_for_long() {
    let Some(node) = Node::shared() else { return };
    let dead = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let done = publish(&hosts(&[&dead, &node.url()], "beside"), "", &data(FILE));
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert_eq!(node.count("beside-*"), RECORDS);
}

#[test]
fn a_backend_that_is_away_is_told_and_nothing_is_called_delivered() {
    let port = support::ports::free();
    let done = publish_within("1s", &hosts(&[&format!("http://127.0.0.1:{port}")], "away"), "", &data(FILE));
    assert_eq!(done.code, Some(3), "{}", done.said);
    assert!(done.said.contains(&port.to_string()), "the log names where nobody answered: {}", done.said);
}
