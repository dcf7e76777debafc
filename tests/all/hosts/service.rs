//! Services that `metricast compose --serve` made, running in some host, and what each must do wherever it runs.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use support::http::Answer;
use support::process::Process;
use support::search::Node;
use support::{data, http, metricast};

use super::said;
use crate::truth::{FILE, RECORDS, truth};

/// A host may compile first.
const PATIENCE: Duration = Duration::from_mins(1);
/// One record.
pub(super) const LINE: &str = "{\"event_name\": \"Pay\", \"task_id\": \"t-1\", \"start_time\": 1795368571.25, \
    \"end_time\": 1795368571.75, \"status\": \"completed\", \"metric_type\": \"event\"}";
/// Lines of a request.
const LINES: usize = 1_000;

/// Composes a service of a bundled plugin in `folder`.
pub(super) fn compose(folder: &Path, plugin: &str, more: &[&str]) -> PathBuf {
    let file = folder.join("service.wasm");
    said(metricast::command(["compose", "--serve", plugin, "-o", file.to_str().unwrap()]).args(more));
    file
}

/// The plugin's settings for a node.
pub(super) fn settings(hosts: &str, prefix: &str) -> Value {
    json!({ "hosts": [hosts], "index_prefix": prefix })
}

/// Composes a service that writes to an Elasticsearch or OpenSearch, with its config in it.
pub(super) fn writes_to(folder: &Path, hosts: &str, prefix: &str) -> PathBuf {
    let config = folder.join("config.json");
    fs::write(&config, settings(hosts, prefix).to_string()).unwrap();
    compose(folder, "elasticsearch", &["--config", config.to_str().unwrap()])
}

/// A host that serves.
pub(super) struct Serving {
    process: Process,
    url: String,
}

impl Serving {
    /// Starts a host with `folder` for its own and waits until the service in it answers.
    pub(super) fn start(name: &str, command: &Command, folder: PathBuf, port: u16) -> Self {
        // A host may listen before it has the service, and answers for itself then.
        Self::start_until(name, command, folder, port, |body| serde_json::from_slice::<Value>(body).is_ok())
    }

    /// As [`start`](Self::start), until the body of an answer is one that the component gives.
    pub(super) fn start_until(
        name: &str,
        command: &Command,
        folder: PathBuf,
        port: u16,
        is_ready: impl Fn(&[u8]) -> bool,
    ) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let mut process = Process::start(name, command, folder);
        let health = format!("{url}/healthz");
        process.wait_until_ready(PATIENCE, || http::get(&health).is_ok_and(|answer| is_ready(&answer.body)));
        Self { process, url }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        http::get(&format!("{}{path}", self.url)).unwrap()
    }

    /// Posts lines of records.
    pub(super) fn post(&self, lines: &str) -> Answer {
        let posted = http::post(&format!("{}/v1/records", self.url), "application/x-ndjson", lines);
        posted.unwrap_or_else(|error| panic!("{error}\n{}", self.process.log()))
    }

    /// What the host wrote so far.
    pub(super) fn log(&self) -> String {
        self.process.log()
    }

    /// Takes the file of real records, request by request.
    pub(super) fn post_the_real_records(&self) {
        let text = fs::read_to_string(data(FILE)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len() as u64, RECORDS);
        for lines in lines.chunks(LINES) {
            let answer = self.post(&lines.join("\n"));
            assert_eq!(answer.status, 200, "{}\n{}", answer.text(), self.log());
            assert_eq!(answer.json(), json!({ "accepted": lines.len(), "refused": [] }));
        }
    }

    /// Takes the real records, of which the node has each once when it has answered.
    pub(super) fn brings_the_real_records_to(&self, node: &Node, prefix: &str) {
        let health = self.get("/healthz");
        assert_eq!((health.status, &health.json()["plugin"]), (200, &"elasticsearch".into()), "{}", health.text());
        self.post_the_real_records();
        let truth = truth();
        let events = format!("{prefix}-event*");
        assert_eq!((node.count(&events), node.count(&format!("{prefix}-network*"))), (truth.events, truth.networks));
        for ((name, status), count) in &truth.statuses {
            let terms =
                [json!({ "term": { "event.action": name } }), json!({ "term": { "metricast.status": status } })];
            let query = json!({ "query": { "bool": { "filter": terms } }, "track_total_hits": true });
            assert_eq!(node.search(&events, &query)["hits"]["total"]["value"], *count, "{name} {status}");
        }
    }

    /// Counts the real records from request to request, and shows the whole to a scrape.
    pub(super) fn counts_the_real_records(&self) {
        self.post_the_real_records();
        let page = self.get("/metrics").expect_success("/metrics");
        assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        for ((name, status), count) in &truth().statuses {
            let line = format!("event_records_total{{event_name=\"{name}\",status=\"{status}\"}} {count}\n");
            assert!(page.text().contains(&line), "{line}{}", page.text());
        }
        let packed = http::get_with(&format!("{}/metrics", self.url), "accept-encoding", "gzip").unwrap();
        assert_eq!((packed.status, packed.header("content-encoding")), (200, "gzip"));
        let mut unpacked = String::new();
        GzDecoder::new(packed.body.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked.len(), page.text().len());
        assert!(packed.body.len() * 4 < unpacked.len(), "{}", packed.body.len());
    }
}
