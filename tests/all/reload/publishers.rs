//! Publishers that change: settings, credentials and backends of one that sends to OpenSearch, new ones, ones that were
//! of no use, and a stop in the middle.

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use support::fault_proxy::{Fault, FaultProxy};
use support::metricast::Metricast;
use support::search::{Lease, Node};
use support::{http as client, ports, wait};

use super::{PATIENCE, Setup, reload, replace};
use crate::conformance::rulebreaker;

const BODY: u64 = 10;

/// A publisher to a real node behind a proxy, and what was acknowledged so far.
struct Search {
    setup: Setup,
    node: Lease,
    proxy: FaultProxy,
    prefix: String,
    acknowledged: u64,
}

impl Search {
    fn new() -> Option<Self> {
        let node = Node::shared()?;
        let proxy = FaultProxy::start(&node.url(), |_| true);
        let prefix = format!("reload{}", fastrand::u32(..));
        Some(Self { setup: Setup::new(), node, proxy, prefix, acknowledged: 0 })
    }

    /// With more keys of the publisher, and of its own settings.
    fn config(&self, keys: &str, prefix: &str, settings: &str) -> String {
        let url = self.proxy.url();
        self.setup.config(
            "",
            &format!(
                "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\nretry = {{ max = \"300ms\" }}\n{keys}\n\
                 [publishers.config]\nhosts = [\"{url}\"]\nindex_prefix = \"{}-{prefix}\"\nindices = \"daily\"\n\
                 max_past = \"36500d\"\n{settings}",
                self.prefix
            ),
        )
    }

    fn send(&mut self) {
        let first = self.acknowledged;
        let line = |number| {
            json!({"event_name": "Pack", "task_id": format!("{number}"), "start_time": 1, "end_time": 2, "status": "completed"}).to_string()
        };
        let body = (first..first + BODY).map(line).collect::<Vec<_>>().join("\n");
        let url = format!("http://127.0.0.1:{}/v1/records", self.setup.ingest);
        client::post(&url, "application/x-ndjson", body).unwrap().expect_success("ingest");
        self.acknowledged += BODY;
    }

    /// Waits till all that was acknowledged is there, and looks whether it is there once.
    fn all_arrive(&self, after: &str) {
        let pattern = format!("{}-*", self.prefix);
        wait::until(&format!("{} documents after {after}", self.acknowledged), PATIENCE, || {
            (self.node.count(&pattern) >= self.acknowledged).then_some(())
        });
        let mut tasks: Vec<u64> = self.node.tasks(&pattern).iter().map(|task| task.parse().unwrap()).collect();
        tasks.sort_unstable();
        assert_eq!(tasks, (0..self.acknowledged).collect::<Vec<_>>(), "after {after}");
    }

    fn applied(&self, running: &Metricast, config: &str) {
        let before = self.setup.reloads("applied");
        reload(running, config);
        wait::until("it is applied", PATIENCE, || (self.setup.reloads("applied") > before).then_some(()));
    }
}

