//! What is waited for before anything is done: a start with a warm cache of compiled plugins, one line formatted. And
//! what is held while nothing happens.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use xtask::guests;

use crate::pipeline::{Sink, data};
use crate::server::Server;
use crate::spread::Spread;
use crate::usage;

/// After the start, for what is still being given back.
const SETTLED: Duration = Duration::from_secs(2);

/// Measures starts, idle memory and the sizes of components
#[derive(Args)]
pub(crate) struct Start {
    /// Rounds, after one that fills the cache
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The command, where it is another one than that beside this program
    #[arg(long, value_name = "PATH")]
    metricast: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench/results/start.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    rounds: u32,
    /// `metricast run` with one Prometheus publisher, until it takes records.
    run_ready_ms: Spread,
    /// `metricast format` of one line, from start to end.
    format_ms: Spread,
    format_cpu_ms: Spread,
    /// With a Prometheus and two Elasticsearch publishers open and no records.
    idle_bytes: u64,
    components: Vec<(String, u64)>,
}

pub(crate) fn run(arguments: &Start) -> Result<()> {
    let one = "[[publishers]]\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:0\"\n";
    let metricast = match &arguments.metricast {
        Some(path) => path.clone(),
        None => crate::beside("metricast")?,
    };
    let line = xtask::workspace().join("target/bench-data/one.ndjson");
    let (mut ready, mut formats, mut format_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        let server = Server::start(Some(&metricast), one)?;
        let ready_after = server.ready_after;
        drop(server);
        fs::write(&line, &data::real_lines()?[0])?;
        let mut format = Command::new(&metricast);
        format.arg("format").arg(&line);
        let format = usage::of(format)?;
        if round > 0 {
            ready.push(ready_after.as_secs_f64() * 1e3);
            formats.push(format.seconds * 1e3);
            format_cpu.push(format.cpu_seconds * 1e3);
        }
    }
    let report = Report {
        rounds: arguments.rounds,
        run_ready_ms: Spread::of(ready),
        format_ms: Spread::of(formats),
        format_cpu_ms: Spread::of(format_cpu),
        idle_bytes: idle(&metricast, one)?,
        components: components()?,
    };
    report.print();
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/start.json"));
    crate::write_json(&json, &report)
}

fn idle(metricast: &std::path::Path, one: &str) -> Result<u64> {
    let sink = Sink::start()?;
    let search = |name: &str| {
        format!(
            "[[publishers]]\nname = \"{name}\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://{}\"]\nindex_prefix = \"{name}\"\n",
            sink.address
        )
    };
    let server = Server::start(Some(metricast), &format!("{one}{}{}", search("search"), search("archive")))?;
    thread::sleep(SETTLED);
    usage::resident(&server.child)
}

fn components() -> Result<Vec<(String, u64)>> {
    let target = xtask::workspace().join("target/guests");
    let files = guests::build(guests::BUNDLED, &target)?;
    let sized = |(name, file): (&&str, &PathBuf)| Ok(((*name).to_owned(), fs::metadata(file)?.len()));
    guests::BUNDLED.iter().zip(&files).map(sized).collect()
}

impl Report {
    fn print(&self) {
        println!("min / median / max of {} rounds, with a warm cache\n", self.rounds);
        println!("metricast run takes records after: {} ms (aim 100)", self.run_ready_ms.text(1));
        let (time, cpu) = (self.format_ms.text(1), self.format_cpu_ms.text(1));
        println!("metricast format of one line: {time} ms (aim 50), {cpu} ms of processor time");
        println!("idle with three publishers: {:.1} MB resident (aim 40)", self.idle_bytes as f64 / 1e6);
        for (name, bytes) in &self.components {
            println!("component of {name}: {bytes} bytes");
        }
    }
}
