//! `cargo xtask demo`: metricast as a new user meets it, with the sample records.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use xtask::workspace;

use crate::{cargo, prerequisites};
use service::Service;
use totals::Totals;

mod exposition;
mod report;
mod service;
mod totals;

/// How long the last batches may take to be counted.
const COUNTING: Duration = Duration::from_secs(30);

/// Arguments of `cargo xtask demo`.
#[derive(Args)]
pub(crate) struct Demo {
    /// End by itself, and fail unless everything in the file came out
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        prerequisites::for_building()?;
        cargo::run(&["build", "--package", "metricast"])?;
        let program = cargo::programs()?.join("metricast");
        let records = workspace().join("tests/data/event-pipeline.ndjson");
        let expected = Totals::of_file(&records)?;
        let interrupted = service::on_interrupt()?;
        let service = Service::start(&program)?;
        publish(&program, &service, &records)?;
        let scrape = wait_for_totals(&service, &expected)?;
        print!("{}", report::report(&scrape));
        print_addresses(&service, &program, &records);
        if self.once {
            service.stop()?;
            println!("\nEverything in the file came out, and metricast ended in order.");
            return Ok(ExitCode::SUCCESS);
        }
        println!("\nCtrl-C ends it.");
        service.run_until(&interrupted)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn publish(program: &Path, service: &Service, records: &Path) -> Result<()> {
    let mut command = std::process::Command::new(program);
    command.args(["publish", "--to"]).arg(service.ingest_url()).arg(records);
    println!("\n$ metricast publish --to {} {}", service.ingest_url(), shown(records).display());
    let status = command.status().context("cannot start metricast publish")?;
    ensure!(status.success(), "metricast publish failed ({status})");
    Ok(())
}

/// Scrapes until all that was published is counted.
fn wait_for_totals(service: &Service, expected: &Totals) -> Result<Vec<exposition::Sample>> {
    let end = Instant::now() + COUNTING;
    loop {
        let samples = exposition::samples(&service.scrape()?)?;
        let found = Totals::of_samples(&samples);
        if found == *expected {
            return Ok(samples);
        }
        ensure!(Instant::now() < end, "{found} at the metrics, {expected} in the file");
        thread::sleep(Duration::from_millis(100));
    }
}

fn print_addresses(service: &Service, program: &Path, records: &Path) {
    let (program, records) = (shown(program), shown(records));
    println!("\nWhat Prometheus would scrape:\n    {}", service.metrics_url());
    println!("Once more (counters go up):");
    println!("    {} publish --to {} {}", program.display(), service.ingest_url(), records.display());
}

/// A path as one would type it at the root of the workspace.
fn shown(path: &Path) -> PathBuf {
    path.strip_prefix(workspace()).unwrap_or(path).to_path_buf()
}
