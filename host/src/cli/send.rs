//! `metricast publish --to URL`: sends lines into a running metricast, which answers for each body.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Uri;
use indicatif::{HumanCount, ProgressBar};
use metricast_records::input::MAX_LINE;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::chunks::{Chunk, Chunks};
use super::client::{Answer, Client, Outcome, RefusedLine, SendError};
use super::exit::{self, Exit};
use super::progress::{self, Pace};
use super::refused::Refused;
use super::signals;
use super::terminal::{self, Terminal};
use crate::config::show_time;

/// Between tries where the other side has no room and names no time.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends all of it, or up to a signal, and tells what came of it.
pub(super) fn run(
    url: Uri,
    chunks: Chunks,
    refused: Refused,
    wait: Duration,
    run: &Run,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = signals::first(|| tracing::warn!("stopping as soon as the body under way is answered for"))?;
        let bar = progress::bar(terminal, chunks.total);
        let (client, run, tally) = (Client::new(url)?, run.clone(), Tally::default());
        let mut sending = Sending { client, refused, wait, run, bar, stop, tally };
        let started = Instant::now();
        let ended = sending.all(chunks).await;
        sending.bar.finish_and_clear();
        sending.refused.finish()?;
        if ended.is_ok() || sending.tally.lines > 0 {
            terminal::print(sending.summary(started.elapsed()))?;
        }
        let refused = Exit::refused_if(sending.refused.count() > 0);
        Ok(ended.map_or_else(|stopped| sending.undelivered(&stopped, terminal), |()| refused))
    })
}

struct Sending {
    client: Client,
    refused: Refused,
    wait: Duration,
    run: Run,
    bar: ProgressBar,
    stop: CancellationToken,
    tally: Tally,
}

/// One run, or several that make one: a body that comes again in it is not taken twice.
#[derive(Clone)]
pub(super) struct Run {
    id: String,
}

impl Run {
    /// The run of an id, or a new one.
    pub(super) fn new(id: Option<&str>) -> Self {
        Self { id: id.map_or_else(|| format!("{:08x}", fastrand::u32(..)), str::to_owned) }
    }

