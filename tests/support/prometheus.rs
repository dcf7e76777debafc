//! Real Prometheus servers, and promtool.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::Process;
pub use crate::promql::Sample;
use crate::promql::{self, Querier, Series};
use crate::{Server, http as client, ports, require, wait};

/// Before the first scrape Prometheus waits for its discovery, some five seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a Prometheus scrapes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scraping {
    /// Asks for native histograms.
    pub native: bool,
    /// Keeps classic histograms beside native ones.
    pub classic_too: bool,
    /// Reads start timestamps as explicit zeros (`created-timestamp-zero-ingestion`).
    pub zero_ingestion: bool,
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes `targets` (`127.0.0.1:9464`) each second. `None`: the server is not there, and
    /// the test is skipped.
    pub fn scraping(server: Server, targets: &[&str]) -> Option<Self> {
        Self::scraping_as(server, targets, Scraping::default())
    }

    /// As [`scraping`](Self::scraping), with native histograms and start timestamps as `scraping` says.
    pub fn scraping_as(server: Server, targets: &[&str], scraping: Scraping) -> Option<Self> {
        let mut config = "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: metricast\n".to_owned();
        writeln!(config, "    static_configs: [{{targets: {targets:?}}}]").expect("a text can be written to");
        if scraping.native {
            config += "    scrape_native_histograms: true\n";
        }
        if scraping.classic_too {
            config += "    always_scrape_classic_histograms: true\n";
        }
        let features = scraping.zero_ingestion.then_some("--enable-feature=created-timestamp-zero-ingestion");
        Self::start_with(server, &config, features.as_slice())
    }

    /// Starts a Prometheus on blocks that promtool makes of OpenMetrics text, and which scrapes nothing.
    ///
    /// # Panics
    /// Where promtool does not take the text: shows what it said.
    pub fn on_blocks_of(server: Server, text: &Path) -> Option<Self> {
        let create_blocks = |programs: &Path, data: &Path| {
            let mut promtool = Command::new(programs.join("promtool"));
            promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).args([text, data]);
            let output = promtool.output().expect("promtool starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && data.is_dir(), "promtool: {} {said}", output.status);
        };
        Self::start_on(server, "scrape_configs: []\n", &[], create_blocks)
    }

    /// Starts a Prometheus that scrapes nothing: remote write comes to `/api/v1/write`, and to Prometheus 3 OTLP to
    /// `/api/v1/otlp/v1/metrics`.
    pub fn receiving(server: Server) -> Option<Self> {
        Self::start(server, "scrape_configs: []\n")
    }

    /// Starts a Prometheus with this configuration file.
    pub fn start(server: Server, config: &str) -> Option<Self> {
        Self::start_with(server, config, &[])
    }

    /// As [`start`](Self::start), with more arguments.
    pub fn start_with(server: Server, config: &str, arguments: &[&str]) -> Option<Self> {
        Self::start_on(server, config, arguments, |_, _| {})
    }

    /// `prepare` gets the folder of the server's programs and the data folder, which is not there yet.
    fn start_on(server: Server, config: &str, arguments: &[&str], prepare: impl FnOnce(&Path, &Path)) -> Option<Self> {
        let programs = require(server)?;
        let folder = Process::folder(server.name());
        prepare(&programs, &folder.join("data"));
        let file = folder.join("prometheus.yml");
        fs::write(&file, config).expect("a config can be written");
        let port = ports::free();
        let mut command = Command::new(programs.join("prometheus"));
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        command.arg("--storage.tsdb.retention.time=100y");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg("--web.enable-remote-write-receiver");
        if server == Server::Prometheus3 {
            command.arg("--web.enable-otlp-receiver");
        }
        command.args(arguments);
        let process = Process::start(server.name(), &command, folder);
        let mut prometheus = Self { process, port };
        let ready = format!("{}/-/ready", prometheus.url());
        let is_ready = || client::get(&ready).is_ok_and(|answer| answer.status == 200);
        prometheus.process.wait_until_ready(PATIENCE, is_ready);
        Some(prometheus)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks it.
    pub fn querier(&self) -> Querier {
        Querier::new(format!("{}/api/v1", self.url()))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// What an expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        self.querier().query(expression)
    }

    /// What an expression gave at a time, in seconds since the epoch.
    pub fn query_at(&self, expression: &str, time: f64) -> Vec<Sample> {
        self.querier().query_at(expression, time)
    }

    /// What a selector with a range (`up[5m]`) holds now: the samples as they are stored.
    pub fn stored(&self, selector: &str) -> Vec<Series> {
        self.querier().stored(selector)
    }

    /// The one value that an expression gives now; `None` where it gives no series.
    ///
    /// # Panics
    /// Where it gives several.
    pub fn value(&self, expression: &str) -> Option<f64> {
        self.querier().value(expression)
    }

    /// Waits until an expression gives this one value.
    ///
    /// # Panics
    /// Where it does not in time: shows what it gave last.
    pub fn wait_for(&self, expression: &str, value: f64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.value(expression);
            if found.is_some_and(|found| (found - value).abs() <= value.abs() * 1e-9) {
                return;
            }
            let late = Instant::now() > end;
            assert!(!late, "{expression} is {found:?}, not {value}; failed scrapes: {:?}", self.scrape_errors());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until every target was scraped without an error.
    pub fn wait_for_scrapes(&self) {
        let all_up = || {
            let targets = self.targets();
            (!targets.is_empty() && targets.iter().all(|target| target["health"] == "up")).then_some(())
        };
        wait::until("healthy targets", PATIENCE, all_up);
    }

    /// Why the last scrape of a target failed, of all targets where it did.
    pub fn scrape_errors(&self) -> Vec<String> {
        let errors = self.targets().into_iter().filter_map(|target| target["lastError"].as_str().map(str::to_owned));
        errors.filter(|error| !error.is_empty()).collect()
    }

    fn targets(&self) -> Vec<Value> {
        let answer = client::get(&format!("{}/api/v1/targets", self.url())).expect("Prometheus answers");
        answer.json()["data"]["activeTargets"].as_array().expect("a list of targets").clone()
    }
}

/// What `promtool check metrics` says of an exposition; empty where it has nothing to say. `None`: promtool is not
/// there, and the test is skipped.
pub fn complaints(server: Server, exposition: &str) -> Option<String> {
    let mut promtool = Command::new(require(server)?.join("promtool"));
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = fed(&mut promtool, exposition);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() || !said.is_empty(), "promtool: {}", output.status);
    Some(said)
}

