//! A publisher whose plugin does one thing an opening, and is asked for two.

use std::collections::BTreeMap;
use std::fs;

use support::stub::{Answer, Stub};
use support::{data, metricast};

use crate::truth::{FILE, RECORDS};

const ADVISER: &str = env!("ADVISER");

fn config(url: &str, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metricast.toml");
    let text = format!(
        "drain_timeout = \"2s\"\n[[publishers]]\nname = \"cloud\"\nplugin = {ADVISER:?}\n\
         [publishers.config]\nurl = \"{url}\"\nparts = [\"metrics\", \"logs\"]\n{more}"
    );
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

/// How many requests each path got that was answered well.
fn paths(stub: &Stub) -> BTreeMap<String, usize> {
    stub.requests().iter().fold(BTreeMap::new(), |mut paths, request| {
        *paths.entry(request.path.clone()).or_default() += 1;
        paths
    })
}

#[test]
fn each_part_gets_every_record_and_has_its_own_line() {
    let stub = Stub::start(|_| Answer::empty(204));
    let (_folder, config) = config(&stub.url(), "");
    let output = metricast::output(["publish", "-c", &config, data(FILE).to_str().unwrap()]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    for part in ["cloud/metrics", "cloud/logs"] {
        let line = told.lines().find(|line| line.trim_start().starts_with(part)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains("6,965"), "{RECORDS} records: {line}");
    }
    let paths = paths(&stub);
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/logs", "/metrics"]);
}

#[test]
fn a_part_that_fails_keeps_nothing_back_for_the_other() {
    let stub = Stub::start(|request| Answer::empty(if request.path == "/logs" { 503 } else { 204 }));
    let (_folder, config) = config(&stub.url(), "");
    let output = metricast::output(["publish", "-c", &config, data(FILE).to_str().unwrap()]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{told}");
    let line = |part: &str| told.lines().find(|line| line.trim_start().starts_with(part)).unwrap_or_default();
    assert!(line("cloud/metrics").contains("6,965"), "{told}");
    assert!(!line("cloud/logs").is_empty(), "{told}");
    assert!(told.contains("answered 503"), "{told}");
}

#[test]
fn check_shows_and_asks_each_part() {
    let stub = Stub::start(|_| Answer::empty(200));
    let (_folder, config) = config(&stub.url(), "");
    let output = metricast::output(["check", "-c", &config, "--online"]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("cloud/metrics") && told.contains("cloud/logs"), "{told}");
    assert_eq!(told.matches("answers 200").count(), 2, "{told}");
}

#[test]
fn what_is_wrong_with_a_part_points_at_the_publisher_in_the_file() {
    let (_folder, config) = config("http://127.0.0.1:9", "service = \"a b\"");
    let output = metricast::output(["check", "-c", &config]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("metricast.toml:8:1") && told.contains("service"), "{told}");
}
