//! `kill -9` at random moments while records flow: what was acknowledged is at each backend once, no less and no more,
//! and nobody who scrapes sees a counter go down.
//!
//! `METRICAST_TORTURE_KILLS` says how often (30), `METRICAST_TORTURE_SEED` repeats a run.

use std::collections::BTreeSet;
use std::env;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::{Value, json};
use support::metricast::Metricast;
use support::prometheus::Prometheus;
use support::search::Node;
use support::{Server, http as client, ports, wait};

/// A body has so many records at the most.
const RECORDS: u64 = 40;
/// Between a start and its end by `kill -9`, at the most.
const LIFE: Duration = Duration::from_millis(1_200);
/// How long the rest may take at the end.
const PATIENCE: Duration = Duration::from_mins(1);

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Sends bodies, each again until it has an answer that says that it was taken.
struct Sender {
    url: String,
    random: fastrand::Rng,
    over: AtomicBool,
    events: AtomicU64,
    retries: AtomicU64,
    networks: AtomicU64,
    bytes: AtomicU64,
    repeats: AtomicU64,
}

impl Sender {
    fn run(&self) {
        let mut random = self.random.clone();
        let mut number = 0;
        while !self.over.load(Ordering::Relaxed) {
            number += 1;
            self.send(number, &mut random);
            thread::sleep(Duration::from_millis(random.u64(..20)));
        }
    }

    fn send(&self, number: u64, random: &mut fastrand::Rng) {
        let (events, networks) = (random.u64(1..=RECORDS / 2), random.u64(..=RECORDS / 2));
        let (mut lines, mut retries) = (Vec::new(), 0);
        for index in 0..events {
            let again = random.u64(..4);
            retries += again;
            let (start, name) = (1_795_368_571.0 + number as f64, ["Pack", "Ship", "Bill"][index as usize % 3]);
            lines.push(json!({"event_name": name, "task_id": format!("{number}-{index}"), "start_time": start, "end_time": start + 0.5, "status": "completed", "retry_count": again}));
        }
        for index in 0..networks {
            let task = format!("{number}-n{index}");
            lines.push(json!({"operation": "get", "task_id": task, "host": "a", "start_time": 1_795_368_571.0, "end_time": 1_795_368_571.1, "bytes_sent": 3, "bytes_received": 4}));
        }
        let body = lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let request = Request::post(&self.url)
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", format!("body {number}"))
            .body(body.into_bytes())
            .unwrap();
        loop {
            match client::send(&request) {
                Ok(answer) if answer.status == 200 => {
                    assert_eq!(answer.json()["accepted"], events + networks, "the answer to body {number}");
                    break;
                }
                Ok(answer) => assert!([409, 503].contains(&answer.status), "{} {}", answer.status, answer.text()),
                Err(_refused_or_reset) => {}
            }
            self.repeats.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(20));
        }
        self.events.fetch_add(events, Ordering::Relaxed);
        self.retries.fetch_add(retries, Ordering::Relaxed);
        self.networks.fetch_add(networks, Ordering::Relaxed);
        self.bytes.fetch_add(networks * 7, Ordering::Relaxed);
    }
}

