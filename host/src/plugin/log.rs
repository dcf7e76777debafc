//! A plugin's standard output and standard error: lines of the host's log, under the plugin's name.
//!
//! A line's level is its prefix (`error: `, `warn: `, `info: `, `debug: `; `info` where there is none). Lines are cut
//! at [`LINE`] bytes, and after a burst of [`BURST`] no more than [`PER_SECOND`] a second get through; how many did not
//! is said with the next that does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::identity::Identity;
use crate::limits::Bucket;
use crate::untrusted;

const LINE: usize = 4 << 10;
const BURST: u32 = 200;
const PER_SECOND: f64 = 50.0;
/// Bytes that a plugin may hand over in one write.
const WRITE: usize = 64 << 10;

/// Where the lines of one instance go; cheap to clone.
#[derive(Clone)]
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    identity: Identity,
    state: Mutex<State>,
}

struct State {
    rate: Bucket,
    dropped: u64,
    last: Option<String>,
}

impl Log {
    pub(crate) fn new(identity: Identity) -> Self {
        let state = State { rate: Bucket::new(BURST, PER_SECOND), dropped: 0, last: None };
        Self(Arc::new(Shared { identity, state: Mutex::new(state) }))
    }

    /// One of the streams that lead here.
    pub(crate) fn stream(&self) -> LogStream {
        LogStream(Arc::new(Mutex::new(Lines { log: self.clone(), line: Vec::new(), cut: false })))
    }

    /// The last line since the last time of asking: after a trap, most likely the panic's text.
    pub(crate) fn take_last(&self) -> Option<String> {
        lock(&self.0.state).last.take()
    }

    fn line(&self, line: &[u8], now: Instant) {
        let line = untrusted::text(String::from_utf8_lossy(line).trim_end(), LINE);
        if line.is_empty() {
            return;
        }
        let (level, words) = level(&line);
        let mut state = lock(&self.0.state);
        // What std adds below a panic's text is no last word.
        if !words.starts_with("note: ") {
            state.last = Some(words.to_owned());
        }
        if !state.rate.take(now) {
            state.dropped += 1;
            return;
        }
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        if dropped > 0 {
            self.emit(Level::WARN, &format!("{dropped} lines of this plugin were dropped: it writes too many"));
        }
        self.emit(level, words);
    }

    fn emit(&self, level: Level, words: &str) {
        let Identity { publisher, plugin } = &self.0.identity;
        match level {
            Level::ERROR => tracing::error!(target: "metricast::plugin", %publisher, %plugin, "{words}"),
            Level::WARN => tracing::warn!(target: "metricast::plugin", %publisher, %plugin, "{words}"),
            Level::INFO => tracing::info!(target: "metricast::plugin", %publisher, %plugin, "{words}"),
            _ => tracing::debug!(target: "metricast::plugin", %publisher, %plugin, "{words}"),
        }
    }
}

fn level(line: &str) -> (Level, &str) {
    let levels =
        [("error: ", Level::ERROR), ("warn: ", Level::WARN), ("info: ", Level::INFO), ("debug: ", Level::DEBUG)];
    levels
        .into_iter()
        .find_map(|(prefix, level)| line.strip_prefix(prefix).map(|words| (level, words)))
        .unwrap_or((Level::INFO, line))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard output or standard error of one instance.
#[derive(Clone)]
pub(crate) struct LogStream(Arc<Mutex<Lines>>);

struct Lines {
    log: Log,
    line: Vec<u8>,
    /// The line was cut and its rest is left out.
    cut: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], now: Instant) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = (LINE + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if !self.cut && (ends || self.line.len() > LINE) {
                self.log.line(&self.line, now);
                self.cut = true;
            }
            if ends {
                self.line.clear();
                self.cut = false;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.cut {
            self.log.line(&self.line, Instant::now());
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    /// Only WASI 0.3 asks for it, which no plugin gets.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.0).push(&bytes, Instant::now());
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn log() -> Log {
        Log::new(Identity { publisher: "p".into(), plugin: "test 0.1.0".into() })
    }

    fn dropped(log: &Log) -> u64 {
        lock(&log.0.state).dropped
    }

    #[test]
    fn a_prefix_is_the_level() {
        assert_eq!(level("error: gone"), (Level::ERROR, "gone"));
        assert_eq!(level("warn: late"), (Level::WARN, "late"));
        assert_eq!(level("debug: x"), (Level::DEBUG, "x"));
        assert_eq!(level("errors: 3"), (Level::INFO, "errors: 3"));
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let log = log();
        let mut stream = log.stream();
        for piece in ["error: pani", "cked\nnext", " line"] {
            stream.write(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        assert_eq!(log.take_last().as_deref(), Some("panicked"));
        drop(stream);
        assert_eq!(log.take_last().as_deref(), Some("next line"), "the end of a stream ends its line");
        assert_eq!(log.take_last(), None);
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_takes_no_memory() {
        let log = log();
        let stream = log.stream();
        for _ in 0..1_000 {
            lock(&stream.0).push(&[b'x'; 1024], Instant::now());
        }
        assert!(lock(&stream.0).line.len() <= LINE + 1);
        lock(&stream.0).push(b"\nafter\n", Instant::now());
        assert_eq!(log.take_last().as_deref(), Some("after"));
    }

    #[test]
    fn a_flood_is_dropped_and_counted() {
        let log = log();
        let stream = log.stream();
        let start = Instant::now();
        for _ in 0..BURST + 10 {
            lock(&stream.0).push(b"again\n", start);
        }
        assert_eq!(dropped(&log), 10);
        lock(&stream.0).push(b"later\n", start + Duration::from_secs(1));
        assert_eq!(dropped(&log), 0, "the count was said");
    }
}
