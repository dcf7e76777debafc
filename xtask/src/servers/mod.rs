//! The real servers that tests talk to, a parser that judges for them, and other hosts of components: which there are,
//! and how each is fetched into the user's cache.
//!
//! A version is pinned for each but Debian's, fetched once, and found again by every later run. Nothing is installed
//! on the machine, and nothing of a server is part of this project. How they are started is the tests' business.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

mod cache;
mod debian;
mod go;
mod hosts;
pub mod jdk;
mod maven;
mod npm;
mod pypi;
mod step;

use go::Program;
pub use hosts::Host;
use maven::Distribution;
use pypi::Package;

/// The environment variable that names the file in which tests note, a line each, that they were skipped:
/// the test's name, a tab, what was missing.
pub const SKIPS: &str = "METRICAST_SKIPS";

/// The superuser of Elasticsearch with authentication, and its password.
pub const TESTER: (&str, &str) = ("tester", "secret123");

/// A server that tests can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Server {
    /// Prometheus 2 and its promtool as Debian has them: quick to fetch, remote write 1.0.
    Prometheus2,
    /// Prometheus 3.16 and its promtool, compiled: some minutes.
    Prometheus3,
    /// VictoriaMetrics 1.136, compiled: remote write 1.0, OTLP.
    VictoriaMetrics,
    /// Loki 3.7, compiled: many minutes.
    Loki,
    /// Grafana Mimir, the engine of Grafana Cloud's metrics, compiled: many minutes.
    Mimir,
    /// OpenSearch 2.19, on JDK 17.
    OpenSearch2,
    /// OpenSearch 3.7, on JDK 21 or newer.
    OpenSearch3,
    /// Elasticsearch 7.17, on JDK 17: plain indices only.
    Elasticsearch7,
    /// Elasticsearch 8.19, on JDK 17: with real authentication where asked for.
    Elasticsearch8,
    /// Elasticsearch 9.2, on JDK 21 or newer.
    Elasticsearch9,
    /// No server: the reference parser of OpenMetrics, in Python.
    OpenMetricsParser,
    /// No server: what makes components of Python programs.
    ComponentizePy,
    /// No server: another host of components.
    Host(Host),
}

impl Server {
    /// All that CI must have.
    pub const REQUIRED: [Self; 13] = [
        Self::Prometheus2,
        Self::OpenSearch2,
        Self::OpenSearch3,
        Self::Elasticsearch7,
        Self::Elasticsearch8,
        Self::OpenMetricsParser,
        Self::ComponentizePy,
        Self::Host(Host::Wasmtime),
        Self::Host(Host::Wash),
        Self::Host(Host::WasmtimePy),
        Self::Host(Host::Jco),
        Self::VictoriaMetrics,
        Self::Prometheus3,
    ];

    /// What is tested on request.
    pub const OPTIONAL: [Self; 3] = [Self::Elasticsearch9, Self::Loki, Self::Mimir];

