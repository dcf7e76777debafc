//! What comes as a Python package: put into a folder of its own, where `PYTHONPATH` finds it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step;

/// The reference implementation of OpenMetrics, a parser in Python: the version of the package `prometheus-client`.
pub(super) const OPEN_METRICS: &str = "0.26.0";

/// Puts the parser into `folder`.
pub(super) fn install_open_metrics(folder: &Path) -> Result<()> {
    install("prometheus-client", OPEN_METRICS, folder)
}

/// Puts a package that needs no other one into `folder`.
pub(super) fn install(package: &str, version: &str, folder: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]).arg(folder);
    step::run(pip.arg(format!("{package}=={version}")))?;
    Ok(())
}
