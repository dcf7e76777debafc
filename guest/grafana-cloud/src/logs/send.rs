//! Sends the lines of a batch, and finds out which of a refused push are bad.
//!
//! A refusal (400) leaves the good lines of the push stored. Where its words say which lines are bad and how many, that
//! is the end of it; else those that are surely bad are taken out, and what is left is sent again, or halved, until the
//! bad ones stand alone. Loki drops a line that it has just stored with the same time and text. Each refusal makes the
//! parts smaller, so there is an end; where the call's time ends before, the rest is to be sent again.

use std::time::Instant;

use metricast_sdk::http::{Method, Response};
use metricast_sdk::{Batch, Deadline, PublishError, Tally};

use super::answer::{Answer, classify};
use super::line::Lines;
use super::push::{self, CONTENT_TYPE, Entry, Labels, Stream};
use super::refusal::{Judgement, Measure, Refusal};
use super::words;
use crate::client::{Ask, Failure};
use crate::discovery::{Directory, authorization};
use crate::options::{Late, Options};
use crate::place::Target;

/// A line beyond it is sent alone: Loki's default for the longest line, and Grafana Cloud's, is 256 KiB.
const LONG_LINE: usize = 256 << 10;
/// A line beyond it is not sent: Loki's parts take messages of 4 MiB from each other, and answer 500 to a longer one.
const LONGEST_LINE: usize = 3 << 20;
/// The most bytes of lines in a body. A tenant has 4 MB a second by default.
const MOST: usize = 1 << 20;
/// The least that the most goes down to.
const LEAST: usize = 64 << 10;

/// How many bytes of lines go into a body: a limiter never lets a body through that is larger than its burst, so a 429
/// makes the next ones smaller.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MOST)
    }
}

impl Room {
    fn limited(&mut self) {
        self.0 = (self.0 / 2).max(LEAST);
    }

    fn taken(&mut self) {
        self.0 = (self.0 + self.0 / 8).min(MOST);
    }

    /// How many of these go into one body, at least one.
    fn count(&self, entries: &[Entry], lines: &Lines) -> usize {
        let mut left = self.0;
        for (count, entry) in entries.iter().enumerate() {
            let size = lines.size(entry.index);
            if count > 0 && (size > left || size > LONG_LINE) {
                return count;
            }
            if size > LONG_LINE {
                return 1;
            }
            left = left.saturating_sub(size);
        }
        entries.len()
    }
}

/// Lines of one stream, ascending in time.
#[derive(Clone, Debug)]
struct Part {
    stream: Stream,
    entries: Vec<Entry>,
}

impl Part {
    fn new(stream: Stream, mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.nanos);
        Self { stream, entries }
    }

    fn indexes(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.index)
    }

    fn rest(&mut self, at: usize) -> Self {
        Self { stream: self.stream, entries: self.entries.split_off(at) }
    }
}

enum Next {
    /// Parts that are still to be sent, the last one first.
    Parts(Vec<Part>),
    /// What is left would fare no better.
    Stop(PublishError),
}

const DONE: Next = Next::Parts(Vec::new());

/// One call of the host.
pub(crate) struct Sending<'a> {
    pub(crate) options: &'a Options,
    pub(crate) directory: &'a mut Directory,
    pub(crate) labels: &'a Labels,
    pub(crate) room: &'a mut Room,
    pub(crate) batch: &'a Batch,
    pub(crate) lines: &'a Lines,
    pub(crate) deadline: Deadline,
}