    /// A short name for the command line and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus2 => "prom2",
            Self::Prometheus3 => "prom3",
            Self::VictoriaMetrics => "victoria-metrics",
            Self::Loki => "loki",
            Self::Mimir => "mimir",
            Self::OpenSearch2 => "os2",
            Self::OpenSearch3 => "os3",
            Self::Elasticsearch7 => "es7",
            Self::Elasticsearch8 => "es8",
            Self::Elasticsearch9 => "es9",
            Self::OpenMetricsParser => "openmetrics",
            Self::ComponentizePy => "componentize-py",
            Self::Host(host) => host.name(),
        }
    }

    /// The server with this [`name`](Self::name).
    ///
    /// # Errors
    /// Where there is none; the error lists the names.
    pub fn from_name(name: &str) -> Result<Self> {
        let mut all = Self::REQUIRED.into_iter().chain(Self::OPTIONAL);
        if let Some(server) = all.clone().find(|server| server.name() == name) {
            return Ok(server);
        }
        let names: Vec<_> = all.by_ref().map(Self::name).collect();
        bail!("there is no server {name:?}; there are {}", names.join(", "))
    }

    /// Whether CI does without it.
    pub fn is_optional(self) -> bool {
        Self::OPTIONAL.contains(&self)
    }

    /// Whether fetching means minutes of compiling, best done beside other work.
    pub fn is_slow(self) -> bool {
        matches!(self.recipe(), Recipe::Go(_))
    }

    /// Where the server is, once it was fetched.
    pub fn find(self) -> Option<PathBuf> {
        let folder = cache::folder(&self.key()).ok()?;
        folder.is_dir().then_some(folder)
    }

    /// Fetches the server unless it is there, and says where it is.
    ///
    /// # Errors
    /// Where a tool is missing or fails, or a download is not what was pinned.
    pub fn fetch(self) -> Result<PathBuf> {
        let fill = |folder: &Path| match self.recipe() {
            Recipe::Debian => debian::fetch_prometheus(folder),
            Recipe::Go(program) => program.install(folder),
            Recipe::Maven(distribution) => distribution.fetch(folder),
            Recipe::PyPi(package) => package.install(folder),
            Recipe::Host(host) => host.fetch(folder),
        };
        cache::install(&self.key(), fill).with_context(|| format!("cannot fetch {}", self.name()))
    }

    /// Whether the server is a Java program.
    pub fn needs_jdk(self) -> bool {
        matches!(self.recipe(), Recipe::Maven(_))
    }

    /// The JDK that the server runs on.
    ///
    /// # Errors
    /// Where the server is not a Java program or there is no such JDK.
    pub fn jdk(self) -> Result<PathBuf> {
        match self.recipe() {
            Recipe::Maven(distribution) => jdk::find(&distribution.jdk),
            Recipe::Debian | Recipe::Go(_) | Recipe::PyPi(_) | Recipe::Host(_) => {
                bail!("{} needs no JDK", self.name())
            }
        }
    }

    /// The name of its folder in the cache: another one whenever what is in it would be.
    fn key(self) -> String {
        match self.recipe() {
            Recipe::Debian => "prometheus-2-debian".to_owned(),
            Recipe::Go(program) => program.key(),
            Recipe::Maven(distribution) => distribution.key(),
            Recipe::PyPi(package) => package.key(),
            Recipe::Host(host) => format!("{}-{}", host.name(), host.version()),
        }
    }

    fn recipe(self) -> Recipe {
        match self {
            Self::Prometheus2 => Recipe::Debian,
            Self::Prometheus3 => Recipe::Go(&go::PROMETHEUS),
            Self::VictoriaMetrics => Recipe::Go(&go::VICTORIA_METRICS),
            Self::Loki => Recipe::Go(&go::LOKI),
            Self::Mimir => Recipe::Go(&go::MIMIR),
            Self::OpenSearch2 => Recipe::Maven(&maven::OPENSEARCH_2),
            Self::OpenSearch3 => Recipe::Maven(&maven::OPENSEARCH_3),
            Self::Elasticsearch7 => Recipe::Maven(&maven::ELASTICSEARCH_7),
            Self::Elasticsearch8 => Recipe::Maven(&maven::ELASTICSEARCH_8),
            Self::Elasticsearch9 => Recipe::Maven(&maven::ELASTICSEARCH_9),
            Self::OpenMetricsParser => Recipe::PyPi(&pypi::OPEN_METRICS),
            Self::ComponentizePy => Recipe::PyPi(&pypi::COMPONENTIZE_PY),
            Self::Host(host) => Recipe::Host(host),
        }
    }
}

/// Where a server comes from.
enum Recipe {
    Debian,
    Go(&'static Program),
    Maven(&'static Distribution),
    PyPi(&'static Package),
    Host(Host),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_are_unique() {
        let all: Vec<_> = Server::REQUIRED.into_iter().chain(Server::OPTIONAL).collect();
        for server in &all {
            assert_eq!(Server::from_name(server.name()).unwrap(), *server);
            assert_eq!(all.iter().filter(|other| other.key() == server.key()).count(), 1);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Server::from_name("os4").unwrap_err().to_string();
        assert!(error.contains("os2") && error.contains("es9"), "{error}");
    }
}
