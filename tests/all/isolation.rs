//! One backend that never answers, one plugin that breaks on everything, one that is healthy: the healthy one gets
//! everything, and senders wait for nobody before the queue's bound or a policy says so.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use support::metricast::Metricast;
use support::{http as client, ports, wait};

use crate::conformance::rulebreaker;

const PATIENCE: Duration = Duration::from_secs(40);
const BODIES: u64 = 200;
const RECORDS: u64 = 20;

struct Setup {
    folder: tempfile::TempDir,
    ingest: u16,
    scrapes: u16,
    /// Who connects gets no answer, ever.
    hung: TcpListener,
}

impl Setup {
    fn new() -> Self {
        let hung = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { folder: tempfile::tempdir().unwrap(), ingest: ports::free(), scrapes: ports::free(), hung }
    }

    fn config(&self, queue: &str, policy: &str) -> String {
        let broken = rulebreaker(self.folder.path(), "receipt-sum");
        format!(
            "drain_timeout = \"1s\"\n[ingest]\nlisten = \"127.0.0.1:{}\"\n{queue}\n\
             [[publishers]]\nname = \"healthy\"\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{}\"\n\
             [[publishers]]\nname = \"hung\"\nplugin = \"elasticsearch\"\n{policy}\n[publishers.config]\nhosts = [\"http://{}\"]\n\
             index_prefix = \"x\"\n\
             [[publishers]]\nname = \"broken\"\nplugin = {broken:?}\nlisten = \"127.0.0.1:{}\"\n{policy}\n",
            self.ingest,
            self.scrapes,
            self.hung.local_addr().unwrap(),
            ports::free(),
        )
    }

    fn send(&self, number: u64) -> u16 {
        let line = json!({"event_name": "Pack", "task_id": number.to_string(), "start_time": 1, "end_time": 2, "status": "completed"});
        let body = vec![line.to_string(); RECORDS as usize].join("\n");
        client::post(&format!("http://127.0.0.1:{}/v1/records", self.ingest), "application/x-ndjson", body)
            .unwrap()
            .status
    }

    fn counted(&self) -> u64 {
        let Ok(page) = client::get(&format!("http://127.0.0.1:{}/metrics", self.scrapes)) else { return 0 };
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("event_duration_seconds_count{")?.rsplit(' ').next());
        line.and_then(|number| number.parse::<f64>().ok()).map_or(0, |number| number as u64)
    }

    fn expect_all(&self, sent: u64) {
        wait::until("the healthy one has everything", PATIENCE, || (self.counted() == sent).then_some(()));
    }
}

fn in_folder(folder: &Path) -> String {
    format!("[queue]\npath = \"{}\"", folder.join("queue").display())
}

#[test]
fn a_hung_backend_and_a_broken_plugin_hold_up_neither_senders_nor_the_healthy_one() {
    for durable in [false, true] {
        let setup = Setup::new();
        let queue = if durable { in_folder(setup.folder.path()) } else { String::new() };
        let running = Metricast::run(&setup.config(&queue, ""));
        let mut slowest = Duration::ZERO;
        for number in 0..BODIES {
            let began = Instant::now();
            assert_eq!(setup.send(number), 200, "{}", running.stderr());
            slowest = slowest.max(began.elapsed());
        }
        setup.expect_all(BODIES * RECORDS);
        // Waiting for another one would take the time of a call, 30 s.
        assert!(slowest < Duration::from_secs(10), "a sender waited {slowest:?}");
        running.wait_for_line("publisher=\"hung\"");
        running.wait_for_line("publisher=\"broken\"");
        let (status, log) = running.stop();
        assert_eq!(status.code(), Some(3), "{log}");
    }
}

#[test]
fn one_that_may_drop_lets_a_full_queue_go_on_and_the_healthy_one_loses_nothing() {
    let setup = Setup::new();
    let config = setup.config("[queue]\nmax_size = \"64KiB\"", "when_behind = \"drop_oldest\"");
    let (without_the_broken_one, _) = config.split_once("[[publishers]]\nname = \"broken\"").unwrap();
    let running = Metricast::run(without_the_broken_one);
    for number in 0..BODIES {
        assert_eq!(setup.send(number), 200, "{}", running.stderr());
    }
    setup.expect_all(BODIES * RECORDS);
    running.wait_for_line("the queue is full: its oldest records are dropped, as when_behind says");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(3), "{log}");
}