/// What the reference parser of OpenMetrics makes of an exposition. `None`: the parser is not there, and the test is
/// skipped.
///
/// # Panics
/// Where it does not take the exposition: says why.
pub fn parsed_open_metrics(exposition: &str) -> Option<Vec<Sample>> {
    const PROGRAM: &str = "\
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
samples = [
    {'metric': {'__name__': sample.name, **sample.labels}, 'value': [sample.timestamp, repr(sample.value)]}
    for family in text_string_to_metric_families(sys.stdin.read()) for sample in family.samples
]
json.dump(samples, sys.stdout)
";
    let package = require(Server::OpenMetricsParser)?;
    let mut python = Command::new("python3");
    python.args(["-c", PROGRAM]).env("PYTHONPATH", package).stdin(Stdio::piped()).stdout(Stdio::piped());
    let output = fed(python.stderr(Stdio::piped()), exposition);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let samples: Vec<Value> = serde_json::from_slice(&output.stdout).expect("the parser's program writes JSON");
    Some(samples.iter().map(promql::sample).collect())
}

/// Runs a command to its end with this on its standard input.
fn fed(command: &mut Command, input: &str) -> Output {
    let mut process = command.spawn().expect("the program starts");
    let mut pipe = process.stdin.take().expect("the program has an input");
    let writing = thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input.as_bytes()));
        process.wait_with_output()
    });
    writing.expect("the program ends")
}
