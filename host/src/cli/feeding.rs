//! Files and standard input into the queue, on a thread of its own: reading and a full queue make it wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use indicatif::ProgressBar;
use tokio::sync::oneshot;

use super::exit::Broken;
use super::refused::Refused;
use super::resume::Source;
use crate::queue::AppendError;
use crate::source::feed::{Fed, Feeder};

/// Bytes of lines that are told together.
const TOLD_AT_ONCE: u64 = 64 << 10;

/// Looked at from outside while it goes on.
pub(super) struct Feeding {
    shared: Arc<Shared>,
    ended: oneshot::Receiver<anyhow::Result<()>>,
}

struct Shared {
    refused: Mutex<Refused>,
    lines: AtomicU64,
    bytes: AtomicU64,
    waiting: AtomicBool,
    stop: AtomicBool,
    bar: ProgressBar,
}

impl Feeding {
    /// Starts to read. Everything is in the queue when it has [`ended`](Self::ended).
    pub(super) fn start(
        inputs: Vec<Source>,
        feeder: Feeder,
        refused: Refused,
        bar: ProgressBar,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            refused: Mutex::new(refused),
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            waiting: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            bar,
        });
        let (tell, ended) = oneshot::channel();
        let feeding = Arc::clone(&shared);
        let work = move || tell.send(feeding.all(inputs, feeder));
        std::thread::Builder::new().name("metricast-feed".to_owned()).spawn(work).context("no thread to read with")?;
        Ok(Self { shared, ended })
    }

    /// Waits for the end of the input, or until it was told to stop and did.
    pub(super) async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.ended).await.unwrap_or_else(|_| Err(anyhow::anyhow!("reading ended in a fault of metricast's own")))
    }

    /// Tells it to put what it has read into the queue and to end.
    pub(super) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it waits for room in the queue.
    pub(super) fn is_waiting(&self) -> bool {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn lines(&self) -> u64 {
        self.shared.lines.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> MutexGuard<'_, Refused> {
        self.shared.refused()
    }
}

impl Shared {
    fn refused(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self, inputs: Vec<Source>, mut feeder: Feeder) -> anyhow::Result<()> {
        inputs.into_iter().try_for_each(|input| self.one(input, &mut feeder))
    }

    fn one(&self, mut input: Source, feeder: &mut Feeder) -> anyhow::Result<()> {
        feeder.at(input.place.take());
        let Source { input, .. } = &mut input;
        let mut progress = Progress { shared: self, lines: 0, bytes: 0 };
        while !self.stop.load(Ordering::Relaxed) {
            let line = input.lines.next().with_context(|| Broken::reading(&input.name))?;
            let Some(line) = line else { break };
            progress.add(line.length);
            let fed = feeder.line(line.bytes, line.read_at);
            feeder.past(line.length);
            if let Fed::Refused(refusal) = fed {
                let reason = refusal.to_string();
                feeder.refused(&input.name, line.number, line.bytes, &reason);
                self.refused().add(&input.name, line.number, &reason, line.bytes)?;
            }
            self.waiting(|| feeder.flush_if_enough())?;
            // Of an input that comes as it is written nothing is held back.
            if input.size.is_none() && input.lines.would_wait() {
                progress.tell();
                self.waiting(|| feeder.flush())?;
            }
        }
        // A batch is of one input, whose place it keeps.
        self.waiting(|| feeder.flush())
    }

    fn waiting<T>(&self, append: impl FnOnce() -> Result<T, AppendError>) -> anyhow::Result<T> {
        self.waiting.store(true, Ordering::Relaxed);
        let appended = append();
        self.waiting.store(false, Ordering::Relaxed);
        appended.context(Broken::reading("the input"))
    }
}

/// What was read and is not told yet: telling each line would cost more than cutting it.
struct Progress<'a> {
    shared: &'a Shared,
    lines: u64,
    bytes: u64,
}

impl Progress<'_> {
    fn add(&mut self, bytes: u64) {
        self.lines += 1;
        self.bytes += bytes;
        if self.bytes >= TOLD_AT_ONCE {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let (lines, bytes) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.bytes));
        self.shared.lines.fetch_add(lines, Ordering::Relaxed);
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.shared.bar.inc(bytes);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.tell();
    }
}
