//! What the bundled plugins tell before a record is sent, asked of real backends.

use support::metricast::Metricast;
use support::prometheus::Prometheus;
use support::search::Node;
use support::{Server, ports, wait};

use super::Folder;

#[test]
fn a_prometheus_that_is_set_up_as_printed_is_found_good() {
    let (ingest, port) = (ports::free(), ports::free());
    let config = |more: &str| {
        format!(
            "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[[publishers]]\nplugin = \"prometheus\"\n[publishers.config]\n\
             port = {port}\nhistograms = \"both\"\ninstance = \"one\"\n{more}"
        )
    };
    let printed = Folder::with(&config("")).run("check", &["--print-scrape-config"]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    let job = printed.stdout.replace("scrape_interval: 15s", "scrape_interval: 1s");
    let flags = ["--enable-feature=created-timestamp-zero-ingestion"];
    let _metricast = Metricast::run(&config(""));
    let Some(prometheus) = Prometheus::start_with(Server::Prometheus3, &job, &flags) else { return };
    prometheus.wait_for_scrapes();
    let folder = Folder::with(&config(&format!("server = \"{}\"\n", prometheus.url())));
    let told = wait::until("a good table", std::time::Duration::from_secs(20), || {
        let done = folder.run("check", &["--online"]);
        (done.code == 0).then_some(done.stdout)
    });
    let (_, table) = told.split_once("asked now").unwrap();
    for question in ["reachable", "target", "native histograms", "first values"] {
        let row = table.lines().find(|line| line.trim_start().starts_with(question));
        assert!(row.is_some_and(|row| row.contains("good")), "{question}: {table}");
    }
}

#[test]
fn an_open_search_is_asked_before_and_after_the_first_record() {
    let Some(node) = Node::shared() else { return };
    let folder = Folder::with(&format!(
        "[[publishers]]\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"{}\"]\nindex_prefix = \"asked\"\n",
        node.url()
    ));
    let config = std::fs::read_to_string(folder.path("metricast.toml")).unwrap();
    // The distribution for tests has no index state management.
    let kept = Folder::with(&(config + "retention = \"30d\"\n")).run("check", &["--online"]);
    assert_eq!(kept.code, 3, "{}", kept.stdout);
    assert!(kept.stdout.contains("this server has no such plugin"), "{}", kept.stdout);
    let before = folder.run("check", &["--online"]);
    assert_eq!(before.code, 0, "{}{}", before.stdout, before.stderr);
    assert!(before.stdout.contains("OpenSearch") && before.stdout.contains("is missing"), "{}", before.stdout);
    let sent = folder.run_with_input("publish", &[], r#"{"event_name": "Pack", "start_time": 1}"#);
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    let after = folder.run("check", &["--online"]);
    assert_eq!(after.code, 0, "{}{}", after.stdout, after.stderr);
    assert!(!after.stdout.contains("is missing"), "{}", after.stdout);
}