impl Sending<'_> {
    /// Sends all of it, and says what became of each.
    pub(crate) fn run(mut self) -> Tally {
        let mut tally = Tally::default();
        let mut parts = self.parts(&mut tally);
        while let Some(mut part) = parts.pop() {
            if part.entries.is_empty() {
                continue;
            }
            parts.push(part.rest(self.room.count(&part.entries, self.lines)));
            match self.send(part, &mut tally) {
                Next::Parts(more) => parts.extend(more),
                Next::Stop(why) => {
                    for part in parts {
                        tally.again(part.indexes(), &why);
                    }
                    break;
                }
            }
        }
        tally
    }

    /// The two streams of a batch, without what is never sent.
    fn parts(&self, tally: &mut Tally) -> Vec<Part> {
        let mut streams = [Vec::new(), Vec::new()];
        let events = self.batch.events().len() as u32;
        for record in self.batch.records() {
            let (index, size) = (record.index, self.lines.size(record.index));
            if size > LONGEST_LINE {
                tally.rejected(
                    index,
                    format!("its line has {size} bytes: Loki takes 256 kB by default, and never more than 3 MiB"),
                );
                continue;
            }
            let time = record.metrics.end_time().unwrap_or(record.metrics.start_time());
            streams[usize::from(index >= events)].push(Entry::new(index, time));
        }
        let [events, networks] = streams;
        let of = |is_network| Stream { is_network, by_arrival: false };
        vec![Part::new(of(true), networks), Part::new(of(false), events)]
    }

    fn send(&mut self, part: Part, tally: &mut Tally) -> Next {
        let labels = self.labels.of(part.stream);
        let target = match self.directory.target(self.options, self.deadline) {
            Ok(target) => target.clone(),
            Err(why) => return later(&part, why, tally),
        };
        match self.post(&target, &labels, &part.entries) {
            Ok(response) => self.follow(classify(&response), part, &target, &labels, tally),
            Err(Failure { error, in_doubt: true }) => in_doubt(&part, error, tally),
            Err(Failure { error, in_doubt: false }) => later(&part, error, tally),
        }
    }

    /// Does what the answer asks for.
    fn follow(&mut self, answer: Answer, part: Part, at: &Target, labels: &str, tally: &mut Tally) -> Next {
        match answer {
            Answer::Taken => {
                self.room.taken();
                tally.taken(part.entries.len());
                DONE
            }
            Answer::Refused { reason, refusal } if refusal.is_of_all => {
                later(&part, words::of_all(labels, &reason), tally)
            }
            Answer::Refused { reason, refusal } => self.refused(part, &reason, refusal, tally),
            Answer::TooLarge(reason) => too_large(part, &reason, tally),
            Answer::Unauthorized(reason) => self.elsewhere(part, words::unauthorized(at, &reason), tally),
            Answer::Nowhere(reason) => self.elsewhere(part, words::nowhere(at, &reason), tally),
            Answer::Limited(why) => {
                self.room.limited();
                later(&part, why, tally)
            }
            Answer::Later(why) => later(&part, why, tally),
            Answer::InDoubt(why) => in_doubt(&part, why, tally),
        }
    }

    fn post(&self, target: &Target, labels: &str, entries: &[Entry]) -> Result<Response, Failure> {
        let body = push::body(labels, entries, self.lines)
            .map_err(|error| Failure { error: PublishError::Internal(error.to_string()), in_doubt: false })?;
        let authorization = authorization(self.options, target);
        let (url, authorization) = (target.url.as_str(), authorization.as_ref());
        let headers = &[("content-type", CONTENT_TYPE)];
        Ask { method: Method::Post, url, authorization, headers, body: &body }.exchange(self.deadline)
    }

    /// After a refusal that may come of a found place that has changed.
    fn elsewhere(&mut self, part: Part, refusal: PublishError, tally: &mut Tally) -> Next {
        let why = match self.directory.ask_again(self.options, Instant::now(), self.deadline) {
            Ok(true) => return Next::Parts(vec![part]),
            Ok(false) => refusal,
            Err(error) => error,
        };
        later(&part, why, tally)
    }

    /// Some of these are bad.
    fn refused(&self, part: Part, reason: &str, read: Refusal, tally: &mut Tally) -> Next {
        let Part { stream, entries } = part;
        let is_alone = entries.len() == 1;
        let measure = |entry: &Entry| Measure { nanos: entry.nanos, length: self.lines.length(entry.index) };
        let judgement = read.judgement(&entries.iter().map(measure).collect::<Vec<_>>());
        let (bad, rest): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| is_alone || read.refuses(judgement, measure(entry)));
        let mut rest = Part { stream, entries: rest };
        if bad.is_empty() {
            return halves(rest);
        }
        if judgement != Judgement::Open {
            tally.taken(std::mem::take(&mut rest.entries).len());
        }
        let may_move = self.options.late == Late::ArrivalTime && !stream.by_arrival;
        let mut moved = Vec::new();
        for entry in bad {
            let line = measure(&entry);
            if may_move && read.is_of_time(line) {
                moved.push(Entry::new(entry.index, self.batch.received()[entry.index as usize]));
            } else {
                let reason = read.reason(line, reason);
                tally.rejected(entry.index, format!("Loki does not take its line: {reason}"));
            }
        }
        Next::Parts(vec![Part::new(Stream { by_arrival: true, ..stream }, moved), rest])
    }
}

/// Nothing of it is there.
fn later(part: &Part, why: PublishError, tally: &mut Tally) -> Next {
    tally.again(part.indexes(), &why);
    Next::Stop(why)
}

/// Some of it may be there.
fn in_doubt(part: &Part, why: PublishError, tally: &mut Tally) -> Next {
    tally.in_doubt(part.indexes(), &why);
    Next::Stop(why)
}

fn too_large(part: Part, reason: &str, tally: &mut Tally) -> Next {
    match part.entries.as_slice() {
        [entry] => {
            tally.rejected(entry.index, format!("its line is larger than the receiver takes: {reason}"));
            DONE
        }
        _ => halves(part),
    }
}

fn halves(mut part: Part) -> Next {
    let second = part.rest(part.entries.len() / 2);
    Next::Parts(vec![second, part])
}
