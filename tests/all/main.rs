//! The tests of the whole system, in one program.
#![expect(clippy::unwrap_used, reason = "a helper of tests reports by panicking")]

mod admin;
mod api;
mod architecture;
mod backfill;
mod cli;
mod compose;
mod conformance;
mod crash;
mod dead_letters;
mod elasticsearch;
mod faulty;
mod from_python;
mod grafana_cloud;
mod hosts;
mod ingest;
mod input;
mod input_limits;
mod isolation;
mod over_time;
mod plugin;
mod plugin_python;
mod prometheus;
mod readme;
mod reload;
mod servers;
mod split;
mod stopping;
mod truth;
mod wit;
