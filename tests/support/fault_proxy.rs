//! A proxy in front of a real server that does to requests and answers what networks and overloaded servers do.
//!
//! Requests of a kind that a test names meet the faults, in the order in which they were asked for or by chance; all
//! others pass. What was sent is kept, whether it arrived or not.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, UNIX_EPOCH};

use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};

use crate::http as client;
use crate::stub::{Request, read_body, read_head};

/// Who waits for something that only the end of the proxy brings looks this often.
const LOOK: Duration = Duration::from_millis(5);

/// What happens to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is read, and never answered.
    Hang,
    /// It arrives, and its answer comes a byte at a time with such a pause.
    SlowAnswer(Duration),
    /// It is read a piece at a time with such a pause, then arrives.
    SlowRequest(Duration),
    /// The connection is reset in the middle of its body.
    ResetInRequest,
    /// It arrives, and the connection is reset before the answer.
    ResetBeforeAnswer,
    /// It arrives, and the connection is reset in the middle of the answer.
    ResetInAnswer,
    /// It does not arrive, and the answer is this status, with this `Retry-After`.
    Status(u16, Option<String>),
    /// The answer is a success that is no JSON; whether it arrived.
    Malformed(bool),
    /// The answer ends before its length; whether it arrived.
    Truncated(bool),
    /// It arrives, and the answer of a `_bulk` lacks its last item.
    FewerItems,
    /// It arrives, and the answer of a `_bulk` has its last item twice.
    MoreItems,
    /// It does not arrive, and the answer says that all of a `_bulk` went well but has no item.
    NoItems,
}

impl Fault {
    /// What comes after it is as it was before it.
    pub fn passing() -> Vec<Self> {
        let slow = Duration::from_millis(1);
        vec![
            Self::SlowAnswer(slow),
            Self::SlowRequest(slow),
            Self::ResetInRequest,
            Self::ResetBeforeAnswer,
            Self::ResetInAnswer,
            Self::Status(429, None),
            Self::Status(429, Some("1".to_owned())),
            Self::Status(503, None),
            Self::Status(503, Some(in_a_second())),
            Self::Status(413, None),
            Self::Malformed(false),
            Self::Malformed(true),
            Self::Truncated(false),
            Self::Truncated(true),
            Self::FewerItems,
            Self::MoreItems,
            Self::NoItems,
        ]
    }
}

/// As an HTTP date.
fn in_a_second() -> String {
    let time = Duration::from_secs_f64(metricast::clock::now() + 1.0);
    httpdate::fmt_http_date(UNIX_EPOCH + time)
}

type Kind = dyn Fn(&str) -> bool + Send + Sync;
type Always = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

#[derive(Default)]
struct Script {
    next: VecDeque<Fault>,
    by_chance: Option<(fastrand::Rng, Vec<Fault>)>,
    always: Option<Box<Always>>,
    sent: Vec<Request>,
    done: Vec<Fault>,
}

struct Shared {
    upstream: String,
    concerns: Box<Kind>,
    script: Mutex<Script>,
    ended: AtomicBool,
    /// Those that hang are let go.
    calm: AtomicBool,
}

/// A running proxy; it ends when it is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Mutex<Option<(Arc<AtomicBool>, JoinHandle<()>)>>,
}

