//! What comes as a Python package: put into a folder of its own, where `PYTHONPATH` finds it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step;

/// A package by name and version.
pub(super) struct Package {
    name: &'static str,
    version: &'static str,
}

/// The reference implementation of OpenMetrics, a parser in Python.
pub(super) const OPEN_METRICS: Package = Package { name: "prometheus-client", version: "0.26.0" };

/// Makes components of Python programs.
pub(super) const COMPONENTIZE_PY: Package = Package { name: "componentize-py", version: "0.25.1" };

impl Package {
    /// The name of its folder in the cache.
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Puts it into `folder`.
    pub(super) fn install(&self, folder: &Path) -> Result<()> {
        install(self.name, self.version, folder)
    }
}

/// Puts a package that needs no other one into `folder`.
pub(super) fn install(package: &str, version: &str, folder: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]).arg(folder);
    step::run(pip.arg(format!("{package}=={version}")))?;
    Ok(())
}
