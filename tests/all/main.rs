//! The tests of the whole system, in one program.
#![expect(clippy::unwrap_used, reason = "a helper of tests reports by panicking")]

mod backfill;
mod cli;
mod ingest;
mod input;
mod input_limits;
mod opensearch;
mod plugin;
mod prometheus;
mod readme;
mod search;
mod servers;
mod truth;
mod wit;
