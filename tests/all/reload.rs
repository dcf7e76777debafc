//! A config and a plugin that change while records flow and scrapes come: nothing is lost, nothing counts twice, and what a
//! scraper sees never goes back.
//!
//! `METRICAST_TORTURE_RELOADS` says how often (50), `METRICAST_TORTURE_SEED` repeats a run.

mod publishers;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use http::Request;
use serde_json::json;
use support::metricast::Metricast;
use support::{http as client, ports, wait};

const PROMETHEUS: &str = env!("PROMETHEUS");
const PATIENCE: Duration = Duration::from_secs(30);

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The plugin's file with a section more that means nothing: another build, by its digest.
fn build(number: u8) -> Vec<u8> {
    let mut component = fs::read(PROMETHEUS).unwrap();
    component.extend([0, 3, 1, b'x', number]);
    component
}

/// Files are replaced as a whole, as a deployment does.
fn replace(path: &Path, bytes: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, bytes).unwrap();
    fs::rename(new, path).unwrap();
}

struct Setup {
    folder: tempfile::TempDir,
    ingest: u16,
    admin: u16,
    scrapes: u16,
}

impl Setup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plugin.wasm"), build(0)).unwrap();
        Self { folder, ingest: ports::free(), admin: ports::free(), scrapes: ports::free() }
    }

    fn plugin(&self) -> PathBuf {
        self.folder.path().join("plugin.wasm")
    }

    /// The config, with keys for the publisher and what comes behind it.
    fn config(&self, keys: &str, more: &str) -> String {
        format!(
            "drain_timeout = \"5s\"\n[ingest]\nlisten = \"127.0.0.1:{}\"\n[admin]\nlisten = \"127.0.0.1:{}\"\n\
             [queue]\npath = \"{}\"\n[[publishers]]\nname = \"scrape\"\nplugin = \"{}\"\nlisten = \"127.0.0.1:{}\"\n{keys}\n{more}\n",
            self.ingest,
            self.admin,
            self.folder.path().join("queue").display(),
            self.plugin().display(),
            self.scrapes,
        )
    }

    fn reloads(&self, result: &str) -> u64 {
        let page = client::get(&format!("http://127.0.0.1:{}/metrics", self.admin)).unwrap();
        let line = format!("metricast_config_reloads_total{{result=\"{result}\"}} ");
        let number = page.text().lines().find_map(|found| found.strip_prefix(&line)?.parse().ok());
        number.unwrap_or_else(|| panic!("no {line} in {}", page.text()))
    }

    fn page(&self) -> client::Answer {
        let url = format!("http://127.0.0.1:{}/metrics", self.scrapes);
        client::get_with(&url, "accept", "application/openmetrics-text; version=1.0.0").unwrap()
    }
}

/// Has a running metricast read this config.
fn reload(running: &Metricast, config: &str) {
    replace(&running.folder().join("metricast.toml"), config.as_bytes());
    let signalled = Command::new("kill").args(["-HUP", &running.id().to_string()]).status().unwrap();
    assert!(signalled.success());
}

fn values(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let line = line.split(" # ").next()?;
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        })
        .collect()
}

/// Counters do not go down, and start times do not move.
fn expect_no_way_back(before: &BTreeMap<String, f64>, now: &BTreeMap<String, f64>) {
    for (series, before) in before {
        let Some(now) = now.get(series) else { panic!("{series} is gone") };
        let name = series.split('{').next().unwrap_or_default();
        if name.ends_with("_created") {
            assert!((before - now).abs() < 1e-9, "{series} moved from {before} to {now}");
        } else if ["_total", "_count", "_bucket"].iter().any(|end| name.ends_with(end)) {
            assert!(now >= before, "{series} went from {before} to {now}");
        }
    }
}

