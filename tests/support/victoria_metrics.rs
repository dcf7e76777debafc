//! A real VictoriaMetrics.

use std::process::Command;
use std::time::Duration;

use crate::process::Process;
use crate::promql::Querier;
use crate::{Server, http as client, ports, require};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running VictoriaMetrics.
#[derive(Debug)]
pub struct VictoriaMetrics {
    process: Process,
    port: u16,
}

impl VictoriaMetrics {
    /// Starts one without data. `None`: the server is not there, and the test is skipped.
    pub fn start() -> Option<Self> {
        let server = Server::VictoriaMetrics;
        let program = require(server)?.join("victoria-metrics");
        let folder = Process::folder(server.name());
        let port = ports::free();
        let mut command = Command::new(program);
        command.arg(format!("-storageDataPath={}", folder.join("data").display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}"));
        // Else queries leave out the last 30 s.
        command.args(["-search.latencyOffset=0s", "-search.disableCache", "-retentionPeriod=100y"]);
        let mut running = Self { process: Process::start(server.name(), &command, folder), port };
        let health = format!("{}/health", running.url());
        running.process.wait_until_ready(PATIENCE, || client::get(&health).is_ok_and(|answer| answer.status == 200));
        Some(running)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks for what it has taken so far.
    pub fn querier(&self) -> Querier {
        client::get(&format!("{}/internal/force_flush", self.url())).expect("it answers").expect_success("a flush");
        Querier::new(format!("{}/api/v1", self.url()))
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
