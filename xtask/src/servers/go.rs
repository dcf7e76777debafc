//! Servers in Go, compiled from their modules.
//!
//! A module that can be installed as it is needs no more than its version. The modules of Loki and Mimir replace some
//! of what they require, which `go install` does not follow: a `go.mod` of ours, with a sum for each module, pins them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::step;

pub(super) static PROMETHEUS: Program = Program {
    name: "prometheus",
    version: "3.16.0",
    tags: "remove_all_sd,netgo",
    source: Source::Installed {
        packages: &["github.com/prometheus/prometheus/cmd/prometheus", "github.com/prometheus/prometheus/cmd/promtool"],
        // The same version as the module counts it.
        version: "v0.316.0",
    },
};

pub(super) static VICTORIA_METRICS: Program = Program {
    name: "victoria-metrics",
    version: "1.136.0",
    tags: "",
    source: Source::Installed {
        packages: &["github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"],
        version: "v1.136.0",
    },
};

pub(super) static LOKI: Program = Program {
    name: "loki",
    version: "3.7.8",
    tags: "",
    source: Source::Pinned {
        package: "github.com/grafana/loki/v3/cmd/loki",
        go_mod: include_str!("loki/go.mod"),
        go_sum: include_str!("loki/go.sum"),
    },
};

pub(super) static MIMIR: Program = Program {
    name: "mimir",
    version: "aced80d74930",
    tags: "netgo,stringlabels",
    source: Source::Pinned {
        package: "github.com/grafana/mimir/cmd/mimir",
        go_mod: include_str!("mimir/go.mod"),
        go_sum: include_str!("mimir/go.sum"),
    },
};

/// A server that is compiled: its program has its name and lies in its folder.
pub(super) struct Program {
    name: &'static str,
    version: &'static str,
    tags: &'static str,
    source: Source,
}

enum Source {
    Installed { packages: &'static [&'static str], version: &'static str },
    Pinned { package: &'static str, go_mod: &'static str, go_sum: &'static str },
}

impl Program {
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// Compiles it into `folder`.
    pub(super) fn install(&self, folder: &Path) -> Result<()> {
        match self.source {
            Source::Installed { packages, version } => {
                let mut go = self.go("install")?;
                go.args(packages.iter().map(|package| format!("{package}@{version}")));
                step::run(go.env("GOBIN", folder).env("CGO_ENABLED", "0"))?;
            }
            Source::Pinned { package, go_mod, go_sum } => {
                let module = tempfile::tempdir_in(folder)?;
                fs::write(module.path().join("go.mod"), go_mod)?;
                fs::write(module.path().join("go.sum"), go_sum)?;
                let mut go = self.go("build")?;
                go.current_dir(&module).arg("-trimpath").arg("-o").arg(folder.join(self.name)).arg(package);
                step::run(&mut go)?;
            }
        }
        Ok(())
    }

    /// The Go command with what all of them have. It takes minutes beside cargo's builds and tests, which go first.
    fn go(&self, subcommand: &str) -> Result<Command> {
        let mut go = Command::new("nice");
        go.args(["-n", "19", "go", subcommand, "-ldflags", "-s -w"]);
        if !self.tags.is_empty() {
            go.args(["-tags", self.tags]);
        }
        go.env("GOPROXY", module_proxies()?).env("GOFLAGS", format!("{} -buildvcs=false", env("GOFLAGS")?));
        Ok(go)
    }
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

    #[test]
    fn the_module_files_pin_the_versions_that_are_named() {
        for program in [&LOKI, &MIMIR] {
            let Source::Pinned { package, go_mod, go_sum } = program.source else { panic!("{}", program.name) };
            let required = go_mod.lines().find_map(|line| {
                let (module, version) = line.trim_start_matches("require").trim().split_once(' ')?;
                package.starts_with(&format!("{module}/cmd/")).then_some((module, version))
            });
            let (module, version) = required.unwrap();
            assert!(version.ends_with(program.version), "{version}");
            assert!(go_sum.contains(&format!("{module} {version} h1:")), "{module} {version}");
        }
    }
}
