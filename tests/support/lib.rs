//! What the tests of the whole system stand on: real servers, a scripted one for faults, `metricast` itself as a
//! process, and the sample records.
//!
//! All of it is for tests: where something does not work it panics and says why.
#![expect(clippy::missing_panics_doc, reason = "helpers of tests report by panicking")]

use std::path::{Path, PathBuf};

pub mod fault_proxy;
pub mod grafana;
pub mod http;
pub mod metricast;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod promql;
pub mod search;
mod skip;
pub mod stub;
pub mod tls;
pub mod victoria_metrics;
pub mod wait;

pub use skip::{require, skipped};
pub use xtask::servers::{Host, Server};

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}
