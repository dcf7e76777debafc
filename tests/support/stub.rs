//! A scripted HTTP server, for what real servers do not do on demand.
//!
//! A closure answers each request, and every request is kept. Answers leave in one piece and at once: headers and body
//! written apart would measure delayed acknowledgements.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// How many came before it, on all connections.
    pub number: usize,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body as sent: compressed where it was.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }
}

/// What the stub does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers.
    Response {
        /// The status code.
        status: u16,
        /// Names and values; the length is added.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Sends exactly these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Closes the connection without an answer.
    HangUp,
    /// Waits before it does something else.
    After(Duration, Box<Answer>),
}

impl Answer {
    /// An answer with a body of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Response { status, headers, body: body.to_string().into_bytes() }
    }

    /// An answer with a body of text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Response { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

/// A running stub; it ends when it is dropped.
pub struct Stub {
    authority: String,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Stub {
    /// Starts a stub that answers by `script`.
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let authority = listener.local_addr().expect("a listener has an address").to_string();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            connections: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let server = Arc::clone(&shared);
        let listener = Some(thread::spawn(move || server.listen(&listener)));
        Self { authority, shared, listener }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// The same without the scheme.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        _ = TcpStream::connect(&self.authority);
        if let Some(listener) = self.listener.take() {
            _ = listener.join();
        }
        for connection in lock(&self.shared.connections).iter() {
            _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(handle) = stream.try_clone() else { continue };
            let connection = {
                let mut connections = lock(&self.connections);
                connections.push(handle);
                connections.len() - 1
            };
            let server = Arc::clone(self);
            // A broken connection is what some tests are about.
            thread::spawn(move || _ = server.serve(connection, &stream));
        }
    }

    fn serve(&self, connection: usize, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader, stream)? {
            let request = self.note(Request { connection, ..request });
            if !answer(stream, (self.script)(&request))? {
                return stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    fn note(&self, mut request: Request) -> Request {
        let mut requests = lock(&self.requests);
        request.number = requests.len();
        requests.push(request.clone());
        request
    }
}

/// Answers, and says whether the connection stays open.
fn answer(mut stream: &TcpStream, answer: Answer) -> io::Result<bool> {
    match answer {
        Answer::After(pause, then) => {
            thread::sleep(pause);
            self::answer(stream, *then)
        }
        Answer::HangUp => Ok(false),
        Answer::Raw(bytes) => stream.write_all(&bytes).map(|()| false),
        Answer::Response { status, headers, body } => {
            let mut bytes = format!("HTTP/1.1 {status} Scripted\r\n").into_bytes();
            for (name, value) in headers {
                bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
            // A 204 has no length and no body.
            if status != 204 {
                bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body);
            stream.write_all(&bytes).map(|()| true)
        }
    }
}

fn read_request(reader: &mut impl BufRead, stream: &TcpStream) -> io::Result<Option<Request>> {
    let Some(mut request) = read_head(reader)? else { return Ok(None) };
    request.body = read_body(&request, reader, stream)?;
    Ok(Some(request))
}

/// What follows a head.
pub(crate) fn read_body(request: &Request, reader: &mut impl BufRead, mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    if request.header("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    match request.header("content-length").parse() {
        Ok(length) => read_exactly(reader, length),
        Err(_) if request.header("transfer-encoding") == "chunked" => read_chunks(reader),
        Err(_) => Ok(Vec::new()),
    }
}

/// A request without its body; none where the connection has ended.
pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let headers = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Some(Request { number: 0, connection: 0, method, path, headers: headers.collect(), body: Vec::new() }))
}

fn read_exactly(reader: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        body.extend(read_exactly(reader, length)?);
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::json;

    use super::*;
    use crate::http;

    #[test]
    fn answers_by_script_and_keeps_requests() {
        let stub = Stub::start(|request| match request.number {
            0 => Answer::empty(429).with_header("retry-after", "7"),
            _ => Answer::json(200, &json!({})),
        });
        let first = http::post(&stub.url(), "text/plain", "a").unwrap();
        assert_eq!((first.status, first.header("retry-after")), (429, "7"));
        assert_eq!(http::post(&format!("{}/b?c", stub.url()), "text/plain", "d").unwrap().text(), "{}");
        let requests = stub.requests();
        assert_eq!((requests[0].text(), requests[1].path.as_str(), requests[1].text()), ("a", "/b?c", "d"));
    }

    #[test]
    fn reads_chunked_bodies() {
        let stub = Stub::start(|_| Answer::empty(204));
        let mut stream = TcpStream::connect(stub.authority()).unwrap();
        stream
            .write_all(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
            .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!((&status, stub.requests()[0].text()), (b"HTTP/1.1 204", "abcde"));
    }

    #[test]
    fn hangs_up() {
        let stub = Stub::start(|_| Answer::HangUp);
        assert!(http::get(&stub.url()).is_err());
        assert_eq!(stub.connections(), stub.requests().last().unwrap().connection + 1);
    }
}
