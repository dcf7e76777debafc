//! The reference implementation of OpenMetrics, a parser in Python, from its package.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step;

/// The version of the package `prometheus-client`.
pub(super) const OPEN_METRICS: &str = "0.26.0";

/// Puts the package into `folder`, where `PYTHONPATH` finds it.
pub(super) fn install_open_metrics(folder: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]).arg(folder);
    step::run(pip.arg(format!("prometheus-client=={OPEN_METRICS}")))?;
    Ok(())
}
