//! The plugin of the README: built from `examples/webhook`, loaded from its file, and held to what it may reach.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use support::data;
use support::metricast;
use support::stub::{Answer, Stub};

use crate::truth::{FILE, RECORDS};

const WEBHOOK: &str = env!("WEBHOOK");

fn config(settings: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metricast.toml");
    let config = format!("[[publishers]]\nname = \"hook\"\nplugin = {WEBHOOK:?}\n{settings}\n");
    fs::write(&file, config).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn it_posts_every_record_once() {
    let stub = Stub::start(|_| Answer::empty(204));
    let (_folder, config) = config(&format!("[publishers.config]\nurl = \"{}/in\"", stub.url()));
    let output = metricast::output(["publish", "-c", &config, data(FILE).to_str().unwrap()]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("hook") && out.contains("6,965"), "{out}");
    let requests = stub.requests();
    let posted: Vec<Value> =
        requests.iter().flat_map(|it| it.text().lines().map(|line| serde_json::from_str(line).unwrap())).collect();
    assert_eq!(posted.len() as u64, RECORDS);
    assert!(requests.iter().all(|it| it.method == "POST" && it.path == "/in"));
    let tasks = |records: &[Value]| records.iter().map(|it| it["task_id"].to_string()).collect::<BTreeSet<_>>();
    let file: Vec<Value> =
        fs::read_to_string(data(FILE)).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(tasks(&posted), tasks(&file));
    assert!(stub.connections() <= 8, "{} connections for {} requests", stub.connections(), requests.len());
}

#[test]
fn a_wrong_key_is_pointed_at() {
    let (_folder, config) = config("[publishers.config]\nulr = \"http://127.0.0.1:1/\"");
    let output = metricast::output(["publish", "-c", &config, "-"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("metricast.toml:5:1") && err.contains("did you mean `url`?"), "{err}");
}

#[test]
fn check_says_what_it_may_reach() {
    let (_folder, config) = config("[publishers.config]\nurl = \"http://127.0.0.1:9/in\"");
    let output = metricast::output(["check", "-c", &config]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}");
    assert!(out.contains("http://127.0.0.1:9"), "{out}");
}
