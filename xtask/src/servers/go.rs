//! Prometheus 3, compiled from its module.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::step;

/// The version of Prometheus that is compiled.
pub(super) const PROMETHEUS: &str = "3.16.0";

/// The same version as the module counts it.
const MODULE: &str = "v0.316.0";

/// Puts `prometheus` and `promtool` into `folder`.
pub(super) fn install_prometheus(folder: &Path) -> Result<()> {
    // It takes minutes beside cargo's builds and tests, which go first.
    let mut go = Command::new("nice");
    go.args(["-n", "19", "go", "install", "-tags", "remove_all_sd,netgo", "-ldflags", "-s -w"]);
    for program in ["prometheus", "promtool"] {
        go.arg(format!("github.com/prometheus/prometheus/cmd/{program}@{MODULE}"));
    }
    go.env("GOBIN", folder).env("GOPROXY", module_proxies()?).env("CGO_ENABLED", "0");
    go.env("GOFLAGS", format!("{} -buildvcs=false", env("GOFLAGS")?));
    step::run(&mut go)?;
    Ok(())
}

/// The user's module proxies without the fall-back to the sources' own repositories.
fn module_proxies() -> Result<String> {
    let proxies = without_direct(&env("GOPROXY")?);
    ensure!(!proxies.is_empty(), "GOPROXY names no module proxy");
    Ok(proxies)
}

fn without_direct(proxies: &str) -> String {
    let proxies: Vec<_> =
        proxies.split([',', '|']).map(str::trim).filter(|proxy| !proxy.is_empty() && *proxy != "direct").collect();
    proxies.join(",")
}

fn env(name: &str) -> Result<String> {
    Ok(step::run(Command::new("go").args(["env", name]))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_is_left_out() {
        assert_eq!(without_direct("https://a.example,https://b.example|direct"), "https://a.example,https://b.example");
        assert_eq!(without_direct("direct"), "");
    }
}
