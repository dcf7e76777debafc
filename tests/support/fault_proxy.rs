//! A proxy in front of a real server that does to requests and answers what networks and overloaded servers do.
//!
//! Requests of a kind that a test names meet the faults, in the order in which they were asked for or by chance; all
//! others pass. What was sent is kept, whether it arrived or not.

mod fault;
mod wire;

use std::collections::VecDeque;
use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::stub::{Request, read_body, read_head};

pub use fault::{Fault, RetryAfter};
use wire::{Passed, Slow, reset};

/// Who waits for something that only the end of the proxy brings looks this often.
const LOOK: Duration = Duration::from_millis(5);

/// A request that came.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The request.
    pub request: Request,
    /// When it was read.
    pub at: Instant,
    /// What happened to it.
    pub fault: Option<Fault>,
}

impl Sent {
    /// Whether it got to the server.
    pub fn arrived(&self) -> bool {
        self.fault.is_none_or(Fault::arrives)
    }
}

type Kind = dyn Fn(&str) -> bool + Send + Sync;
type Always = dyn Fn(&Request) -> Option<Fault> + Send + Sync;

#[derive(Default)]
struct Script {
    next: VecDeque<Fault>,
    by_chance: Option<(fastrand::Rng, Vec<Fault>)>,
    always: Option<Box<Always>>,
    sent: Vec<Sent>,
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

    /// All requests of the kind that faults are for that were read to their end.
    pub fn sent(&self) -> Vec<Sent> {
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
            lock(&self.script).sent.push(Sent { request: request.clone(), at: Instant::now(), fault });
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
            next = Some(faults[random.usize(..faults.len())]);
        }
        script.done.extend(next);
        next
    }

    fn always(&self, request: &Request) -> Option<Fault> {
        let mut script = lock(&self.script);
        let fault = script.always.as_ref().and_then(|always| always(request));
        script.done.extend(fault);
        fault
    }

    /// Says whether the connection stays open.
    fn answer(&self, mut stream: &TcpStream, request: &Request, fault: Option<Fault>) -> io::Result<bool> {
        let arrives = fault.is_none_or(Fault::arrives);
        let passed = if arrives { self.pass(request)? } else { Passed::made_up() };
        match fault {
            None => passed.write_to(stream)?,
            Some(Fault::Hang(_)) => {
                while !self.calm.load(Ordering::Relaxed) && !self.ended.load(Ordering::Relaxed) {
                    thread::sleep(LOOK);
                }
                return reset(stream).map(|()| false);
            }
            Some(Fault::SlowAnswer(pause)) => {
                for byte in passed.bytes() {
                    stream.write_all(&[byte])?;
                    thread::sleep(pause);
                }
            }
            Some(Fault::ResetBeforeAnswer) => return reset(stream).map(|()| false),
            Some(Fault::ResetInAnswer) => {
                let bytes = passed.bytes();
                stream.write_all(&bytes[..bytes.len() / 2])?;
                return reset(stream).map(|()| false);
            }
            Some(Fault::Truncated(_)) => {
                let bytes = Passed { status: 200, body: NO_ITEMS.into(), ..passed }.bytes();
                stream.write_all(&bytes[..bytes.len() - NO_ITEMS.len() / 2])?;
                return Ok(false);
            }
            Some(fault) => altered(fault, passed).write_to(stream)?,
        }
        Ok(true)
    }

    fn pass(&self, request: &Request) -> io::Result<Passed> {
        Passed::of(&self.upstream, request)
    }
}

/// That all of a `_bulk` went well.
const NO_ITEMS: &str = r#"{"took":1,"errors":false,"items":[]}"#;

/// A whole answer that is not the upstream's; as it is where the fault is none of the answer.
fn altered(fault: Fault, passed: Passed) -> Passed {
    let with_body = |body: &str, passed| Passed { status: 200, body: body.into(), ..passed };
    match fault {
        Fault::Status(status, retry_after) => Passed { status, headers: retry_after.headers(), body: Vec::new() },
        Fault::LateStatus(status) => Passed { status, headers: Vec::new(), body: b"upstream timed out".to_vec() },
        Fault::Malformed(_) => with_body("{\"took\": 1, \"it", passed),
        Fault::NoItems(_) => with_body(NO_ITEMS, passed),
        Fault::FewerItems => passed.with_items(|items| drop(items.pop())),
        Fault::MoreItems => passed.with_items(|items| items.extend(items.last().cloned())),
        Fault::ItemStatus(status) => passed.with_items(|items| {
            if let Some(last) = items.last_mut() {
                *last = json!({"create": {"status": status, "error": {"type": "made_up", "reason": "no reason"}}});
            }
        }),
        _ => passed,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub::{Answer, Stub};
    use crate::{http as client, wait};

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
            (Fault::LateStatus(504), true, true),
            (Fault::Status(413, RetryAfter::Unsaid), false, true),
        ] {
            let before = stub.requests().len();
            proxy.then(fault);
            let answer = post(&proxy);
            assert_eq!(
                (stub.requests().len() > before, answer.is_ok()),
                (arrives, is_answered),
                "{fault:?} {answer:?}"
            );
            assert_eq!(fault.arrives(), arrives);
        }
        for (fault, items) in [
            (Fault::FewerItems, json!([1])),
            (Fault::MoreItems, json!([1, 2, 2])),
            (Fault::NoItems(false), json!([])),
            (Fault::NoItems(true), json!([])),
        ] {
            proxy.then(fault);
            assert_eq!(post(&proxy).unwrap().json()["items"], items);
        }
        proxy.then(Fault::ItemStatus(500));
        let items = post(&proxy).unwrap().json()["items"].clone();
        assert_eq!((&items[0], &items[1]["create"]["status"]), (&json!(1), &json!(500)));
    }

    #[test]
    fn a_status_comes_with_the_time_to_wait_in_either_form() {
        let (_stub, proxy) = proxied();
        proxy.then(Fault::Status(503, RetryAfter::Seconds(7)));
        proxy.then(Fault::Status(429, RetryAfter::Date(7)));
        proxy.then(Fault::Status(429, RetryAfter::Unsaid));
        let answer = post(&proxy).unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
        let answer = post(&proxy).unwrap();
        let time = |name| httpdate::parse_http_date(answer.header(name)).unwrap();
        assert_eq!(time("retry-after").duration_since(time("date")).unwrap(), Duration::from_secs(7));
        assert_eq!(post(&proxy).unwrap().header("retry-after"), "");
    }

    #[test]
    fn who_hangs_is_let_go_in_the_end() {
        let (stub, proxy) = proxied();
        proxy.then(Fault::Hang(true));
        thread::scope(|scope| {
            let asked = scope.spawn(|| post(&proxy));
            wait::until("a request", Duration::from_secs(5), || (stub.requests().len() == 1).then_some(()));
            assert!(!asked.is_finished());
            proxy.calm();
            assert!(asked.join().unwrap().is_err());
        });
    }

    #[test]
    fn who_is_refused_cannot_connect_and_others_are_not_concerned() {
        let (stub, proxy) = proxied();
        proxy.then(Fault::Status(503, RetryAfter::Unsaid));
        assert_eq!(client::get(&proxy.url()).unwrap().status, 200);
        assert_eq!((stub.requests().len(), proxy.sent().len()), (1, 0));
        proxy.refuse();
        assert!(post(&proxy).is_err());
        proxy.accept();
        assert_eq!(post(&proxy).unwrap().status, 503);
    }
}