fn config(folder: &std::path::Path, node: &Node, prefix: &str, ingest: u16, scrapes: u16) -> String {
    format!(
        "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[queue]\npath = \"{queue}\"\n\
         [[publishers]]\nname = \"scrape\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{scrapes}\"\n\
         [[publishers]]\nname = \"plain\"\nplugin = \"elasticsearch\"\nbatch = {{ max_age = \"100ms\", max_records = 50 }}\n\
         [publishers.config]\nhosts = [\"{url}\"]\nindex_prefix = \"{prefix}-plain\"\nindices = \"daily\"\nmax_past = \"36500d\"\n\
         [[publishers]]\nname = \"streams\"\nplugin = \"elasticsearch\"\nbatch = {{ max_age = \"100ms\", max_records = 50 }}\n\
         [publishers.config]\nhosts = [\"{url}\"]\nindex_prefix = \"{prefix}-streams\"\n",
        queue = folder.join("queue").display(),
        url = node.url(),
    )
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice() {
    let kills = setting("METRICAST_TORTURE_KILLS").unwrap_or(30);
    let seed = setting("METRICAST_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("METRICAST_TORTURE_SEED={seed} METRICAST_TORTURE_KILLS={kills}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (ingest, scrapes) = (ports::free(), ports::free());
    let Some(node) = Node::shared() else { return };
    let began = Instant::now();
    let target = format!("127.0.0.1:{scrapes}");
    let Some(prometheus) = Prometheus::scraping(Server::Prometheus3, &[&target]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let prefix = format!("crash{}", random.u32(..));
    let config = config(folder.path(), &node, &prefix, ingest, scrapes);
    let sender = Sender {
        url: format!("http://127.0.0.1:{ingest}/v1/records"),
        random: random.fork(),
        over: AtomicBool::new(false),
        events: AtomicU64::new(0),
        retries: AtomicU64::new(0),
        networks: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        repeats: AtomicU64::new(0),
    };
    let (last, deaths) = thread::scope(|scope| {
        let sending = scope.spawn(|| sender.run());
        let mut deaths = 0;
        while deaths < kills {
            let metricast = Metricast::spawn(&config, &[]);
            let open = || (wait::listens(&format!("127.0.0.1:{ingest}")) || sending.is_finished()).then_some(());
            // Now and then it dies before it is open.
            if random.u8(..8) > 0 {
                wait::until("ingest is open", PATIENCE, open);
            }
            thread::sleep(LIFE.mul_f64(random.f64().powi(2)));
            drop(metricast);
            deaths += 1;
            assert!(!sending.is_finished(), "the sender met an answer that it does not expect");
        }
        let last = Metricast::run(&config);
        thread::sleep(Duration::from_secs(1));
        sender.over.store(true, Ordering::Relaxed);
        (last, deaths)
    });
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (events, networks) = (count(&sender.events), count(&sender.networks));
    eprintln!(
        "{deaths} kills in {:?}, {events} events and {networks} network operations acknowledged, {} bodies sent again",
        began.elapsed(),
        count(&sender.repeats)
    );

    let sums = [
        ("event_duration_seconds_count", events),
        ("event_retries_total", count(&sender.retries)),
        ("network_bytes_total", count(&sender.bytes)),
        ("network_latency_seconds_count", networks),
    ];
    for (series, sum) in sums {
        prometheus.wait_for(&format!("sum({series})"), sum as f64);
    }
    let patterns = ["plain", "streams"].map(|publisher| format!("{prefix}-{publisher}-*,logs-{prefix}-{publisher}.*"));
    for pattern in &patterns {
        all_arrive(&node, pattern, events + networks);
    }
    // What counts twice may come after what completes a sum: two scrapes later it would be seen.
    thread::sleep(Duration::from_secs(2));
    let seconds = began.elapsed().as_secs() + 1;
    for (series, sum) in sums {
        assert_eq!(prometheus.value(&format!("sum({series})")), Some(sum as f64), "{series} after all");
        let resets = prometheus.value(&format!("max(resets({series}[{seconds}s]))"));
        assert_eq!(resets, Some(0.0), "{series} went down");
    }
    let (status, log) = last.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    for pattern in &patterns {
        let tasks = node.tasks(pattern);
        let distinct: BTreeSet<&String> = tasks.iter().collect();
        assert_eq!((tasks.len() as u64, distinct.len()), (events + networks, tasks.len()), "{pattern}");
    }
}

/// Waits as long as more and more do.
fn all_arrive(node: &Node, pattern: &str, wanted: u64) {
    let mut before = 0;
    while before < wanted {
        let more = || Some(node.count(pattern)).filter(|count| *count > before);
        before = wait::until(&format!("{pattern}: more than {before} documents of {wanted}"), PATIENCE, more);
    }
}
