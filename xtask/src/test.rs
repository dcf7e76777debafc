//! `cargo xtask test`: set-up, all tests, and one line at the end that says what they came to.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use xtask::servers::{SKIPS, Server};

use crate::summary::Summary;
use crate::{cargo, prerequisites};

/// Arguments of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Test {
    /// Only tests with this in their name
    filter: Option<String>,
    /// Servers that are tested on request, separated by commas (es9, loki, mimir)
    #[arg(long, value_delimiter = ',', value_parser = optional)]
    with: Vec<Server>,
}

/// Arguments of `cargo xtask servers`.
#[derive(Args)]
pub(crate) struct Servers {
    /// These only (prom2, prom3, victoria-metrics, loki, mimir, os2, os3, es7, es8, es9, openmetrics, componentize-py, wasmtime, wash, wasmtime-py, jco); all required ones if none is named
    #[arg(value_parser = Server::from_name)]
    servers: Vec<Server>,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let ci = env::var_os("CI").is_some_and(|value| value == "true");
        prerequisites::for_building()?;
        prerequisites::for_servers(ci)?;
        let fetching = fetch(Server::REQUIRED.into_iter().chain(self.with.iter().copied()));
        cargo::run(&["build", "--workspace"])?;
        cargo::run(&["test", "--workspace", "--no-run"])?;
        wait_for(fetching);
        self.report()
    }

    fn report(&self) -> Result<ExitCode> {
        let skips = tempfile::NamedTempFile::new().context("a file that skipped tests are noted in")?;
        let mut summary = self.run_tests(skips.path())?;
        for skip in summary.skip(&fs::read_to_string(skips.path())?) {
            println!("skipped: {}", skip.replace('\t', ": "));
        }
        if summary.passed + summary.failed == 0 {
            eprintln!("no test ran");
        }
        println!("{summary}");
        Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn run_tests(&self, skips: &Path) -> Result<Summary> {
        let mut command = cargo::command(&["test", "--workspace", "--no-fail-fast"]);
        if let Some(filter) = &self.filter {
            command.args(["--", filter]);
        }
        let mut tests = command.env(SKIPS, skips).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let mut summary = Summary::default();
        for line in BufReader::new(tests.stdout.take().context("the output of the tests")?).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            summary.read(&line);
        }
        if !tests.wait()?.success() {
            summary.broke_off();
        }
        Ok(summary)
    }
}

impl Servers {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        prerequisites::for_servers(false)?;
        let servers = if self.servers.is_empty() { Server::REQUIRED.to_vec() } else { self.servers.clone() };
        wait_for(fetch(servers.iter().copied()));
        let mut missing = false;
        for server in servers {
            let place = server.find().map(|folder| folder.display().to_string());
            missing |= place.is_none();
            println!("{}\t{}", server.name(), place.as_deref().unwrap_or("not to be had"));
        }
        Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn optional(name: &str) -> Result<Server> {
    let server = Server::from_name(name)?;
    anyhow::ensure!(server.is_optional(), "{name} is tested without asking");
    Ok(server)
}

/// Fetches `servers` in the background: what has to be compiled beside what is only downloaded.
fn fetch(servers: impl Iterator<Item = Server>) -> Vec<JoinHandle<()>> {
    let (slow, quick): (Vec<_>, Vec<_>) = servers.partition(|server| server.is_slow());
    [slow, quick].into_iter().map(|servers| thread::spawn(move || servers.into_iter().for_each(fetch_one))).collect()
}

fn fetch_one(server: Server) {
    if server.find().is_some() {
        return;
    }
    eprintln!("fetching {} ...", server.name());
    let start = Instant::now();
    match server.fetch() {
        Ok(_) => eprintln!("fetched {} in {} s", server.name(), start.elapsed().as_secs()),
        Err(error) => eprintln!("{error:#}"),
    }
}

fn wait_for(fetching: Vec<JoinHandle<()>>) {
    if fetching.iter().any(|thread| !thread.is_finished()) {
        eprintln!("waiting for the servers to be fetched ...");
    }
    for thread in fetching {
        thread.join().expect("fetching reports errors and does not panic");
    }
}
