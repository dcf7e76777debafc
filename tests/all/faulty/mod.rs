//! Real backends behind a proxy that cuts, delays, refuses and lies: what was acknowledged is stored, what is stored was
//! sent, each record once, or it is a dead letter.

mod push;
mod search;

use std::env;
use std::time::Duration;

use serde_json::{Value, json};
use support::metricast::{self, Metricast};
use support::{http, ports};
use tempfile::TempDir;

/// How long what was acknowledged may take to arrive after a fault.
const PATIENCE: Duration = Duration::from_secs(40);
/// Of a body that is sent.
const RECORDS: u64 = 15;

/// Short pauses, and calls that are given up soon.
const SETTINGS: &str = "call_timeout = \"3s\"\nbatch = { max_age = \"50ms\", max_records = 20 }\n\
                        retry = { initial = \"20ms\", max = \"300ms\" }\n";

/// A running metricast with a queue in a folder, and what it has acknowledged.
struct Pipeline {
    folder: TempDir,
    ingest: u16,
    admin: u16,
    metricast: Metricast,
    /// The task ids of records that were acknowledged, in order.
    acknowledged: Vec<String>,
}

impl Pipeline {
    fn start(publishers: &str) -> Self {
        let (folder, ingest, admin) = (tempfile::tempdir().unwrap(), ports::free(), ports::free());
        let config = format!(
            "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n[queue]\npath = \"{}\"\n{publishers}",
            folder.path().join("queue").display()
        );
        std::fs::write(folder.path().join("metricast.toml"), &config).unwrap();
        let metricast = Metricast::run(&config);
        Self { folder, ingest, admin, metricast, acknowledged: Vec::new() }
    }

    /// Sends a body of new events whose task ids begin so.
    fn send(&mut self, prefix: &str) {
        let first = self.acknowledged.len() as u64;
        let tasks: Vec<String> = (first..first + RECORDS).map(|number| format!("{prefix}-{number}")).collect();
        let line = |task: &String| json!({"event_name": "Pack", "task_id": task, "start_time": 1_795_368_571.0, "end_time": 1_795_368_571.5, "status": "completed"});
        let body: Vec<String> = tasks.iter().map(|task| line(task).to_string()).collect();
        let url = format!("http://127.0.0.1:{}/v1/records", self.ingest);
        let answer = http::post(&url, "application/x-ndjson", body.join("\n")).unwrap().expect_success("ingest");
        assert_eq!(answer.json()["accepted"], RECORDS);
        self.acknowledged.extend(tasks);
    }

    /// How many records were sent again without an answer to the time before, by metricast's own count.
    fn in_doubt(&self, publisher: &str) -> u64 {
        let page = http::get(&format!("http://127.0.0.1:{}/metrics", self.admin)).unwrap().expect_success("metrics");
        let series = format!("metricast_publisher_in_doubt_total{{publisher=\"{publisher}\"}} ");
        let value = page.text().lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap_or_else(|| panic!("no {series}in {}", page.text())).parse().unwrap()
    }

    /// Of one publisher, as JSON.
    fn dead_letters(&self, publisher: &str) -> Vec<Value> {
        let config = self.folder.path().join("metricast.toml");
        let words =
            ["dead-letters", "list", "-c", config.to_str().unwrap(), "--publisher", publisher, "--json", "--each"];
        let output = metricast::output(words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// `METRICAST_TORTURE_SEED`, or another one each time; it is told.
fn seed() -> u64 {
    let given = env::var("METRICAST_TORTURE_SEED").ok();
    let seed = given.map_or_else(|| fastrand::u64(..), |text| text.parse().expect("a seed is a number"));
    eprintln!("METRICAST_TORTURE_SEED={seed}");
    seed
}

/// How many bodies a course by chance sends: `METRICAST_TORTURE_BODIES`, or this.
fn bodies(usually: u64) -> u64 {
    env::var("METRICAST_TORTURE_BODIES").map_or(usually, |text| text.parse().expect("it is a number"))
}
