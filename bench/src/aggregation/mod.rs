//! Records into metrics, and metrics onto a page: the Prometheus plugin in the sandbox and natively, with the official
//! Rust client beside it.

pub(crate) mod page;
mod peer;

use std::fmt;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use metricast::plugin::{Instance, PluginRuntime};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::boundary::lanes::Twin;
use crate::boundary::records::{self, Batches, RECORDS, SIZES};
use crate::boundary::{components, subject};
use crate::spread::Spread;
use peer::Peer;

/// Records a batch, as deliveries hand them over.
const AT: usize = 1_000;
/// The design's, nanoseconds a record in the sandbox.
const AIM: f64 = 25.0;
const WARM_UP: u32 = 3;

/// Measures the aggregation into metrics, and pages of 100,000 series
#[derive(Args)]
pub(crate) struct Aggregation {
    /// Rounds that count: each brings 10,000 records through every way
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Pages of each format
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pages: u32,
    /// Measure the components of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    components: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench/results/aggregation.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    records_a_batch: usize,
    rounds: u32,
    /// Nanoseconds a record.
    sandbox: Spread,
    native: Spread,
    prometheus_client: Spread,
    pages: Vec<page::Figure>,
}

pub(crate) fn run(arguments: &Aggregation) -> Result<()> {
    let components = match &arguments.components {
        Some(folder) => components::in_folder(folder)?,
        None => components::build()?,
    };
    let plugins = PluginRuntime::new()?;
    let callers = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let open = |config| callers.block_on(subject::prometheus(&components, config, &plugins));
    let (instance, twin) = (open("{}")?, subject::prometheus_twin()?);
    let size = SIZES.iter().position(|&size| size == AT).unwrap_or_default();
    let batches = records::batches("")?[size].clone();
    let [sandbox, native, prometheus_client] =
        records(&batches, &instance, twin, &callers, &plugins, arguments.rounds)?;
    let pages = page::measure(&open(page::CONFIG)?, &callers, arguments.pages)?;

    let report = Report { records_a_batch: AT, rounds: arguments.rounds, sandbox, native, prometheus_client, pages };
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/aggregation.json"));
    crate::write_json(&json, &report)
}

/// Nanoseconds a record: sandboxed, natively, by the official client.
fn records(
    batches: &Batches,
    instance: &Instance,
    mut twin: Twin,
    callers: &Runtime,
    plugins: &PluginRuntime,
    rounds: u32,
) -> Result<[Spread; 3]> {
    let peer = Peer::new();
    let mut times = [const { Vec::new() }; 3];
    for round in 0..WARM_UP + rounds {
        let sandbox = callers.block_on(plugins.spawn(sandboxed(instance.clone(), batches.clone())))??;
        let native = timed(|| batches.iter().try_for_each(|batch| twin(black_box(batch)).map(drop)))?;
        let official = timed(|| {
            batches.iter().for_each(|batch| peer.publish(black_box(batch)));
            Ok(())
        })?;
        if round >= WARM_UP {
            for (times, time) in times.iter_mut().zip([sandbox, native, official]) {
                times.push(time);
            }
        }
    }
    Ok(times.map(Spread::of))
}

async fn sandboxed(instance: Instance, batches: Batches) -> Result<f64> {
    let start = Instant::now();
    for batch in batches.iter() {
        instance.publish(batch.clone()).await?;
    }
    Ok(start.elapsed().as_nanos() as f64 / RECORDS as f64)
}

fn timed(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_nanos() as f64 / RECORDS as f64)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounds, size) = (self.rounds, self.records_a_batch);
        writeln!(f, "Nanoseconds a record at {size} a batch, min / median / max of {rounds} rounds\n")?;
        writeln!(f, "| sandboxed | native | prometheus-client |\n| ---: | ---: | ---: |")?;
        let [sandbox, native, official] =
            [self.sandbox, self.native, self.prometheus_client].map(|spread| spread.text(1));
        writeln!(f, "| {sandbox} | {native} | {official} |\n")?;
        let verdict = if self.sandbox.median <= AIM { "met" } else { "missed" };
        writeln!(f, "sandboxed: {:.1} ns, aim {AIM}: {verdict}\n", self.sandbox.median)?;
        page::write(&self.pages, f)
    }
}
