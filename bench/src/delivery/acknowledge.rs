//! Records over HTTP into two of `metricast run` in turn, one with its queue in memory and one with a durable queue: how
//! many are acknowledged in a second, and how long an acknowledgement takes.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::Folder;
use crate::ingest::load::Sent;
use crate::ingest::send;
use crate::server::Server;
use crate::spread::Spread;

const SENDERS: [usize; 3] = [1, 16, 256];
const RECORDS: [usize; 2] = [10, 1_000];
const PUBLISHER: &str = "[[publishers]]\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:0\"\n";
/// Durable of memory, in records a second.
const AIM: f64 = 0.7;

/// Measures a durable queue beside one in memory
#[derive(Args)]
pub(crate) struct Acknowledge {
    /// Requests of a round, for each number of senders, size of requests and queue
    #[arg(long, default_value_t = 4_000)]
    requests: usize,
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the figures go as JSON [default: bench/results/durable.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// One queue with one number of senders and size of requests.
#[derive(Serialize)]
struct Figure {
    durable: bool,
    senders: usize,
    records_a_request: usize,
    records_a_second: Spread,
    p50_ms: Spread,
    p99_ms: Spread,
    p999_ms: Spread,
}

#[derive(Serialize)]
struct Report {
    requests: usize,
    rounds: u32,
    figures: Vec<Figure>,
    /// Durable of memory in records a second, round by round.
    ratios: Vec<(usize, usize, Spread)>,
}

pub(crate) fn run(arguments: &Acknowledge) -> Result<()> {
    let folder = Folder::new("durable-queue")?;
    let durable = format!("[queue]\npath = \"{}\"\n{PUBLISHER}", folder.path().display());
    let servers = [Server::start(None, PUBLISHER)?, Server::start(None, &durable)?];
    let settings: Vec<_> = RECORDS.iter().flat_map(|&records| SENDERS.map(|senders| (senders, records))).collect();
    let mut rounds: Vec<[Vec<Sent>; 2]> = settings.iter().map(|_| Default::default()).collect();
    for round in 0..arguments.rounds as usize {
        for (&(senders, records), sent) in settings.iter().zip(&mut rounds) {
            for at in 0..servers.len() {
                let at = (at + round) % servers.len();
                sent[at].push(send(&servers[at], senders, records, arguments.requests)?.0);
            }
        }
    }
    let mut report =
        Report { requests: arguments.requests, rounds: arguments.rounds, figures: Vec::new(), ratios: Vec::new() };
    for (&(senders, records), sent) in settings.iter().zip(&rounds) {
        report
            .figures
            .extend([false, true].map(|durable| figure(durable, senders, records, &sent[usize::from(durable)])));
        let ratios = sent[0].iter().zip(&sent[1]).map(|(memory, durable)| memory.seconds / durable.seconds);
        report.ratios.push((senders, records, Spread::of(ratios)));
    }
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/durable.json"));
    crate::write_json(&json, &report)
}

fn figure(durable: bool, senders: usize, records_a_request: usize, rounds: &[Sent]) -> Figure {
    let spread = |figure: fn(&Sent) -> f64| Spread::of(rounds.iter().map(figure));
    Figure {
        durable,
        senders,
        records_a_request,
        records_a_second: spread(|sent| sent.accepted as f64 / sent.seconds),
        p50_ms: spread(|sent| sent.median_ms),
        p99_ms: spread(|sent| sent.p99_ms),
        p999_ms: spread(|sent| sent.p999_ms),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} requests a round, min / median / max of {} rounds\n", self.requests, self.rounds)?;
        writeln!(f, "| records a request | senders | queue | records a second | p50 ms | p99 ms | p99.9 ms |")?;
        writeln!(f, "| ---: | ---: | --- | ---: | ---: | ---: | ---: |")?;
        for figure in &self.figures {
            let Figure { senders, records_a_request, records_a_second, .. } = figure;
            let queue = if figure.durable { "durable" } else { "memory" };
            let [p50, p99, p999] = [figure.p50_ms, figure.p99_ms, figure.p999_ms].map(|spread| spread.text(2));
            let rate = records_a_second.text(0);
            writeln!(f, "| {records_a_request} | {senders} | {queue} | {rate} | {p50} | {p99} | {p999} |")?;
        }
        writeln!(f)?;
        for (senders, records, ratio) in &self.ratios {
            let verdict = if ratio.median >= AIM { "met" } else { "missed" };
            writeln!(
                f,
                "{records} a request, {senders} senders: durable is {} of memory, aim {AIM}: {verdict}",
                ratio.text(2)
            )?;
        }
        Ok(())
    }
}
