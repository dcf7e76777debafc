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
    /// Whether everybody is cut off when that is over.
    then_cut: bool,
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
    /// Nobody is served.
    cut: AtomicBool,
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
            cut: AtomicBool::new(false),
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

    /// The same, and every request behind it is cut off unread, of whatever kind, until [`serve`](Self::serve).
    pub fn then_cut(&self, fault: Fault) {
        let mut script = self.script();
        script.next.push_back(fault);
        script.then_cut = true;
    }

    /// Nobody is cut off any more.
    pub fn serve(&self) {
        self.script().then_cut = false;
        self.shared.cut.store(false, Ordering::SeqCst);
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
            if [is_closed, &self.ended, &self.cut].iter().any(|off| off.load(Ordering::SeqCst)) {
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
        if next.is_some() && script.then_cut && script.next.is_empty() {
            self.cut.store(true, Ordering::SeqCst);
        }
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
mod tests;