#[test]
fn reloaded_again_and_again_it_loses_nothing_and_no_counter_goes_back() {
    let reloads = setting("METRICAST_TORTURE_RELOADS").unwrap_or(50);
    let seed = setting("METRICAST_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("METRICAST_TORTURE_SEED={seed} METRICAST_TORTURE_RELOADS={reloads}");
    let mut random = fastrand::Rng::with_seed(seed);
    let setup = Setup::new();
    let running = Metricast::run(&setup.config("", ""));
    let scrapes_port = format!("127.0.0.1:{}", setup.scrapes);
    wait::until("scrapes are answered", PATIENCE, || wait::listens(&scrapes_port).then_some(()));
    wait::until("the first page", PATIENCE, || (setup.page().status == 200).then_some(()));
    let (over, acknowledged, scrapes) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let last = Mutex::new(BTreeMap::new());
    let mut refused = 0;
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                number += 1;
                let line =
                    json!({"event_name": "Pack", "start_time": number, "end_time": number + 1, "status": "completed"});
                let body = vec![line.to_string(); 20].join("\n");
                let url = format!("http://127.0.0.1:{}/v1/records", setup.ingest);
                let request = Request::post(url).header("idempotency-key", format!("{number}")).body(body.into_bytes());
                assert_eq!(client::send(&request.unwrap()).unwrap().status, 200, "ingest goes on");
                acknowledged.fetch_add(20, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let scraping = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let page = setup.page();
                assert_eq!(page.status, 200, "scrapes are answered all the while: {}", page.text());
                let now = values(page.text());
                let mut last = last.lock().unwrap();
                expect_no_way_back(&last, &now);
                *last = now;
                scrapes.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        });
        for number in 0..reloads {
            let (keys, more, is_good) = match random.u8(..6) {
                0 => (format!("batch = {{ max_records = {} }}", 100 + number), String::new(), true),
                1 => {
                    replace(&setup.plugin(), &build(1 + (number % 200) as u8));
                    (String::new(), String::new(), true)
                }
                2 => (
                    String::new(),
                    "[[publishers]]\nname = \"other\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:0\"".to_owned(),
                    true,
                ),
                3 => ("no_such_key = 1".to_owned(), String::new(), false),
                4 => ("[publishers.config]\nno_such_setting = 1".to_owned(), String::new(), false),
                _ => (
                    String::new(),
                    format!(
                        "[[publishers]]\nname = \"broken\"\nplugin = \"{}/none.wasm\"",
                        setup.folder.path().display()
                    ),
                    false,
                ),
            };
            let before = (setup.reloads("applied"), setup.reloads("refused"));
            reload(&running, &setup.config(&keys, &more));
            let told = || {
                let now = (setup.reloads("applied"), setup.reloads("refused"));
                (now != before).then_some(now)
            };
            let now = wait::until("the config is read again", PATIENCE, told);
            assert_eq!(now.1 > before.1, !is_good, "{keys} {more}\n{}", running.stderr());
            refused += u64::from(!is_good);
            assert!(!sending.is_finished() && !scraping.is_finished(), "{}", running.stderr());
            thread::sleep(Duration::from_millis(random.u64(..60)));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(refused > 0 && scrapes.load(Ordering::Relaxed) > reloads);
    let expected = acknowledged.load(Ordering::Relaxed) as f64;
    let counted = || {
        let now = values(setup.page().text());
        expect_no_way_back(&last.lock().unwrap(), &now);
        let counts = now.iter().filter(|(series, _)| series.starts_with("event_duration_seconds_count"));
        let sum: f64 = counts.map(|(_, value)| value).sum();
        ((sum - expected).abs() < 0.5).then_some(())
    };
    wait::until("all that was acknowledged is counted, once", PATIENCE, counted);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_changed_file_is_seen_and_a_bad_one_changes_nothing_and_says_why() {
    let setup = Setup::new();
    let running = Metricast::run(&setup.config("", ""));
    let file = running.folder().join("metricast.toml");
    replace(&file, setup.config("batch = { max_records = 7 }", "").as_bytes());
    wait::until("the new config is in use", PATIENCE, || (setup.reloads("applied") == 1).then_some(()));
    replace(&setup.plugin(), b"\0asm broken");
    wait::until("the broken plugin is refused", PATIENCE, || (setup.reloads("refused") == 1).then_some(()));
    assert_eq!(setup.page().status, 200, "the plugin that was there goes on");
    running.wait_for_line("the config is not used, and everything goes on as it was");
    replace(&setup.plugin(), &build(9));
    wait::until("a good one is taken", PATIENCE, || (setup.reloads("applied") == 2).then_some(()));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn a_publisher_that_is_taken_out_goes_on_where_it_was_when_it_comes_back() {
    let setup = Setup::new();
    let other = ports::free();
    let second = format!("[[publishers]]\nname = \"second\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{other}\"");
    let running = Metricast::run(&setup.config("", &second));
    let send = |name: &str| {
        let line = json!({"event_name": name, "start_time": 1, "end_time": 2, "status": "completed"}).to_string();
        let url = format!("http://127.0.0.1:{}/v1/records", setup.ingest);
        assert_eq!(client::post(&url, "application/json", line).unwrap().status, 200);
    };
    let shown = |name: &str| {
        let page = client::get(&format!("http://127.0.0.1:{other}/metrics")).ok()?;
        let line = format!("event_duration_seconds_count{{event_name=\"{name}\",status=\"completed\"}} 1");
        (page.status == 200 && page.text().contains(&line)).then_some(())
    };
    send("before");
    wait::until("it counts", PATIENCE, || shown("before"));
    reload(&running, &setup.config("", ""));
    wait::until("it is gone", PATIENCE, || {
        client::get(&format!("http://127.0.0.1:{other}/metrics")).is_err().then_some(())
    });
    send("between");
    reload(&running, &setup.config("", &second));
    wait::until("it has what came meanwhile", PATIENCE, || shown("between"));
    wait::until("and what it had", PATIENCE, || shown("before"));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn addresses_go_from_one_publisher_to_another_and_one_that_is_taken_changes_nothing() {
    let setup = Setup::new();
    let [a, b] = [ports::free(), ports::free()];
    let named = |name: &str, port: u16| {
        format!("[[publishers]]\nname = \"{name}\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{port}\"\n")
    };
    let answers =
        |port: u16| client::get(&format!("http://127.0.0.1:{port}/metrics")).is_ok_and(|page| page.status == 200);
    let running = Metricast::run(&setup.config("", &(named("one", a) + &named("two", b))));
    for more in [named("one", b) + &named("two", a), named("three", b) + &named("two", a), named("three", b)] {
        let before = setup.reloads("applied");
        reload(&running, &setup.config("", &more));
        wait::until("it is applied", PATIENCE, || (setup.reloads("applied") > before).then_some(()));
        wait::until("all are scraped", PATIENCE, || {
            (answers(b) && (!more.contains("two") || answers(a))).then_some(())
        });
    }
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = foreign.local_addr().unwrap().port();
    reload(&running, &setup.config("", &(named("three", b) + &named("four", taken))));
    wait::until("it is refused", PATIENCE, || (setup.reloads("refused") == 1).then_some(()));
    let status = client::get(&format!("http://127.0.0.1:{}/status", setup.admin)).unwrap();
    assert!(!status.text().contains("four"), "{}", status.text());
    assert!(answers(b));
    running.wait_for_line(&format!("cannot listen on 127.0.0.1:{taken}"));
}