    /// By the input's name, the place in it, and what is there.
    fn key(&self, chunk: &Chunk) -> String {
        let place = format!("{}\n{}\n{}\n", self.id, chunk.source, chunk.first);
        let digest = Sha256::new().chain_update(place).chain_update(&chunk.body).finalize();
        digest.iter().take(16).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// What was answered for so far.
#[derive(Default)]
struct Tally {
    accepted: u64,
    lines: u64,
    bytes: u64,
    waits: u64,
    /// The source and number of the last line.
    last: Option<(String, u64)>,
}

/// Why not all of it was sent.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("stopped by a signal")]
    Signal,
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("{0} has had no room for {time}: its log names the publisher that holds it up", time = show_time(*.1))]
    NoRoom(Uri, Duration),
    #[error("{text}", text = exit::told(.0))]
    Local(#[from] anyhow::Error),
}

impl Sending {
    async fn all(&mut self, mut chunks: Chunks) -> Result<(), Stopped> {
        loop {
            let chunk = tokio::select! {
                biased;
                // A signal is a fair end of what comes without one.
                () = self.stop.cancelled() => return chunks.total.map_or(Ok(()), |_| Err(Stopped::Signal)),
                chunk = chunks.next.recv() => chunk,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            self.whole(chunk?).await?;
        }
    }

    /// Sends a chunk, in halves where it is too large for the other side.
    async fn whole(&mut self, chunk: Chunk) -> Result<(), Stopped> {
        let mut parts = vec![chunk];
        while let Some(part) = parts.pop() {
            match self.answer(&part).await? {
                Some(answer) => {
                    self.expect_whole(&part, &answer)?;
                    self.count(&part, &answer)?;
                }
                None => match part.halves() {
                    Some([front, back]) => parts.extend([back, front]),
                    None => self.count(&part, &self.too_large(&part))?,
                },
            }
        }
        Ok(())
    }

    /// What the other side says of a body, asked again while it has no room; nothing if it is too large for it.
    async fn answer(&mut self, chunk: &Chunk) -> Result<Option<Answer>, Stopped> {
        let body = Bytes::copy_from_slice(&chunk.body);
        let key = self.run.key(chunk);
        let started = Instant::now();
        loop {
            let outcome = self.client.send(body.clone(), &key).await;
            let left = self.wait.saturating_sub(started.elapsed());
            let pause = match outcome {
                Ok(Outcome::Taken(answer)) => return Ok(Some(answer)),
                Ok(Outcome::TooLarge) => return Ok(None),
                Ok(Outcome::Busy(_)) if left.is_zero() => {
                    return Err(Stopped::NoRoom(self.client.url().clone(), self.wait));
                }
                Ok(Outcome::Busy(pause)) => {
                    self.tally.waits += 1;
                    self.bar.set_message("waiting for room in the queue");
                    pause.unwrap_or(PAUSE)
                }
                // An address where nobody ever answered may be a wrong one.
                Err(error) if error.is_passing() && self.tally.last.is_some() && !left.is_zero() => {
                    tracing::warn!("{error}; it is sent again, and is not taken twice");
                    PAUSE
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = self.stop.cancelled() => return Err(Stopped::Signal),
                () = tokio::time::sleep(pause.min(left)) => {}
            }
        }
    }

    /// An answer speaks of each record once; another side may not be a metricast.
    fn expect_whole(&self, chunk: &Chunk, answer: &Answer) -> Result<(), SendError> {
        let (told, sent) = (answer.told(chunk.lines()), chunk.records());
        if told == Some(sent) {
            return Ok(());
        }
        Err(SendError::Miscounted { url: self.client.url().clone(), told: told.unwrap_or(0), sent })
    }

    /// Of a body of one line that the other side does not take.
    fn too_large(&self, chunk: &Chunk) -> Answer {
        let reason = format!("{} bytes long, and {} takes less", chunk.body.len(), self.client.url());
        Answer { refused: vec![RefusedLine { line: 1, reason }], ..Answer::default() }
    }

    fn count(&mut self, chunk: &Chunk, answer: &Answer) -> anyhow::Result<()> {
        for line in &chunk.too_long {
            let reason = format!("longer than {} MiB, which no record is", MAX_LINE >> 20);
            self.refused.add(&chunk.source, *line, &reason, b"")?;
        }
        for refused in &answer.refused {
            let number = chunk.first + refused.line.saturating_sub(1);
            self.refused.add(&chunk.source, number, &refused.reason, chunk.line(number))?;
        }
        self.refused.add_untold(answer.refused_unlisted);
        self.tally.accepted += answer.accepted;
        self.tally.lines += chunk.lines();
        self.tally.bytes += chunk.length;
        self.tally.last = Some((chunk.source.to_string(), chunk.first + chunk.lines() - 1));
        self.bar.set_message(format!("{} records", HumanCount(self.tally.accepted)));
        self.bar.inc(chunk.length);
        Ok(())
    }

    /// Tells why not all was sent, and from where on.
    fn undelivered(&self, stopped: &Stopped, terminal: &Terminal) -> Exit {
        terminal.error(stopped);
        match &self.tally.last {
            Some((source, line)) => {
                terminal.say(format_args!("nothing after {source}:{line} is known to have arrived"));
            }
            None => terminal.say("nothing is known to have arrived"),
        }
        let nothing_came = matches!(stopped, Stopped::Send(SendError::Connect { .. } | SendError::Refused { .. }));
        if self.tally.last.is_some() || !nothing_came {
            let id = &self.run.id;
            terminal.say(format_args!("the same command with --resume {id} goes on, and nothing is taken twice"));
        }
        match stopped {
            Stopped::Local(error) => Exit::of(error).max(Exit::Undelivered),
            _ => Exit::Undelivered,
        }
    }

    fn summary(&self, took: Duration) -> String {
        let Tally { accepted, lines, bytes, waits, .. } = self.tally;
        let mut text = format!(
            "{}: accepted {} of {} lines, {}\n",
            self.client.url(),
            HumanCount(accepted),
            HumanCount(lines),
            Pace { records: accepted, bytes, took },
        );
        if waits > 0 {
            let _ = writeln!(text, "waited for room in its queue ({}x)", HumanCount(waits));
        }
        let _ = write!(text, "{}", self.refused);
        text
    }
}
