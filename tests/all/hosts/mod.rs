//! Plugins and services in hosts that this project did not write, unchanged as the build or `metricast compose` made
//! them: the wasmtime command line, wash, wasmtime for Python, jco on Node.js. What cannot be run here is held against
//! what its host provides.

mod jco;
mod python;
mod service;
mod spin;
mod wash;
mod wasmtime;

use std::process::{Command, Output};

const PROMETHEUS: &str = env!("PROMETHEUS");
const ELASTICSEARCH: &str = env!("ELASTICSEARCH");
const GRAFANA_CLOUD: &str = env!("GRAFANA_CLOUD");

/// Runs a command that must succeed; what it wrote to standard output.
fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
