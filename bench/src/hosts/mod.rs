//! What is beside the host's own pipeline: pushes, the Rust API, a composite component, and a service in a host that is
//! not ours.

mod api;
mod composite;
mod push;
mod service;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::boundary::components;

/// Measures pushes, the Rust API, the composite and the gateway
#[derive(Args)]
pub(crate) struct Hosts {
    /// Rounds
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Where the figures go as JSON [default: bench/results/hosts.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    rounds: u32,
    pushes: Vec<push::Figure>,
    api: api::Figure,
    composite: composite::Figure,
    /// None where the foreign host was not fetched.
    service: Option<service::Figure>,
}

pub(crate) fn run(arguments: &Hosts) -> Result<()> {
    let rounds = arguments.rounds;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let pushes = push::measure(rounds)?;
    push::print(&pushes);
    let api = runtime.block_on(api::measure(rounds))?;
    api.print();
    let components = components::build()?;
    let composite = runtime.block_on(composite::measure(&components, rounds))?;
    composite.print();
    let service = service::measure(&components, rounds)?;
    service.iter().for_each(service::Figure::print);
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/hosts.json"));
    crate::write_json(&json, &Report { rounds, pushes, api, composite, service })
}
