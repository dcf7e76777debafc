//! The state of 100,000 series: how long the plugin takes to give it, and the database to keep it.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use metricast::plugin::PluginRuntime;
use metricast_store::meta::{Change, Limits, Meta, PublisherChange, State, StateChange};
use serde::Serialize;
use std::sync::Arc;

use super::Folder;
use crate::aggregation::page;
use crate::boundary::{components, subject};
use crate::spread::Spread;

/// Measures the saving of a large state
#[derive(Args)]
pub(crate) struct Snapshot {
    /// Rounds
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the figures go as JSON [default: bench/results/snapshot.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    series: usize,
    bytes: usize,
    rounds: u32,
    snapshot_ms: Spread,
    commit_ms: Spread,
}

pub(crate) fn run(arguments: &Snapshot) -> Result<()> {
    let components = components::build()?;
    let plugins = PluginRuntime::new()?;
    let callers = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let instance = callers.block_on(subject::prometheus(&components, page::CONFIG, &plugins))?;
    for batch in page::batches()? {
        callers.block_on(instance.publish(Arc::clone(&batch)))?;
    }
    let folder = Folder::new("snapshot-queue")?;
    std::fs::create_dir_all(folder.path())?;
    let (meta, _) = Meta::open(folder.path(), Limits::default())?;
    let (mut snapshots, mut commits, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.rounds {
        let start = Instant::now();
        let saved = callers.block_on(instance.snapshot())?.context("it keeps state")?;
        snapshots.push(start.elapsed().as_secs_f64() * 1e3);
        bytes = saved.state.len();
        let start = Instant::now();
        let state = State { version: saved.version, next_offset: saved.next_offset, bytes: saved.state.to_vec() };
        let state = Some(StateChange::Set(state));
        let publisher = PublisherChange { name: "bench".to_owned(), state, ..PublisherChange::default() };
        meta.commit_and_wait(Change { publishers: vec![publisher], ..Change::default() })?;
        commits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let (snapshot_ms, commit_ms) = (Spread::of(snapshots), Spread::of(commits));
    let report = Report { series: page::SERIES, bytes, rounds: arguments.rounds, snapshot_ms, commit_ms };
    let (megabytes, series) = (bytes as f64 / 1e6, report.series);
    println!("{series} series, a state of {megabytes:.1} MB, min / median / max of {} rounds\n", report.rounds);
    println!("given by the plugin in {} ms, kept in {} ms", snapshot_ms.text(1), commit_ms.text(1));
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/snapshot.json"));
    crate::write_json(&json, &report)
}
