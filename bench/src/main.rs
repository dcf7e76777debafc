//! The benchmarks: what the sandbox's boundary costs, and how fast whole pipelines are.

mod aggregation;
mod boundary;
mod delivery;
mod hosts;
mod ingest;
mod pipeline;
mod server;
mod spread;
mod start;
mod usage;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use serde::Serialize;

/// Measures metricast
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Option<Benchmark>,
    #[command(flatten)]
    boundary: boundary::Boundary,
}

#[derive(Subcommand)]
enum Benchmark {
    /// What a record costs inside the sandbox and outside of it; what runs where nothing is said
    Boundary(boundary::Boundary),
    /// A file of records on its way to a backend that takes everything
    Pipeline(pipeline::Pipeline),
    /// Records into metrics, and metrics onto a page
    Aggregation(aggregation::Aggregation),
    /// Records over HTTP into a running metricast
    Ingest(ingest::Ingest),
    /// Pushes, the Rust API, a composite, and a service in another host
    Hosts(hosts::Hosts),
    /// How long the command takes to be ready, and what it holds when nothing happens
    Start(start::Start),
    /// A durable queue beside one in memory
    Durable(delivery::acknowledge::Acknowledge),
    /// A large backlog: disk, memory, recovery
    Backlog(delivery::backlog::Backlog),
    /// A healthy publisher beside sick ones
    Isolation(delivery::isolation::Isolation),
    /// The saving of a state of 100,000 series
    Snapshot(delivery::snapshot::Snapshot),
    /// For the others: the senders
    #[command(hide = true)]
    Load(ingest::load::Load),
    /// For the others: the backend
    #[command(hide = true)]
    Sink {
        /// Where it listens
        #[arg(default_value = "127.0.0.1:0")]
        address: String,
    },
    /// For the others: one way of the pipeline
    #[command(hide = true)]
    Lane { lane: pipeline::Lane, config: PathBuf, file: PathBuf },
}

fn main() -> Result<()> {
    let Arguments { benchmark, boundary } = Arguments::parse();
    match benchmark.unwrap_or(Benchmark::Boundary(boundary)) {
        Benchmark::Boundary(arguments) => boundary::run(&arguments),
        Benchmark::Pipeline(arguments) => pipeline::run(&arguments),
        Benchmark::Aggregation(arguments) => aggregation::run(&arguments),
        Benchmark::Ingest(arguments) => ingest::run(&arguments),
        Benchmark::Hosts(arguments) => hosts::run(&arguments),
        Benchmark::Start(arguments) => start::run(&arguments),
        Benchmark::Durable(arguments) => delivery::acknowledge::run(&arguments),
        Benchmark::Backlog(arguments) => delivery::backlog::run(&arguments),
        Benchmark::Isolation(arguments) => delivery::isolation::run(&arguments),
        Benchmark::Snapshot(arguments) => delivery::snapshot::run(&arguments),
        Benchmark::Load(arguments) => ingest::load::run(&arguments),
        Benchmark::Sink { address } => pipeline::run_sink(&address),
        Benchmark::Lane { lane, config, file } => pipeline::run_lane(lane, &config, &file),
    }
}

/// A program that was built with this one.
fn beside(name: &str) -> Result<PathBuf> {
    let program = env::current_exe().context("where this program is")?.with_file_name(name);
    ensure!(program.is_file(), "there is no {}: `cargo xtask bench` builds it", program.display());
    Ok(program)
}

/// Writes figures for programs.
fn write_json(path: &Path, figures: &impl Serialize) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(figures)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nAll figures are in {}", path.display());
    Ok(())
}
