//! Bytes of the proxy: the upstream's answers as they are passed on, broken connections, and slow ones.

use std::io::{self, BufRead, Read, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::Value;

use crate::http as client;
use crate::stub::Request;

/// What belongs to one connection and not to what goes through it.
const OWN: [&str; 6] = ["host", "content-length", "connection", "transfer-encoding", "accept-encoding", "expect"];

/// An answer.
pub(super) struct Passed {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Passed {
    /// What `upstream` answers to a request.
    pub(super) fn of(upstream: &str, request: &Request) -> io::Result<Self> {
        let mut passed =
            http::Request::builder().method(request.method.as_str()).uri(format!("{upstream}{}", request.path));
        for (name, value) in request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            passed = passed.header(name, value);
        }
        let passed = passed.body(request.body.clone()).map_err(io::Error::other)?;
        let answer = client::send(&passed).map_err(io::Error::other)?;
        let headers = answer.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Self { status: answer.status, headers, body: answer.body })
    }

    /// A success of a server that did not see the request.
    pub(super) fn made_up() -> Self {
        let headers = [("content-type", "application/json"), ("x-elastic-product", "Elasticsearch")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { status: 200, headers, body: Vec::new() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Passed\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        // A 204 has no length and no body.
        if self.status != 204 {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(super) fn write_to(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.write_all(&self.bytes())
    }

    /// What has no items stays as it is.
    pub(super) fn with_items(mut self, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        if let Ok(mut answer) = serde_json::from_slice::<Value>(&self.body)
            && let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut)
        {
            change(items);
            self.body = answer.to_string().into_bytes();
        }
        self
    }
}

/// The other side finds the connection reset, not ended, when it is closed.
pub(super) fn reset(stream: &TcpStream) -> io::Result<()> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

/// Reads little at a time.
pub(super) struct Slow<'a, R> {
    pub(super) reader: &'a mut R,
    pub(super) pause: Duration,
}

impl<R: BufRead> Read for Slow<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        const PIECE: usize = 64;
        thread::sleep(self.pause);
        let length = into.len().min(PIECE);
        self.reader.read(&mut into[..length])
    }
}

impl<R: BufRead> BufRead for Slow<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}