#[test]
fn another_index_and_other_batches_come_in_the_middle_and_each_record_is_there_once() {
    let Some(mut search) = Search::new() else { return };
    let running = Metricast::run(&search.config("", "a", ""));
    for (number, prefix) in ["b", "c", "a", "d"].into_iter().enumerate() {
        for _ in 0..3 {
            search.send();
        }
        let keys = format!("batch = {{ max_records = {}, max_age = \"50ms\" }}", 3 + number);
        search.applied(&running, &search.config(&keys, prefix, ""));
        search.send();
    }
    search.all_arrive("four changes");
    assert!(search.node.count(&format!("{}-d-*", search.prefix)) > 0, "what came last is in the last index");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_backend_that_is_away_does_not_stand_in_the_way_of_a_change() {
    let Some(mut search) = Search::new() else { return };
    let running = Metricast::run(&search.config("", "a", ""));
    search.send();
    search.all_arrive("a start");
    search.proxy.refuse();
    search.send();
    running.wait_for_line("trying again publisher=\"search\"");
    search.applied(&running, &search.config("", "b", ""));
    search.send();
    search.proxy.accept();
    search.all_arrive("a change while the backend was away");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_secret_in_a_file_that_is_put_right_is_used_at_once_and_others_go_on_untouched() {
    let Some(mut search) = Search::new() else { return };
    let right = client::basic("metricast", "right");
    search.proxy.always(move |request| (request.header("authorization") != right).then_some(Fault::Status(401, None)));
    let secret = search.setup.folder.path().join("password");
    fs::write(&secret, "right").unwrap();
    let settings = format!("basic = {{ basic = {{ user = \"metricast\", secret = \"file:{}\" }} }}", secret.display());
    let running = Metricast::run(&search.config("", "a", &settings));
    search.send();
    search.all_arrive("a start");
    replace(&secret, b"wrong");
    wait::until("the wrong one is refused", PATIENCE, || (search.setup.reloads("refused") == 1).then_some(()));
    search.send();
    search.all_arrive("a wrong secret that was not taken");
    let newer = client::basic("metricast", "newer");
    search.proxy.always(move |request| (request.header("authorization") != newer).then_some(Fault::Status(401, None)));
    search.send();
    running.wait_for_line("its records wait till this is put right");
    replace(&secret, b"newer");
    search.all_arrive("a secret that was put right");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("changed=\"search\"") && !log.contains("changed=\"scrape"), "{log}");
}

#[test]
fn a_new_one_begins_with_the_oldest_record_or_with_the_next() {
    let Some(mut search) = Search::new() else { return };
    let running = Metricast::run(&search.config("", "a", ""));
    search.all_arrive("a start");
    search.proxy.refuse();
    search.send();
    let [oldest, now] = [ports::free(), ports::free()];
    let scraped = |start: &str, port: u16| {
        format!(
            "\n[[publishers]]\nname = \"{start}\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{port}\"\nstart = \"{start}\"\n"
        )
    };
    let config = search.config("", "a", "") + &scraped("oldest", oldest) + &scraped("now", now);
    search.applied(&running, &config);
    search.send();
    for (port, expected) in [(oldest, 2 * BODY), (now, BODY)] {
        let line = format!("event_duration_seconds_count{{event_name=\"Pack\",status=\"completed\"}} {expected}\n");
        wait::until(&line, PATIENCE, || {
            let page = client::get(&format!("http://127.0.0.1:{port}/metrics")).ok()?;
            page.text().contains(&line).then_some(())
        });
    }
    search.proxy.accept();
    search.all_arrive("all this");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn one_that_halted_or_was_never_open_begins_anew_at_its_place() {
    let Some(mut search) = Search::new() else { return };
    let broken = rulebreaker(search.setup.folder.path(), "snapshot");
    let port = ports::free();
    let halting = |plugin: &str| {
        format!("\n[[publishers]]\nname = \"second\"\nplugin = \"{plugin}\"\nlisten = \"127.0.0.1:{port}\"\n")
    };
    search.proxy.refuse();
    let running = Metricast::run(&(search.config("", "a", "") + &halting(&broken)));
    search.send();
    running.wait_for_line("halted, its records stay in the queue");
    // Another backend for the one that was never open, a good plugin for the other.
    let reachable = search.config("", "a", "").replace(&search.proxy.url(), &search.node.url());
    search.applied(&running, &(reachable + &halting("prometheus")));
    search.all_arrive("another backend");
    let line = format!("event_duration_seconds_count{{event_name=\"Pack\",status=\"completed\"}} {BODY}\n");
    wait::until(&line, PATIENCE, || {
        let page = client::get(&format!("http://127.0.0.1:{port}/metrics")).ok()?;
        page.text().contains(&line).then_some(())
    });
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_state_that_the_new_plugin_refuses_stays_with_the_old_one_unless_it_may_be_given_up() {
    let setup = Setup::new();
    let send = || {
        let line = json!({"event_name": "Pack", "start_time": 1, "end_time": 2, "status": "completed"}).to_string();
        let url = format!("http://127.0.0.1:{}/v1/records", setup.ingest);
        client::post(&url, "application/json", line).unwrap().expect_success("ingest");
    };
    let shows = |line: &str| {
        wait::until(line, PATIENCE, || {
            let page = client::get(&format!("http://127.0.0.1:{}/metrics", setup.scrapes)).ok()?;
            page.text().contains(line).then_some(())
        });
    };
    let running = Metricast::run(&setup.config("", ""));
    send();
    shows("event_duration_seconds_count{event_name=\"Pack\",status=\"completed\"} 1\n");
    // It keeps a state of its own kind.
    let other = rulebreaker(setup.folder.path(), "nothing");
    let another = |keys: &str| setup.config(keys, "").replace(&setup.plugin().display().to_string(), &other);
    reload(&running, &another(""));
    wait::until("it is refused", PATIENCE, || (setup.reloads("refused") == 1).then_some(()));
    send();
    shows("event_duration_seconds_count{event_name=\"Pack\",status=\"completed\"} 2\n");
    reload(&running, &another("reset_state = true"));
    running.wait_for_line("its state is given up, as reset_state says, and it begins with none");
    send();
    shows("records_total 1\n");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the config is not used, and everything goes on as it was: "), "{log}");
}

#[test]
fn a_stop_does_not_wait_for_a_change_that_takes_long() {
    let setup = Setup::new();
    let running = Metricast::run(&setup.config("", ""));
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!(
        "[[publishers]]\nname = \"hung\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://{}\"]\nindex_prefix = \"x\"\n",
        hung.local_addr().unwrap()
    );
    reload(&running, &setup.config("", &more));
    let asked = hung.accept().unwrap();
    let began = Instant::now();
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}\n{log}", began.elapsed());
    assert!(log.contains("everything goes on as it was: metricast is stopping"), "{log}");
    drop(asked);
}

#[test]
fn what_counts_at_the_next_start_only_is_named() {
    let setup = Setup::new();
    let running = Metricast::run(&setup.config("", ""));
    let changed = setup
        .config("", "")
        .replace(&format!("[admin]\nlisten = \"127.0.0.1:{}", setup.admin), "[admin]\nlisten = \"127.0.0.1:1");
    reload(&running, &changed);
    running.wait_for_line("[admin] has changed: that counts from the next start on");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("[queue] has changed"), "{log}");
}
