//! What the sandbox's boundary costs, beside the same code compiled natively.

pub(crate) mod components;
pub(crate) mod lanes;
mod measure;
pub(crate) mod records;
mod report;
pub(crate) mod subject;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use metricast::plugin::PluginRuntime;

/// Measures what a record costs inside the sandbox and outside of it, in nanoseconds
#[derive(Args)]
pub(crate) struct Boundary {
    /// Rounds that count: each brings all records through every way, at every batch size
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure the components of this folder, instead of building them
    #[arg(long, value_name = "FOLDER")]
    components: Option<PathBuf>,
    /// Where the figures go as JSON [default: bench/results/boundary.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Boundary) -> Result<()> {
    let components = match &arguments.components {
        Some(folder) => components::in_folder(folder)?,
        None => components::build()?,
    };

    let plugins = PluginRuntime::new()?;
    // What the command itself runs on: calls from there reach a plugin on another thread.
    let callers = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut subjects = callers.block_on(subject::open(&components, &plugins))?;
    let figures = measure::run(&mut subjects, &callers, &plugins, arguments.rounds)?;

    let report = report::Report::new(arguments.rounds, &components, figures);
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/boundary.json"));
    crate::write_json(&json, &report)
}
