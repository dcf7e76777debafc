//! `metricast publish --textfile`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use support::prometheus::complaints;
use support::{Server, data};

use super::{Done, Folder};
use crate::truth::{FILE, RECORDS};

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1}"#;

fn scraped(name: &str) -> String {
    format!("[[publishers]]\nname = \"{name}\"\nplugin = \"prometheus\"\n")
}

fn failed(done: &Done, code: i32, told: &str) {
    assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{}", done.stderr);
    assert!(done.stderr.contains(told), "{told} is missing in {}", done.stderr);
}

/// All names in a folder, in order.
fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path(".")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_metrics_of_all_real_records_are_in_the_file_and_promtool_has_nothing_to_say() {
    let folder = Folder::with(&scraped("scrape"));
    folder.write("app.prom", "old 1\n");
    let file = folder.path("app.prom");
    let done = folder.run("publish", &["--textfile", &file, data(FILE).to_str().unwrap()]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "nobody warns: {}", done.stdout);
    let text = fs::read_to_string(&file).unwrap();
    let counts = text
        .lines()
        .filter(|line| line.starts_with("event_records_total{") || line.starts_with("network_operations_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    assert!((counts.sum::<f64>() - RECORDS as f64).abs() < 0.5, "{text}");
    assert!(text.starts_with("# ") && text.ends_with('\n') && !text.contains("# EOF"), "text 0.0.4");
    assert_eq!(names(&folder), ["app.prom", "metricast.toml"], "no draft is left");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "node_exporter can read it: {mode:o}");
    for server in [Server::Prometheus2, Server::Prometheus3] {
        let Some(said) = complaints(server, &text) else { continue };
        assert_eq!(said, "");
    }
}

#[test]
fn several_need_names_and_those_that_are_left_out_are_warned_of() {
    let folder = Folder::with(&(scraped("a") + &scraped("b")));
    let [a, b] = ["a.prom", "b.prom"].map(|name| folder.path(name));
    let done = folder.run_with_input("publish", &["--textfile", &a], RECORD);
    failed(&done, 2, "error: --textfile: a, b can be scraped: write --textfile NAME=FILE for each\n");
    let of = |name: &str, file: &str| format!("{name}={file}");
    let done = folder.run_with_input("publish", &["--textfile", &of("b", &b)], RECORD);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("--textfile FILE keeps them") && done.stderr.contains("publisher=\"a\""),
        "{}",
        done.stderr
    );
    assert_eq!(names(&folder), ["b.prom", "metricast.toml"]);
    let both = ["--textfile", &of("a", &a), "--textfile", &of("b", &b)];
    let done = folder.run_with_input("publish", &both, RECORD);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&a).unwrap(), fs::read_to_string(&b).unwrap());
    let twice = ["--textfile", &of("a", &a), "--textfile", &of("a", &b)];
    failed(&folder.run_with_input("publish", &twice, RECORD), 2, "a has a file already");
}

#[test]
fn without_anything_to_scrape_it_is_a_usage_error_with_a_hint() {
    let search = "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
                  hosts = [\"http://127.0.0.1:1\"]\nindex_prefix = \"shop\"\n";
    let folder = Folder::with(search);
    let file = folder.path("app.prom");
    let done = folder.run_with_input("publish", &["--textfile", &file], RECORD);
    failed(&done, 2, "no publisher of the config has anything to scrape; one with plugin = \"prometheus\" has");
    let named = folder.run_with_input("publish", &["--textfile", &format!("search={file}")], RECORD);
    failed(&named, 2, "publisher search has nothing to scrape");
    assert_eq!(names(&folder), ["metricast.toml"]);
    failed(&super::run(["publish", "--to", "http://127.0.0.1:1", "--textfile", &file]), 2, "cannot be used with");
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_published() {
    let folder = Folder::with(&scraped("scrape"));
    for (file, told) in [
        (folder.path("no/such.prom"), "No such file or directory"),
        (folder.path("."), "it is a folder"),
        (folder.path(".."), "it has no name"),
    ] {
        let done = folder.run_with_input("publish", &["--textfile", &file], "");
        failed(&done, 2, &format!("error: cannot write --textfile {file}: "));
        assert!(done.stderr.contains(told), "{told} is missing in {}", done.stderr);
    }
    folder.write("app.prom", RECORD);
    let app = folder.path("app.prom");
    failed(&folder.run("publish", &["--textfile", &app, &app]), 2, "which is read: it would be lost");
    assert_eq!(fs::read_to_string(&app).unwrap(), RECORD);
    assert_eq!(names(&folder), ["app.prom", "metricast.toml"]);
}

#[test]
fn a_name_that_node_exporter_passes_over_is_warned_of() {
    let folder = Folder::with(&scraped("scrape"));
    let file = folder.path("app.txt");
    let done = folder.run_with_input("publish", &["--textfile", &file], RECORD);
    assert_eq!(done.code, 0);
    assert!(done.stderr.contains("reads only files that end in .prom"), "{}", done.stderr);
    assert!(fs::read_to_string(&file).unwrap().contains("event_records_total"));
}

#[test]
fn what_is_not_delivered_elsewhere_is_in_the_file_all_the_same() {
    let search = "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
                  hosts = [\"http://127.0.0.1:1\"]\nindex_prefix = \"shop\"\n";
    let folder = Folder::with(&format!("drain_timeout = \"1s\"\n{}{search}", scraped("scrape")));
    let done = folder.run_with_input("publish", &["--textfile", &folder.path("app.prom")], RECORD);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let text = fs::read_to_string(folder.path("app.prom")).unwrap();
    assert!(text.contains("event_records_total{event_name=\"Pack\","), "{text}");
}

#[test]
fn the_last_page_holds_nothing_back() {
    let folder = Folder::with(&(scraped("scrape") + "config.hold_new_series = \"1h\"\n"));
    let file = folder.path("app.prom");
    let done = folder.run_with_input("publish", &["--textfile", &file], RECORD);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("event_records_total{event_name=\"Pack\",status=\"pending\"} 1\n"), "{text}");
}

#[test]
fn what_is_no_regular_file_is_not_replaced_and_no_file_is_for_two() {
    let folder = Folder::with(&(scraped("a") + &scraped("b")));
    folder.write("real.prom", "");
    let link = folder.path("link.prom");
    std::os::unix::fs::symlink(folder.path("real.prom"), &link).unwrap();
    let done = folder.run_with_input("publish", &["--textfile", &format!("a={link}")], RECORD);
    failed(&done, 2, ": it is no regular file, and would be replaced by one\n");
    let done = folder.run_with_input("publish", &["--textfile", "c=one.prom"], RECORD);
    failed(&done, 2, "error: --textfile: no publisher is called c: there are a, b\n");
    let one = folder.path("one.prom");
    let (a, b) = (format!("a={one}"), format!("b={one}"));
    let done = folder.run_with_input("publish", &["--textfile", &a, "--textfile", &b], RECORD);
    failed(&done, 2, &format!("error: --textfile: {one} is for a already: name another file for b\n"));
}
