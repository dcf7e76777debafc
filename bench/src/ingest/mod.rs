//! Records over HTTP into `metricast run`, which aggregates them for Prometheus: how many senders it serves how fast.

pub(crate) mod load;

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::server::Server;
use crate::spread::Spread;
use crate::usage;
use load::Sent;

const SENDERS: [usize; 3] = [1, 16, 64];
const RECORDS: [usize; 2] = [100, 1_000];
const CONFIG: &str = "[[publishers]]\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:0\"\n";

/// Measures records over HTTP into a running metricast
#[derive(Args)]
pub(crate) struct Ingest {
    /// Records of a round, for each number of senders and size of requests
    #[arg(long, default_value_t = 400_000)]
    records: usize,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The command, where it is another one than that beside this program
    #[arg(long, value_name = "PATH")]
    metricast: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench/results/ingest.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// One number of senders with one size of requests.
#[derive(Serialize)]
struct Figure {
    senders: usize,
    records_a_request: usize,
    records_a_second: Spread,
    records_a_cpu_second: Spread,
    median_ms: Spread,
    p99_ms: Spread,
}

#[derive(Serialize)]
struct Report {
    records: usize,
    rounds: u32,
    /// The most memory that metricast held in the whole run.
    peak_bytes: u64,
    figures: Vec<Figure>,
}

/// One round: what the senders saw, and metricast's processor time.
type Round = (Sent, f64);

pub(crate) fn run(arguments: &Ingest) -> Result<()> {
    let server = Server::start(arguments.metricast.as_deref(), CONFIG)?;
    let settings: Vec<_> = RECORDS.iter().flat_map(|&records| SENDERS.map(|senders| (senders, records))).collect();
    let mut rounds: Vec<Vec<Round>> = settings.iter().map(|_| Vec::new()).collect();
    for round in 0..arguments.rounds as usize {
        for at in 0..settings.len() {
            let at = (at + round) % settings.len();
            let (senders, records) = settings[at];
            rounds[at].push(send(&server, senders, records, arguments.records / records)?);
        }
    }
    let peak_bytes = usage::peak(&server.child)?;
    let figures = settings.iter().zip(&rounds).map(|(&(senders, records), rounds)| figure(senders, records, rounds));
    let report =
        Report { records: arguments.records, rounds: arguments.rounds, peak_bytes, figures: figures.collect() };
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/ingest.json"));
    crate::write_json(&json, &report)
}

/// Sends from a process of its own, and says what metricast worked meanwhile, in seconds.
pub(crate) fn send(server: &Server, senders: usize, records: usize, requests: usize) -> Result<Round> {
    let before = usage::cpu_seconds(&server.child)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["load", &server.ingest, "--senders", &senders.to_string()]);
    command.args(["--records", &records.to_string(), "--requests", &requests.to_string()]);
    let output = command.output().context("cannot start the senders")?;
    ensure!(output.status.success(), "the senders failed: {}", String::from_utf8_lossy(&output.stderr));
    let sent: Sent = serde_json::from_slice(&output.stdout)?;
    ensure!(sent.accepted == (records * requests) as u64, "only {} records were accepted", sent.accepted);
    Ok((sent, usage::cpu_seconds(&server.child)? - before))
}

fn figure(senders: usize, records_a_request: usize, rounds: &[Round]) -> Figure {
    let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    Figure {
        senders,
        records_a_request,
        records_a_second: spread(|(sent, _)| sent.accepted as f64 / sent.seconds),
        records_a_cpu_second: spread(|(sent, cpu)| sent.accepted as f64 / cpu),
        median_ms: spread(|(sent, _)| sent.median_ms),
        p99_ms: spread(|(sent, _)| sent.p99_ms),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records a round, min / median / max of {} rounds\n", self.records, self.rounds)?;
        writeln!(f, "| records a request | senders | records a second | records a CPU second | ms a request | p99 |")?;
        writeln!(f, "| ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for figure in &self.figures {
            let Figure { senders, records_a_request, .. } = figure;
            let [rate, cpu] = [figure.records_a_second, figure.records_a_cpu_second].map(|spread| spread.text(0));
            let [median, p99] = [figure.median_ms, figure.p99_ms].map(|spread| spread.text(2));
            writeln!(f, "| {records_a_request} | {senders} | {rate} | {cpu} | {median} | {p99} |")?;
        }
        writeln!(f, "\nmetricast held {:.0} MB at most", self.peak_bytes as f64 / 1e6)
    }
}
