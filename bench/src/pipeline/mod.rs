//! The whole way of a record: from a file on disk to a backend on loopback that takes everything, in three forms: the
//! command as users run it, and the same pipeline with the plugin's code in the sandbox and natively.

pub(crate) mod data;
pub(crate) mod http;
mod lane;
mod native;
mod report;
mod sink;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::usage::{self, Usage};
pub(crate) use lane::Lane;
pub(crate) use lane::run as run_lane;
pub(crate) use sink::run as run_sink;

/// Measures a file of records on its way to a backend that takes everything
#[derive(Args)]
pub(crate) struct Pipeline {
    /// Records in the file
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Rounds, each through every way
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure with bodies compressed by gzip as well
    #[arg(long)]
    gzip: bool,
    /// The command, where it is another one than that beside this program
    #[arg(long, value_name = "PATH")]
    metricast: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench/results/pipeline.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// A way from the file to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// `metricast publish`.
    Command,
    /// The benchmark's own pipeline.
    Own(Lane),
}

const WAYS: [Way; 3] = [Way::Command, Way::Own(Lane::Sandbox), Way::Own(Lane::Native)];

/// One way in one round.
#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    way: Way,
    gzip: bool,
    round: u32,
    usage: Usage,
    /// Processor time of the backend meanwhile.
    sink_cpu_seconds: f64,
    /// Bytes of bodies that it got.
    sent: u64,
}

pub(crate) fn run(arguments: &Pipeline) -> Result<()> {
    let file = data::file(arguments.records)?;
    let sink = Sink::start()?;
    let metricast = match &arguments.metricast {
        Some(path) => path.clone(),
        None => crate::beside("metricast")?,
    };
    let forms = if arguments.gzip { &[false, true][..] } else { &[false] };
    let mut runs = Vec::new();
    for round in 0..arguments.rounds {
        for &gzip in forms {
            let config = config(&sink.address, gzip)?;
            for at in 0..WAYS.len() {
                let way = WAYS[(at + round as usize) % WAYS.len()];
                let command = way.command(&metricast, &config, &file)?;
                runs.push(sink.measure(way, gzip, round, command, arguments.records)?);
                eprintln!("{}", report::line(&runs[runs.len() - 1], arguments.records));
            }
        }
    }
    let length = fs::metadata(&file)?.len();
    let report = report::Report::new(arguments.records, length, arguments.rounds, runs);
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/pipeline.json"));
    crate::write_json(&json, &report)
}

impl Way {
    fn command(self, metricast: &Path, config: &Path, file: &Path) -> Result<Command> {
        let mut command = match self {
            Self::Command => {
                let mut command = Command::new(metricast);
                command.args(["publish", "--config"]);
                command
            }
            Self::Own(lane) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["lane", if lane == Lane::Native { "native" } else { "sandbox" }]);
                command
            }
        };
        command.arg(config).arg(file);
        Ok(command)
    }
}

fn config(address: &str, gzip: bool) -> Result<PathBuf> {
    let compression = if gzip { "compression = \"gzip\"\n" } else { "" };
    let text = format!(
        "[[publishers]]\nname = \"sink\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://{address}\"]\nindex_prefix = \"bench\"\n{compression}"
    );
    let path =
        xtask::workspace().join(if gzip { "target/bench-data/gzip.toml" } else { "target/bench-data/plain.toml" });
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The backend, in a process of its own that ends with this value.
pub(crate) struct Sink {
    child: Child,
    pub(crate) address: String,
}

impl Sink {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        Self::start_at("127.0.0.1:0")
    }

    /// Starts it at an address.
    pub(crate) fn start_at(address: &str) -> Result<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).args(["sink", address]).stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = child.stdout.take().context("its output is piped")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }

    /// What it has got since it was asked before.
    pub(crate) fn totals(&self) -> Result<sink::Totals> {
        let (status, body) = http::get(&self.address, sink::TOTALS)?;
        ensure!(status == 200, "the sink answers {status}");
        Ok(serde_json::from_slice(&body)?)
    }

    fn measure(&self, way: Way, gzip: bool, round: u32, command: Command, records: usize) -> Result<Run> {
        let cpu = usage::cpu_seconds(&self.child)?;
        let usage = usage::of(command)?;
        let totals = self.totals()?;
        ensure!(totals.documents == records as u64, "the sink has {} documents of {records}", totals.documents);
        let sink_cpu_seconds = usage::cpu_seconds(&self.child)? - cpu;
        Ok(Run { way, gzip, round, usage, sink_cpu_seconds, sent: totals.bytes })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It may have ended by itself, and what is left to do then is the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
