//! Pushes: begins them, keeps their bodies until each is answered for, and does what the answers say.
//!
//! One push is under way at a time. A body that a receiver may or may not have is sent again as it is, with the same
//! times: receivers take an equal sample as one that they have. What is given up is the push, never a count: the next one
//! has all values again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use metricast_sdk::http::{Method, Response};
use metricast_sdk::{Deadline, PublishError, log};
use metricast_series::Registry;
use metricast_series::otlp::Resource;
use metricast_series::push::{Body, Labels, Limits, SHORTEST_MILLIS, Sent};

use super::answer::{Answer, classify};
use super::dialect::{Dialect, headers};
use super::words::{self, Trouble};
use crate::client::Ask;
use crate::discovery::{Directory, authorization};
use crate::options::Options;
use crate::place::Target;

/// How often a receiver may break (500) over a push before the push is given up: one that breaks over a body does so
/// each time, and would keep all later ones back.
const FAULTS: u32 = 3;
/// How far the clock may be behind the last push for the push to be moved behind it, milliseconds.
pub(crate) const CLOCK_SLACK: i64 = 1000;
/// A receiver's wish to wait is kept up to here, as the host does it.
const LONGEST_WISH: Duration = Duration::from_mins(5);
/// The least time that a request is begun with.
const ROOM: Duration = Duration::from_secs(1);

/// The time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds since the Unix epoch.
    pub(crate) millis: i64,
    /// For waiting.
    pub(crate) instant: Instant,
}

/// What a push says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The values.
    Values,
    /// That all series end.
    End,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Every body is answered for.
    Done,
    /// The same must be said in another way: a new push.
    Again,
    /// The call's time is over.
    Unfinished,
}

/// What all bodies of a receiver have.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) labels: Labels,
    pub(crate) resource: Resource,
}

/// What a delivery goes by.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) options: &'a Options,
    pub(crate) directory: &'a mut Directory,
    pub(crate) stamp: &'a Stamp,
    pub(crate) now: Instant,
    pub(crate) deadline: Deadline,
}

impl Way<'_> {
    /// After a refusal that may come of a found place that has changed: goes on where it has, with another one.
    fn ask_again(&mut self, refusal: PublishError) -> Result<(), PublishError> {
        let is_other = self.directory.ask_again(self.options, self.now, self.deadline)?;
        if is_other { Ok(()) } else { Err(refusal) }
    }
}

/// Sends pushes.
#[derive(Debug)]
pub(crate) struct Pusher {
    pub(super) sent: Sent,
    pub(super) dialect: Dialect,
    waiting: VecDeque<Body>,
    limits: Limits,
    /// As the receiver asked.
    not_before: Option<Instant>,
    faults: u32,
    trouble: Trouble,
}

impl Pusher {
    /// One that goes on where `sent` ends.
    pub(crate) fn new(sent: Sent, dialect: Dialect) -> Self {
        let (waiting, limits, trouble) = (VecDeque::new(), Limits::default(), Trouble::default());
        Self { sent, dialect, waiting, limits, not_before: None, faults: 0, trouble }
    }

    /// Whether bodies wait for their answer.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The time of the last push that was begun, milliseconds since the Unix epoch.
    pub(crate) fn last(&self) -> i64 {
        self.sent.last()
    }

    /// Begins a push; what waited is given up for it.
    ///
    /// # Errors
    /// `unavailable` where the clock was set back.
    pub(crate) fn begin(
        &mut self,
        kind: Kind,
        registry: &Registry,
        stamp: &Stamp,
        now: i64,
    ) -> Result<(), PublishError> {
        let earliest = self.sent.last().saturating_add(SHORTEST_MILLIS);
        let at = if earliest.saturating_sub(now) <= CLOCK_SLACK { now.max(earliest) } else { now };
        let begun = match kind {
            Kind::Values => self.sent.begin(registry, at),
            Kind::End => self.sent.begin_end(registry, at),
        };
        let push = begun.map_err(|error| PublishError::unavailable(error.to_string()))?;
        self.waiting = push.bodies(self.dialect.format(&stamp.labels, &stamp.resource), self.limits).collect();
        self.faults = 0;
        Ok(())
    }

