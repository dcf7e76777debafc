//! A backend that takes everything: the part of Elasticsearch that the plugin speaks with, in a process of its own.
//!
//! It answers what the plugin asks before its first document, and each `_bulk` with a created item for each document,
//! in the form that the plugin's `filter_path` leaves. Documents are counted by their lines and thrown away. An answer
//! goes out in one write without delay: anything else would measure the wait for acknowledgements.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde::{Deserialize, Serialize};

use super::http::{self, Head};

/// What it has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) documents: u64,
    /// As they came over the wire.
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    documents: AtomicU64,
    bytes: AtomicU64,
}

/// Where [`Totals`] are asked for. Asking sets them back.
pub(crate) const TOTALS: &str = "/totals";

const FIRST: &[u8] = br#"{"items":[{"create":{"status":201}}"#;
const MORE: &[u8] = br#",{"create":{"status":201}}"#;

/// Serves until it is killed, and prints its address first.
pub(crate) fn run(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    println!("{}", listener.local_addr()?);
    let counters = Arc::new(Counters::default());
    for stream in listener.incoming() {
        let (stream, counters) = (stream?, Arc::clone(&counters));
        thread::spawn(move || {
            if let Err(error) = serve(stream, &counters) {
                eprintln!("sink: {error:#}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream, counters: &Counters) -> Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut answer) = (http::Buffer::default(), Vec::new());
    while let Some(head) = buffer.head(&mut stream)? {
        answer.clear();
        if head.target.starts_with("/_bulk?") {
            ensure!(head.target.contains("items.*.status"), "only the plugin's own filter_path is known here");
            let documents = documents(&mut buffer, &mut stream, &head)?;
            counters.requests.fetch_add(1, Ordering::Relaxed);
            counters.documents.fetch_add(documents, Ordering::Relaxed);
            counters.bytes.fetch_add(head.length as u64, Ordering::Relaxed);
            created(documents as usize, &mut answer);
        } else {
            buffer.body(&mut stream, head.length)?;
            let (status, body) = set_up(&head, counters);
            http::respond(status, body.as_bytes(), &mut answer);
        }
        stream.write_all(&answer)?;
        buffer.consume();
    }
    Ok(())
}

/// How many documents a body has: each is two lines.
fn documents(buffer: &mut http::Buffer, stream: &mut TcpStream, head: &Head) -> Result<u64> {
    let body = buffer.body(stream, head.length)?;
    let lines = if head.gzip { lines_of(GzDecoder::new(body))? } else { count_lines(body) };
    ensure!(lines > 0 && lines % 2 == 0, "a _bulk of {lines} lines");
    Ok(lines / 2)
}

fn lines_of(mut reader: impl Read) -> io::Result<u64> {
    let (mut block, mut lines) = (vec![0; 128 << 10], 0);
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(lines),
            count => lines += count_lines(&block[..count]),
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn created(documents: usize, answer: &mut Vec<u8>) {
    let length = FIRST.len() + (documents - 1) * MORE.len() + 2;
    http::respond_head(200, length, answer);
    answer.extend_from_slice(FIRST);
    for _ in 1..documents {
        answer.extend_from_slice(MORE);
    }
    answer.extend_from_slice(b"]}");
}

/// What is asked before the first document, and [`TOTALS`].
fn set_up(head: &Head, counters: &Counters) -> (u16, String) {
    let name = head.target.rsplit('/').next().unwrap_or_default();
    match (head.method.as_str(), head.target.as_str()) {
        ("GET", "/") => (200, r#"{"name":"sink","version":{"number":"8.19.0","build_flavor":"default"}}"#.to_owned()),
        // It keeps nothing, so that a look-up finds nothing.
        ("POST", target) if target.contains("/_refresh") || target.contains("/_search") => (
            200,
            r#"{"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},"hits":{"hits":[]}}"#.to_owned(),
        ),
        ("PUT", _) => (200, r#"{"acknowledged":true}"#.to_owned()),
        ("GET", target) if target.starts_with("/_resolve/index/") => {
            (200, format!(r#"{{"indices":[],"aliases":[],"data_streams":[{{"name":"{name}"}}]}}"#))
        }
        ("GET", target) if target.starts_with("/_data_stream/") => {
            (200, format!(r#"{{"data_streams":[{{"name":"{name}"}}]}}"#))
        }
        ("GET", TOTALS) => {
            let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
            let totals = Totals {
                requests: take(&counters.requests),
                documents: take(&counters.documents),
                bytes: take(&counters.bytes),
            };
            (200, serde_json::to_string(&totals).expect("all keys are text"))
        }
        _ => (404, r#"{"error":"not here","status":404}"#.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_an_item_for_each_document_and_says_its_length() {
        for documents in [1, 3] {
            let mut answer = Vec::new();
            created(documents, &mut answer);
            let text = String::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            let parsed: serde_json::Value = serde_json::from_str(body).unwrap();
            let items = parsed["items"].as_array().unwrap();
            assert_eq!(items.len(), documents);
            assert!(items.iter().all(|item| item["create"]["status"] == 201));
        }
    }
}