impl FaultProxy {
    /// Starts one in front of `upstream` (`http://127.0.0.1:9200`); faults are for paths that it `concerns`.
    pub fn start(upstream: &str, concerns: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            concerns: Box::new(concerns),
            script: Mutex::default(),
            ended: AtomicBool::new(false),
            calm: AtomicBool::new(false),
        });
        let proxy = Self { address, shared, listening: Mutex::default() };
        proxy.listen(listener);
        proxy
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// This happens to the next request, or the one after what was asked for before.
    pub fn then(&self, fault: Fault) {
        self.script().next.push_back(fault);
    }

    /// One of these happens to each third request or so.
    pub fn by_chance(&self, random: fastrand::Rng, faults: Vec<Fault>) {
        self.script().by_chance = Some((random, faults));
    }

    /// What happens to each request that this says something for.
    pub fn always(&self, always: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        self.script().always = Some(Box::new(always));
    }

    /// From now on nothing happens to anybody.
    pub fn calm(&self) {
        let mut script = self.script();
        (script.by_chance, script.always) = (None, None);
        script.next.clear();
        self.shared.calm.store(true, Ordering::Relaxed);
    }

    /// From now on nobody can connect, and those that are connected are cut off with their next request.
    pub fn refuse(&self) {
        if let Some((closed, listener)) = lock(&self.listening).take() {
            closed.store(true, Ordering::SeqCst);
            // Wakes the listener.
            _ = TcpStream::connect(self.address);
            _ = listener.join();
        }
    }

    /// From now on one can connect again.
    pub fn accept(&self) {
        self.listen(TcpListener::bind(self.address).expect("its port is still free"));
    }

    /// All requests of the kind that faults are for, whether they arrived or not.
    pub fn sent(&self) -> Vec<Request> {
        self.script().sent.clone()
    }

    /// What has happened so far.
    pub fn done(&self) -> Vec<Fault> {
        self.script().done.clone()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.shared.script)
    }

    fn listen(&self, listener: TcpListener) {
        let (closed, shared) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.shared));
        let is_closed = Arc::clone(&closed);
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if is_closed.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, is_closed) = (Arc::clone(&shared), Arc::clone(&is_closed));
                // A broken connection is what it is for.
                thread::spawn(move || _ = shared.serve(&stream, &is_closed));
            }
        });
        *lock(&self.listening) = Some((closed, thread));
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.refuse();
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream, is_closed: &AtomicBool) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(mut request) = read_head(&mut reader)? {
            if is_closed.load(Ordering::SeqCst) || self.ended.load(Ordering::SeqCst) {
                return reset(stream);
            }
            if !(self.concerns)(&request.path) {
                request.body = read_body(&request, &mut reader, stream)?;
                self.pass(&request)?.write_to(stream)?;
                continue;
            }
            let early = self.next_before_the_body();
            match early {
                Some(Fault::ResetInRequest) => {
                    let length: usize = request.header("content-length").parse().unwrap_or(2);
                    reader.read_exact(&mut vec![0; length / 2])?;
                    return reset(stream);
                }
                Some(Fault::SlowRequest(pause)) => {
                    request.body = read_body(&request, &mut Slow { reader: &mut reader, pause }, stream)?;
                }
                _ => request.body = read_body(&request, &mut reader, stream)?,
            }
            let fault = early.or_else(|| self.always(&request));
            lock(&self.script).sent.push(request.clone());
            if !self.answer(stream, &request, fault)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn next_before_the_body(&self) -> Option<Fault> {
        let mut script = lock(&self.script);
        let mut next = script.next.pop_front();
        if next.is_none()
            && let Some((random, faults)) = &mut script.by_chance
            && random.u8(..3) == 0
        {
            next = Some(faults[random.usize(..faults.len())].clone());
        }
        script.done.extend(next.clone());
        next
    }

    fn always(&self, request: &Request) -> Option<Fault> {
        let mut script = lock(&self.script);
        let fault = script.always.as_ref().and_then(|always| always(request));
        script.done.extend(fault.clone());
        fault
    }

    /// Says whether the connection stays open.
    fn answer(&self, mut stream: &TcpStream, request: &Request, fault: Option<Fault>) -> io::Result<bool> {
        match fault {
            None | Some(Fault::SlowRequest(_) | Fault::ResetInRequest) => self.pass(request)?.write_to(stream)?,
            Some(Fault::Hang) => {
                while !self.calm.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                }
                return reset(stream).map(|()| false);
            }
            Some(Fault::SlowAnswer(pause)) => {
                for byte in self.pass(request)?.bytes() {
                    stream.write_all(&[byte])?;
                    thread::sleep(pause);
                }
            }
            Some(Fault::ResetBeforeAnswer) => {
                self.pass(request)?;
                return reset(stream).map(|()| false);
            }
            Some(Fault::ResetInAnswer) => {
                let bytes = self.pass(request)?.bytes();
                stream.write_all(&bytes[..bytes.len() / 2])?;
                return reset(stream).map(|()| false);
            }
            Some(Fault::Status(status, retry_after)) => {
                let headers = retry_after.map(|value| ("retry-after".to_owned(), value));
                Passed { status, headers: headers.into_iter().collect(), body: Vec::new() }.write_to(stream)?;
            }
            Some(Fault::Malformed(arrives)) => {
                self.instead(request, arrives, b"{\"took\": 1, \"it")?.write_to(stream)?;
            }
            Some(Fault::Truncated(arrives)) => {
                let body = json!({"took": 1, "errors": false, "items": []}).to_string();
                let bytes = self.instead(request, arrives, body.as_bytes())?.bytes();
                stream.write_all(&bytes[..bytes.len() - 20])?;
                return Ok(false);
            }
            Some(Fault::NoItems) => {
                let body = json!({"took": 1, "errors": false, "items": []}).to_string();
                self.instead(request, false, body.as_bytes())?.write_to(stream)?;
            }
            Some(Fault::FewerItems) => self.pass(request)?.with_items(|items| drop(items.pop())).write_to(stream)?,
            Some(Fault::MoreItems) => {
                let answer = self.pass(request)?.with_items(|items| items.extend(items.last().cloned()));
                answer.write_to(stream)?;
            }
        }
        Ok(true)
    }

    /// A success with this body in the place of the upstream's.
    fn instead(&self, request: &Request, arrives: bool, body: &[u8]) -> io::Result<Passed> {
        let headers = if arrives { self.pass(request)?.headers } else { json_headers() };
        Ok(Passed { status: 200, headers, body: body.to_vec() })
    }

    fn pass(&self, request: &Request) -> io::Result<Passed> {
        const OWN: [&str; 6] =
            ["host", "content-length", "connection", "transfer-encoding", "accept-encoding", "expect"];
        let mut passed =
            http::Request::builder().method(request.method.as_str()).uri(format!("{}{}", self.upstream, request.path));
        for (name, value) in request.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            passed = passed.header(name, value);
        }
        let passed = passed.body(request.body.clone()).map_err(io::Error::other)?;
        let answer = client::send(&passed).map_err(io::Error::other)?;
        let headers = answer.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        Ok(Passed { status: answer.status, headers, body: answer.body })
    }
}