    /// Sends what waits, one body after the other.
    ///
    /// # Errors
    /// `unavailable`, `unauthorized` and the like, where what waits is sent again at the next call.
    pub(crate) fn deliver(&mut self, way: &mut Way<'_>) -> Result<Progress, PublishError> {
        self.may_send(way.now)?;
        while let Some(body) = self.waiting.front() {
            if way.deadline.left() < ROOM {
                return Ok(Progress::Unfinished);
            }
            let target = way.directory.target(way.options, way.deadline)?.clone();
            let response = post(body, self.dialect, way, &target)?;
            let answer = classify(self.dialect, body.count, &response);
            if let Some(progress) = self.follow(answer, &target, way)? {
                return Ok(progress);
            }
        }
        self.dialect = self.dialect.pushed();
        self.trouble.pushed();
        Ok(Progress::Done)
    }

    /// Does what the answer to the first body asks for; none where it goes on from there.
    fn follow(&mut self, answer: Answer, at: &Target, way: &mut Way<'_>) -> Result<Option<Progress>, PublishError> {
        match answer {
            Answer::Taken { note } => self.settle(at, note.as_deref()),
            Answer::Refused { reason, knows_second } => match self.dialect.refused(knows_second) {
                Some(other) => return Ok(Some(self.say_in(other, &reason))),
                None => self.refused(knows_second, at, &reason),
            },
            Answer::NotUnderstood(reason) => {
                return Ok(Some(self.say_in(Dialect::First { on_trial: false }, &reason)));
            }
            Answer::TooLarge(reason) => match self.smaller() {
                Some(progress) => return Ok(Some(progress)),
                None => self.settle(at, Some(&reason)),
            },
            Answer::Unauthorized(reason) => way.ask_again(words::unauthorized(at, &reason))?,
            Answer::Nowhere(reason) => way.ask_again(words::nowhere(way.options, at, &reason))?,
            Answer::Later { error, is_fault } => return Err(self.later(at, error, is_fault, way.now)),
        }
        Ok(None)
    }

    fn may_send(&mut self, now: Instant) -> Result<(), PublishError> {
        let Some(left) = self.not_before.and_then(|at| at.checked_duration_since(now)).filter(|left| !left.is_zero())
        else {
            self.not_before = None;
            return Ok(());
        };
        let reason = format!("the receiver asked to wait, {} s more", left.as_secs_f64().ceil());
        Err(PublishError::Unavailable { reason, retry_after_ms: Some(left.as_millis() as u64) })
    }

    /// The receiver has answered for the first body, and does not take all of it where there is a reason.
    fn settle(&mut self, at: &Target, reason: Option<&str>) {
        let Some(body) = self.waiting.pop_front() else { return };
        self.sent.settle(&body.series);
        self.faults = 0;
        match reason {
            Some(reason) => self.trouble.tell(reason, &words::refused(at, reason)),
            None => self.dialect = self.dialect.taken(),
        }
    }

    fn refused(&mut self, knows_second: bool, at: &Target, reason: &str) {
        self.settle(at, Some(reason));
        if knows_second && self.dialect.is_second() {
            self.dialect = self.dialect.taken();
        }
    }

    fn say_in(&mut self, other: Dialect, reason: &str) -> Progress {
        let (before, after) = (self.dialect.name(), other.name());
        log::info(format_args!("the receiver does not take {before} ({reason}): {after} is tried"));
        self.dialect = other;
        self.waiting.clear();
        Progress::Again
    }

    /// Halves the bodies; none where this one has one series already.
    fn smaller(&mut self) -> Option<Progress> {
        let body = self.waiting.front()?;
        if body.series.len() < 2 {
            return None;
        }
        self.limits.bytes = (body.size / 2).max(1);
        self.waiting.clear();
        Some(Progress::Again)
    }

    fn later(&mut self, target: &Target, error: PublishError, is_fault: bool, now: Instant) -> PublishError {
        let PublishError::Unavailable { reason, retry_after_ms } = error else { return error };
        self.not_before = retry_after_ms.map(|wait| now + Duration::from_millis(wait).min(LONGEST_WISH));
        self.faults = if is_fault { self.faults + 1 } else { 0 };
        let mut told = format!("POST {}: {reason}", target.url);
        if self.faults >= FAULTS {
            told = format!("{told} ({FAULTS} times: this push is given up, the next one has all values)");
            self.trouble.tell(&reason, &told);
            self.waiting.clear();
        }
        PublishError::Unavailable { reason: told, retry_after_ms }
    }
}

fn post(body: &Body, dialect: Dialect, way: &Way<'_>, target: &Target) -> Result<Response, PublishError> {
    let format = dialect.format(&way.stamp.labels, &way.stamp.resource);
    let headers = headers(&format);
    let authorization = authorization(way.options, target);
    let (url, authorization) = (target.url.as_str(), authorization.as_ref());
    Ask { method: Method::Post, url, authorization, headers: &headers, body: &body.bytes }.send(way.deadline)
}
