//! A backlog that waits for a backend that is away: what it takes on the disk and in memory, how soon a start after
//! `kill -9` takes records again, and how fast it goes once the backend is there.

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::{Folder, search};
use crate::ingest::send;
use crate::pipeline::Sink;
use crate::server::Server;
use crate::usage;

const SENDERS: usize = 4;
const RECORDS: usize = 1_000;
const MEMORY_AIM: u64 = 150_000_000;
/// How long the backend may hear nothing before the run is given up.
const SILENCE: Duration = Duration::from_mins(2);

/// Measures a large backlog
#[derive(Args)]
pub(crate) struct Backlog {
    /// Records of the backlog
    #[arg(long, default_value_t = 10_000_000)]
    records: usize,
    /// Where the figures go as JSON [default: bench/results/backlog.json]
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    records: usize,
    log_bytes: u64,
    records_a_second_in: f64,
    /// While the backlog came.
    peak_in_bytes: u64,
    /// From a start after `kill -9` till records are taken.
    ready_after_ms: f64,
    records_a_second_out: f64,
    /// From that start till all of it is at the backend.
    peak_out_bytes: u64,
}

pub(crate) fn run(arguments: &Backlog) -> Result<()> {
    let folder = Folder::new("backlog-queue")?;
    let address = closed()?;
    let config = format!(
        "[queue]\npath = \"{}\"\nmax_size = \"100GiB\"\n{}",
        folder.path().display(),
        search("search", &address)
    );
    let mut server = Server::start(None, &config)?;
    let (sent, _) = send(&server, SENDERS, RECORDS, arguments.records / RECORDS)?;
    let log_bytes = folder.log_bytes()?;
    let peak_in_bytes = usage::peak(&server.child)?;
    server.child.kill()?;
    server.child.wait()?;

    let server = Server::start(None, &config)?;
    let sink = Sink::start_at(&address)?;
    let began = Instant::now();
    all_arrive(&sink, sent.accepted)?;
    let report = Report {
        records: arguments.records,
        log_bytes,
        records_a_second_in: sent.accepted as f64 / sent.seconds,
        peak_in_bytes,
        ready_after_ms: server.ready_after.as_secs_f64() * 1e3,
        records_a_second_out: sent.accepted as f64 / began.elapsed().as_secs_f64(),
        peak_out_bytes: usage::peak(&server.child)?,
    };
    print!("{report}");
    let json = arguments.json.clone().unwrap_or_else(|| xtask::workspace().join("bench/results/backlog.json"));
    crate::write_json(&json, &report)
}

/// An address that nobody listens on.
fn closed() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Waits till a backend has exactly so many documents.
pub(super) fn all_arrive(sink: &Sink, records: u64) -> Result<()> {
    let (mut arrived, mut heard_at) = (0, Instant::now());
    while arrived < records {
        std::thread::sleep(Duration::from_millis(5));
        let documents = sink.totals()?.documents;
        arrived += documents;
        if documents > 0 {
            heard_at = Instant::now();
        }
        ensure!(heard_at.elapsed() < SILENCE, "the backend has {arrived} documents of {records}, and gets no more");
    }
    ensure!(arrived == records, "the backend has {arrived} documents of {records}");
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.log_bytes as f64 / self.records as f64;
        let [gigabytes, peak_in, peak_out] =
            [(self.log_bytes, 1e9), (self.peak_in_bytes, 1e6), (self.peak_out_bytes, 1e6)]
                .map(|(it, unit)| it as f64 / unit);
        writeln!(f, "{} records on the disk: {gigabytes:.2} GB, {each:.0} bytes a record", self.records)?;
        writeln!(f, "taken at {:.0} a second, with {peak_in:.0} MB of memory at most", self.records_a_second_in)?;
        writeln!(f, "takes records {:.0} ms after a start that follows kill -9", self.ready_after_ms)?;
        let verdict = if self.peak_in_bytes.max(self.peak_out_bytes) <= MEMORY_AIM { "met" } else { "missed" };
        writeln!(
            f,
            "delivered at {:.0} a second, with {peak_out:.0} MB of memory at most (aim {}: {verdict})",
            self.records_a_second_out,
            MEMORY_AIM / 1_000_000
        )
    }
}