/// An answer of the upstream.
struct Passed {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Passed {
    fn bytes(&self) -> Vec<u8> {
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

    fn write_to(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.write_all(&self.bytes())
    }

    /// What has no items stays as it is.
    fn with_items(mut self, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        if let Ok(mut answer) = serde_json::from_slice::<Value>(&self.body)
            && let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut)
        {
            change(items);
            self.body = answer.to_string().into_bytes();
        }
        self
    }
}

fn json_headers() -> Vec<(String, String)> {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![header("content-type", "application/json"), header("x-elastic-product", "Elasticsearch")]
}

/// The other side finds the connection reset, not ended.
fn reset(stream: &TcpStream) -> io::Result<()> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

/// Reads little at a time.
struct Slow<'a, R> {
    reader: &'a mut R,
    pause: Duration,
}

impl<R: io::BufRead> io::Read for Slow<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        const PIECE: usize = 64;
        thread::sleep(self.pause);
        let length = into.len().min(PIECE);
        self.reader.read(&mut into[..length])
    }
}

impl<R: io::BufRead> io::BufRead for Slow<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{Answer, Stub};

    fn proxied() -> (Stub, FaultProxy) {
        let stub = Stub::start(|_| Answer::json(200, &json!({"items": [1, 2]})));
        let proxy = FaultProxy::start(&stub.url(), |path| path.contains("bulk"));
        (stub, proxy)
    }

    fn post(proxy: &FaultProxy) -> Result<client::Answer, String> {
        client::post(&format!("{}/_bulk", proxy.url()), "text/plain", "some body").map_err(|error| error.to_string())
    }

    #[test]
    fn each_fault_is_what_it_is_called() {
        let (stub, proxy) = proxied();
        for (fault, arrives, is_answered) in [
            (Fault::SlowAnswer(Duration::ZERO), true, true),
            (Fault::SlowRequest(Duration::ZERO), true, true),
            (Fault::ResetInRequest, false, false),
            (Fault::ResetBeforeAnswer, true, false),
            (Fault::ResetInAnswer, true, false),
            (Fault::Truncated(true), true, false),
            (Fault::Truncated(false), false, false),
            (Fault::Malformed(true), true, true),
            (Fault::Malformed(false), false, true),
        ] {
            let before = stub.requests().len();
            proxy.then(fault.clone());
            let answer = post(&proxy);
            assert_eq!(
                (stub.requests().len() > before, answer.is_ok()),
                (arrives, is_answered),
                "{fault:?} {answer:?}"
            );
        }
        proxy.then(Fault::Status(503, Some("7".to_owned())));
        let answer = post(&proxy).unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
        for (fault, items) in
            [(Fault::FewerItems, json!([1])), (Fault::MoreItems, json!([1, 2, 2])), (Fault::NoItems, json!([]))]
        {
            proxy.then(fault);
            assert_eq!(post(&proxy).unwrap().json()["items"], items);
        }
    }

    #[test]
    fn who_is_refused_cannot_connect_and_others_are_not_concerned() {
        let (stub, proxy) = proxied();
        proxy.then(Fault::Status(503, None));
        assert_eq!(client::get(&proxy.url()).unwrap().status, 200);
        assert_eq!((stub.requests().len(), proxy.sent().len()), (1, 0));
        proxy.refuse();
        assert!(post(&proxy).is_err());
        proxy.accept();
        assert_eq!(post(&proxy).unwrap().status, 503);
    }
}
