//! The senders, in a process of their own: each sends one body after the other on a kept connection and waits for each
//! answer, until all records are sent.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::pipeline::data;
use crate::pipeline::http::Buffer;

/// Sends records and prints what came of it as JSON
#[derive(Args)]
pub(crate) struct Load {
    /// Where metricast takes records
    pub(crate) address: String,
    #[arg(long)]
    pub(crate) senders: usize,
    /// Records a request
    #[arg(long)]
    pub(crate) records: usize,
    /// Requests of all senders together
    #[arg(long)]
    pub(crate) requests: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) seconds: f64,
    pub(crate) accepted: u64,
    /// From the first byte of a request to the last of its answer: the middle one, and those of 99 in 100 and 999 in 1,000.
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
}

/// What matters of an answer.
#[derive(Deserialize)]
struct Answer {
    accepted: u64,
}

pub(crate) fn run(load: &Load) -> Result<()> {
    let requests = requests(load)?;
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let sent: Vec<_> = thread::scope(|scope| {
        let senders: Vec<_> = (0..load.senders).map(|_| scope.spawn(|| send(load, &requests, &next))).collect();
        senders.into_iter().map(|sender| sender.join().expect("a sender ends with a result")).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    let (mut accepted, mut times) = (0, Vec::new());
    for sent in sent {
        let (count, took) = sent?;
        accepted += count;
        times.extend(took);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let sent = Sent { seconds, accepted, median_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999) };
    println!("{}", serde_json::to_string(&sent)?);
    Ok(())
}

/// Whole requests that differ in their records, to be sent in turn.
fn requests(load: &Load) -> Result<Vec<Vec<u8>>> {
    let lines = data::real_lines()?;
    let distinct = lines.len().div_ceil(load.records).max(8);
    let mut at = 0;
    let mut requests = Vec::new();
    for _ in 0..distinct {
        let mut body = Vec::new();
        for _ in 0..load.records {
            data::write_line(&lines[at % lines.len()], at / lines.len(), &mut body)?;
            at += 1;
        }
        let mut request = format!(
            "POST /v1/records HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            load.address,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        requests.push(request);
    }
    Ok(requests)
}

/// How many records were accepted, and how long each request took, in milliseconds.
fn send(load: &Load, requests: &[Vec<u8>], next: &AtomicUsize) -> Result<(u64, Vec<f64>)> {
    let mut stream = TcpStream::connect(&load.address).context("metricast is not there")?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut accepted, mut times) = (Buffer::default(), 0, Vec::new());
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= load.requests {
            return Ok((accepted, times));
        }
        let start = Instant::now();
        stream.write_all(&requests[at % requests.len()])?;
        let head = buffer.head(&mut stream)?.context("no answer")?;
        ensure!(head.target == "200", "metricast answers {}", head.target);
        let answer: Answer = serde_json::from_slice(buffer.body(&mut stream, head.length)?)?;
        buffer.consume();
        times.push(start.elapsed().as_secs_f64() * 1e3);
        accepted += answer.accepted;
    }
}
