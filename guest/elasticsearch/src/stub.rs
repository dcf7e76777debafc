//! A scripted server for this crate's tests: it answers each request by a function and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

/// A request, its body decompressed.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, a space, path and query.
    pub(crate) what: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is_bulk(&self) -> bool {
        self.what.starts_with("POST /_bulk?")
    }

    pub(crate) fn documents(&self) -> usize {
        self.body.lines().count() / 2
    }
}

/// Status, headers and body; a status of 0 hangs up.
pub(crate) type Answer = (u16, &'static str, String);

pub(crate) struct Stub {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_limit(usize::MAX, answer)
    }

    /// One that says 413 to a longer body and closes the connection without having read it.
    pub(crate) fn with_limit(limit: usize, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream, limit) else {
                    let _ = stream.write_all(b"HTTP/1.1 413 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    continue;
                };
                kept.lock().unwrap().push(request.clone());
                let (status, headers, body) = answer(&request);
                if status > 0 {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(format!("{head}{body}").as_bytes());
                }
            }
        });
        Self { url, asked }
    }

    /// A server where all stands, and whose answers to `_bulk` are scripted.
    pub(crate) fn bulk(root: &'static str, bulk: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::new(move |asked| if asked.is_bulk() { bulk(asked) } else { stands(root, asked) })
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests began so.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| asked.what.starts_with(what)).count()
    }
}

pub(crate) const OPENSEARCH: &str = r#"{"version":{"distribution":"opensearch","number":"2.19.4"}}"#;
pub(crate) const ELASTICSEARCH: &str = r#"{"version":{"number":"8.19.0"}}"#;

/// What a server says where template and streams are as they should be.
pub(crate) fn stands(root: &str, asked: &Asked) -> Answer {
    match asked.what.as_str() {
        "GET /" => ok(root),
        what if what.starts_with("GET /_resolve/index/") => ok(r#"{"data_streams":[{}]}"#),
        what if what.starts_with("PUT ") => ok(r#"{"acknowledged":true}"#),
        _ => fault(404, "resource_not_found_exception", "nothing here"),
    }
}

pub(crate) fn ok(body: impl Into<String>) -> Answer {
    (200, "Content-Type: application/json\r\n", body.into())
}

pub(crate) fn fault(status: u16, kind: &str, reason: &str) -> Answer {
    (status, "", json!({ "error": { "type": kind, "reason": reason }, "status": status }).to_string())
}

/// The answer that takes all documents.
pub(crate) fn taken(asked: &Asked) -> Answer {
    ok(json!({ "items": vec![json!({ "create": { "status": 201 } }); asked.documents()] }).to_string())
}

/// The ids in a body of `_bulk`.
pub(crate) fn ids(asked: &Asked) -> Vec<String> {
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["create"]["_id"].as_str().unwrap().to_owned();
    asked.body.lines().step_by(2).map(id).collect()
}

fn read(stream: &TcpStream, limit: usize) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let what = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            header => headers.push(header.to_ascii_lowercase()),
        }
    }
    let length = headers.iter().find_map(|header| header.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    if length > limit {
        return None;
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).ok()?;
    let body = if headers.iter().any(|header| header == "content-encoding: gzip") {
        let mut body = String::new();
        MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut body).ok()?;
        body
    } else {
        String::from_utf8(bytes).ok()?
    };
    Some(Asked { what, headers, body })
}
