//! As much of HTTP/1.1 as two programs on one machine need that both are ours or well known: bodies with a length, kept
//! connections, whole messages in one write. It costs little, so that what is measured is the other side.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};

/// The first line and the headers that matter here.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// Path and query; of a response, its status.
    pub(crate) target: String,
    pub(crate) length: usize,
    pub(crate) gzip: bool,
}

/// What was read and not used yet.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    /// Of the message under way.
    head: usize,
    end: usize,
}

impl Buffer {
    /// The head of the next message, or none where the other side has ended.
    pub(crate) fn head(&mut self, stream: &mut TcpStream) -> Result<Option<Head>> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.bytes[..self.filled], b"\r\n\r\n") {
                self.head = end + 4;
                self.end = self.head;
                return parse(&self.bytes[..end]).map(Some);
            }
            if self.fill(stream, 64 << 10)? == 0 {
                ensure!(self.filled == 0, "a message broke off");
                return Ok(None);
            }
        }
    }

    /// The whole body of the message.
    pub(crate) fn body(&mut self, stream: &mut TcpStream, length: usize) -> Result<&[u8]> {
        self.end = self.head + length;
        while self.filled < self.end {
            let missing = self.end - self.filled;
            ensure!(self.fill(stream, missing)? > 0, "a body broke off");
        }
        Ok(&self.bytes[self.head..self.end])
    }

    /// Forgets the message.
    pub(crate) fn consume(&mut self) {
        self.bytes.copy_within(self.end..self.filled, 0);
        self.filled -= self.end;
    }

    fn fill(&mut self, stream: &mut TcpStream, room: usize) -> Result<usize> {
        if self.bytes.len() < self.filled + room {
            self.bytes.resize(self.filled + room, 0);
        }
        let count = stream.read(&mut self.bytes[self.filled..])?;
        self.filled += count;
        Ok(count)
    }
}

fn parse(head: &[u8]) -> Result<Head> {
    let text = std::str::from_utf8(head).context("a head that is no text")?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let mut head = Head { method: method.to_owned(), target: target.to_owned(), ..Head::default() };
    for line in lines {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => head.length = value.parse().context("a length that is no number")?,
            ("content-encoding", value) => head.gzip = value == "gzip",
            ("transfer-encoding", _) => bail!("a body without a length"),
            _ => {}
        }
    }
    Ok(head)
}

/// Appends a whole response.
pub(crate) fn respond(status: u16, body: &[u8], out: &mut Vec<u8>) {
    respond_head(status, body.len(), out);
    out.extend_from_slice(body);
}

/// Appends the head of a response.
pub(crate) fn respond_head(status: u16, length: usize, out: &mut Vec<u8>) {
    let head = format!(
        "HTTP/1.1 {status} .\r\nx-elastic-product: Elasticsearch\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
}

/// Asks on a connection of its own and gives status and body.
pub(crate) fn get(address: &str, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let mut buffer = Buffer::default();
    let head = buffer.head(&mut stream)?.context("no answer")?;
    let body = buffer.body(&mut stream, head.length)?.to_vec();
    Ok((head.target.parse().context("no status")?, body))
}
