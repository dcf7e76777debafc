//! A scripted server for this crate's tests: it answers each request by a function and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, a space, path and query.
    pub(crate) what: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// Whether it is a body of remote write 2.0.
    pub(crate) fn is_second(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.contains("io.prometheus.write.v2.Request"))
    }

    pub(crate) fn is_push(&self) -> bool {
        self.what.starts_with("POST ")
    }
}

/// Status, headers and body; a status of 0 hangs up.
pub(crate) type Answer = (u16, String, Vec<u8>);

/// The server.
pub(crate) struct Stub {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                kept.lock().unwrap().push(request.clone());
                let (status, headers, body) = answer(&request);
                if status > 0 {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat());
                }
            }
        });
        Self { url, asked }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The pushes among it.
    pub(crate) fn pushes(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::is_push).collect()
    }

    /// How many requests began so.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| asked.what.starts_with(what)).count()
    }
}

/// A body without more.
pub(crate) fn plain(status: u16, body: &str) -> Answer {
    (status, String::new(), body.as_bytes().to_vec())
}

/// What a receiver of remote write 2.0 says that takes all.
pub(crate) fn stored() -> Answer {
    let headers = ["Samples", "Histograms", "Exemplars"]
        .map(|kind| format!("X-Prometheus-Remote-Write-{kind}-Written: 1000000\r\n"))
        .concat();
    (204, headers, Vec::new())
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let what = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            None => break,
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { what, headers, body })
}
