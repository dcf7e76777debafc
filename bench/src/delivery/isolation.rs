//! A healthy publisher alone, and beside one whose backend never answers and one whose plugin breaks on every batch: how
//! fast its records arrive, and how long senders wait.

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::backlog::all_arrive;
use super::{Folder, search};
use crate::boundary::components;
use crate::ingest::load::Sent;
use crate::ingest::send;
use crate::pipeline::Sink;
use crate::server::Server;
use crate::spread::Spread;

const SENDERS: usize = 16;
const RECORDS: usize = 100;
const THROUGHPUT_AIM: f64 = 0.95;
const WAIT_AIM: f64 = 1.5;

/// Measures a healthy publisher beside sick ones
#[derive(Args)]
pub(crate) struct Isolation {
    /// Records of a round
    #[arg(long, default_value_t = 4_000_000)]
    records: usize,
    /// Rounds
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the figures go as JSON [default: bench/results/isolation.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// One round of one setting.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Till all were at the healthy one's backend.
    records_a_second: f64,
    sent: Sent,
}

#[derive(Serialize)]
struct Figure {
    records_a_second: Spread,
    p50_ms: Spread,
    p99_ms: Spread,
}

#[derive(Serialize)]
struct Report {
    records: usize,
    rounds: u32,
    alone: Figure,
    beside_sick_ones: Figure,
    /// Beside sick ones of alone, round by round.
    throughput: Spread,
    p99: Spread,
}

pub(crate) fn run(arguments: &Isolation) -> Result<()> {
    let breaking = components::build()?.empty.path;
    let breaking = breaking.to_str().context("a path that is no text")?;
    // Who connects waits for an answer that never comes.
    let hung = TcpListener::bind("127.0.0.1:0")?;
    let sick = format!(
        "{}[[publishers]]\nname = \"breaking\"\nplugin = {breaking:?}\n[publishers.config]\npanics = true\n",
        search("hung", &hung.local_addr()?.to_string()),
    );
    let mut rounds: [Vec<Round>; 2] = Default::default();
    for round in 0..arguments.rounds as usize {
        for at in 0..rounds.len() {
            let at = (at + round) % rounds.len();
            rounds[at].push(measure(arguments.records, if at == 0 { "" } else { &sick })?);
        }
    }
    let ratio = |of: fn(&Round) -> f64| {
        Spread::of(rounds[0].iter().zip(&rounds[1]).map(|(alone, beside)| of(beside) / of(alone)))
    };
    let report = Report {
        records: arguments.records,
        rounds: arguments.rounds,
        alone: figure(&rounds[0]),
        beside_sick_ones: figure(&rounds[1]),
        throughput: ratio(|round| round.records_a_second),
        p99: ratio(|round| round.sent.p99_ms),
    };
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/isolation.json"));
    crate::write_json(&json, &report)
}

fn measure(records: usize, others: &str) -> Result<Round> {
    let folder = Folder::new("isolation-queue")?;
    let sink = Sink::start()?;
    let config =
        format!("[queue]\npath = \"{}\"\n{}{others}", folder.path().display(), search("healthy", &sink.address));
    let server = Server::start(None, &config)?;
    let began = Instant::now();
    let (sent, _) = send(&server, SENDERS, RECORDS, records / RECORDS)?;
    all_arrive(&sink, sent.accepted)?;
    Ok(Round { records_a_second: sent.accepted as f64 / began.elapsed().as_secs_f64(), sent })
}

fn figure(rounds: &[Round]) -> Figure {
    let spread = |figure: fn(&Round) -> f64| Spread::of(rounds.iter().map(figure));
    Figure {
        records_a_second: spread(|round| round.records_a_second),
        p50_ms: spread(|round| round.sent.median_ms),
        p99_ms: spread(|round| round.sent.p99_ms),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, rounds) = (self.records, self.rounds);
        writeln!(
            f,
            "{records} records a round by {SENDERS} senders, {RECORDS} a request, min / median / max of {rounds} rounds\n"
        )?;
        writeln!(f, "| healthy publisher | records a second at its backend | p50 ms | p99 ms |")?;
        writeln!(f, "| --- | ---: | ---: | ---: |")?;
        for (name, figure) in [("alone", &self.alone), ("beside sick ones", &self.beside_sick_ones)] {
            let [p50, p99] = [figure.p50_ms, figure.p99_ms].map(|spread| spread.text(2));
            writeln!(f, "| {name} | {} | {p50} | {p99} |", figure.records_a_second.text(0))?;
        }
        let verdict = |met| if met { "met" } else { "missed" };
        let [throughput, p99] = [self.throughput.text(2), self.p99.text(2)];
        writeln!(
            f,
            "\nthroughput beside sick ones: {throughput} of alone, aim {THROUGHPUT_AIM}: {}",
            verdict(self.throughput.median >= THROUGHPUT_AIM)
        )?;
        writeln!(
            f,
            "p99 of the acknowledgement: {p99} times that of alone, aim {WAIT_AIM}: {}",
            verdict(self.p99.median <= WAIT_AIM)
        )
    }
}
