//! The gateway with a plugin that does nothing, under `wasmtime serve`, beside `metricast run` with the same plugin: the
//! same requests of 100 records.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use xtask::servers::{Host, Server as Fetched};

use crate::boundary::components::Components;
use crate::ingest::load::Sent;
use crate::server::Server;
use crate::spread::Spread;

const RECORDS: usize = 100;
const REQUESTS: usize = 200;
const SENDERS: usize = 2;
const PATIENCE: Duration = Duration::from_mins(1);
/// An instance serves many requests, one after the other.
const KEEPING: [&str; 4] = ["--max-instance-reuse-count", "1000000", "--idle-instance-timeout", "60s"];

/// Requests a second.
#[derive(Serialize)]
pub(super) struct Figure {
    own: Spread,
    gateway_keeping_instances: Spread,
    gateway_one_instance_a_request: Spread,
}

/// `wasmtime serve`; it ends with this value.
struct Foreign {
    child: Child,
    address: String,
}

pub(super) fn measure(components: &Components, rounds: u32) -> Result<Option<Figure>> {
    let Some(wasmtime) = Fetched::Host(Host::Wasmtime).find() else {
        println!("no gateway is measured: `cargo xtask servers wasmtime` fetches its host\n");
        return Ok(None);
    };
    let folder = xtask::workspace().join("target/bench-data");
    let service = folder.join("service.wasm");
    let mut compose = Command::new(crate::beside("metricast")?);
    compose.args(["compose", "--serve"]).arg(&components.empty.path).arg("-o").arg(&service);
    ensure!(compose.output()?.status.success(), "cannot make the service: {compose:?}");
    let program = wasmtime.join("bin/wasmtime");
    let start = |flags: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["serve", "-S", "cli"]).args(flags).arg(&service);
        Foreign::start(command)
    };
    let config = format!("[[publishers]]\nplugin = {:?}\n", components.empty.path.display().to_string());
    let own = Server::start(None, &config)?;
    let (keeping, fresh) = (start(&KEEPING)?, start(&[])?);
    let mut rates = [const { Vec::new() }; 3];
    for round in 0..=rounds {
        for (rates, address) in rates.iter_mut().zip([&own.ingest, &keeping.address, &fresh.address]) {
            let rate = requests_a_second(address)?;
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let [own, gateway_keeping_instances, gateway_one_instance_a_request] = rates.map(Spread::of);
    Ok(Some(Figure { own, gateway_keeping_instances, gateway_one_instance_a_request }))
}

fn requests_a_second(address: &str) -> Result<f64> {
    let mut load = Command::new(std::env::current_exe()?);
    load.args(["load", address, "--senders", &SENDERS.to_string(), "--records", &RECORDS.to_string()]);
    let output = load.args(["--requests", &REQUESTS.to_string()]).output()?;
    ensure!(output.status.success(), "the senders failed: {}", String::from_utf8_lossy(&output.stderr));
    let sent: Sent = serde_json::from_slice(&output.stdout)?;
    ensure!(sent.accepted == (RECORDS * REQUESTS) as u64, "only {} records were accepted", sent.accepted);
    Ok(REQUESTS as f64 / sent.seconds)
}

impl Foreign {
    fn start(mut command: Command) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        command.args(["--addr", &address]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let foreign = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(&foreign.address).is_err() {
            ensure!(start.elapsed() < PATIENCE, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(foreign)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended by itself, and what is left to do then is the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Figure {
    pub(super) fn print(&self) {
        println!("Requests a second of {RECORDS} records each, {SENDERS} senders, min / median / max\n");
        println!(
            "| `metricast run` | gateway, instances kept | gateway, one instance a request |\n| ---: | ---: | ---: |"
        );
        let [own, keeping, fresh] =
            [self.own, self.gateway_keeping_instances, self.gateway_one_instance_a_request].map(|rate| rate.text(0));
        println!("| {own} | {keeping} | {fresh} |");
    }
}
