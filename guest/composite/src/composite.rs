//! An open composite: what each call means for both legs.
//!
//! - A batch is taken when each leg took it or has room to let it wait: room is asked of both before either gets
//!   anything, so that a batch that is put off was given to none. A rejection is in the receipt where the leg said so at
//!   once, and in `flushed` where the records had waited.
//! - It keeps state whatever its legs are like, for what waits is state: a snapshot holds all records of the calls that
//!   were answered. Records below its `next-offset` that come again after a restore are not given again. That it is so in
//!   every case keeps the profile the same whether a leg's backend is there at the start or not.
//! - A leg that cannot be opened because its backend is away is opened later, as long as the other one is open.

use std::rc::Rc;
use std::time::Duration;

use crate::batch::{behind, len, select};
use crate::leg::Leg;
use crate::part::{Part, split};
use crate::receipt::merged;
use crate::side::{Clock, Side, words};
use crate::state::{self, Kept};
use crate::types::{
    Batch, Exposition, Flushed, LateRejection, Profile, PublishError, Receipt, Rejection, Saved, Unavailable,
};

/// So long after a call began no leg is called any more in it. Together with the leg's call that is under way then, 25 s
/// at most with metricast's own plugins, that is less than the 30 s that metricast's host gives a call.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often to flush where both legs are open and neither asks for it: what waits is tried again then.
const RETRY_MS: u32 = 1000;
/// How often to flush while it is not known how often a leg wants it.
const UNKNOWN_MS: u32 = 10_000;
/// Late rejections that nobody fetched; beyond it no batch is taken until a flush.
const MAX_LATE: usize = 100_000;

/// An open composite.
pub struct Composite {
    sides: [Side; 2],
    profile: Profile,
    /// Given up since the last flush that said so.
    late: Vec<LateRejection>,
    /// Records of the queue with offsets below it are answered for.
    next_offset: u64,
    clock: Rc<Clock>,
    /// The leg whose turn it is to be called first.
    turn: usize,
}

impl Composite {
    /// Opens both legs, with the state that an earlier composite's [`snapshot`](Self::snapshot) gave. `clock` never goes
    /// back.
    ///
    /// # Errors
    /// `misconfigured` for what is wrong with the config, also where both legs are scraped; `state-incompatible`; and
    /// where neither leg can be opened, what the first said.
    pub fn open(
        legs: [Box<dyn Leg>; 2],
        config: &str,
        state: Option<&Saved>,
        clock: Box<Clock>,
    ) -> Result<Self, PublishError> {
        let parts = Part::both(&legs[0].describe(), &legs[1].describe());
        let configs = split(config, &parts)?;
        let kept = state.map_or(Ok(Kept::default()), |saved| state::read(saved, &parts))?;
        let (first, second) = pairs(legs, parts, configs, kept.saved);
        let (mut first, unopened) = Side::open(first.0, first.1, first.2, first.3, clock())?;
        let (mut second, also_unopened) = Side::open(second.0, second.1, second.2, second.3, clock())?;
        if let (Some(error), Some(_)) = (unopened, also_unopened) {
            return Err(error);
        }
        let profile = combined([first.profile(), second.profile()])?;
        let [first_waiting, second_waiting] = kept.waiting;
        first.pending.restore(first_waiting);
        second.pending.restore(second_waiting);
        Ok(Self {
            sides: [first, second],
            profile,
            late: kept.late,
            next_offset: kept.next_offset,
            clock: clock.into(),
            turn: 0,
        })
    }

    /// What it is like.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Gives a batch to both legs.
    ///
    /// # Errors
    /// `unavailable` where what waits for a leg leaves no room; `internal` where a leg that keeps state fails by its own
    /// fault.
    pub fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let (until, clock) = (self.until(), Rc::clone(&self.clock));
        self.in_turn(until, |_, side, late| side.drain(&*clock, until, late));
        match self.new_records(batch)? {
            None => self.give(batch, len(batch), until, |index| index),
            Some((new, places)) => self.give(&new, len(batch), until, |index| places[index as usize]),
        }
    }

    /// Sends what waits and what is due.
    ///
    /// # Errors
    /// What a leg said that failed at it. What was given up is told by the next flush then.
    pub fn flush(&mut self) -> Result<Flushed, PublishError> {
        let (until, clock) = (self.until(), Rc::clone(&self.clock));
        let mut answers = [None, None];
        self.in_turn(until, |index, side, late| {
            side.drain(&*clock, until, late);
            answers[index] = (clock() < until).then(|| side.flush());
        });
        let mut sent = Sent::default();
        for (side, answer) in self.sides.iter().zip(answers) {
            sent.add(answer.unwrap_or_else(|| Ok(side.not_yet_flushed())), side, (self.clock)());
        }
        self.told(sent, true)
    }

    /// Sends the last of it, whatever a leg's backend wished. Legs that are closed stay so at the next try.
    ///
    /// # Errors
    /// What a leg said that failed at it, or that records still wait for it.
    pub fn close(&mut self) -> Result<Flushed, PublishError> {
        let (until, clock) = (self.until(), Rc::clone(&self.clock));
        let mut answers = [None, None];
        self.in_turn(until, |index, side, late| {
            side.drain_now(&*clock, until, late);
            answers[index] = (clock() < until).then(|| side.close(clock()));
        });
        let mut sent = Sent::default();
        for (side, answer) in self.sides.iter().zip(answers) {
            sent.add(answer.unwrap_or_else(|| side.not_yet_closed()), side, (self.clock)());
        }
        self.told(sent, false)
    }

    /// The state of both legs and what waits for them.
    pub fn snapshot(&self) -> Saved {
        state::write(&self.sides, &self.late, self.next_offset)
    }

    /// What the leg exposes that has something to scrape.
    pub fn scrape(&self, accept: &str) -> Option<Exposition> {
        self.sides.iter().find_map(|side| side.scrape(accept))
    }

    fn until(&self) -> Duration {
        (self.clock)() + PATIENCE
    }

    /// Calls `with` each leg while there is time; one that none is left for is the first at the next call.
    fn in_turn(&mut self, until: Duration, mut with: impl FnMut(usize, &mut Side, &mut Vec<LateRejection>)) {
        let first = self.turn;
        for index in [first, 1 - first] {
            if (self.clock)() < until {
                with(index, &mut self.sides[index], &mut self.late);
            } else {
                self.turn = index;
            }
        }
    }

    /// The records that were not answered for before, with their places, where these are not all.
    fn new_records(&self, batch: &Batch) -> Result<Option<(Batch, Vec<u32>)>, PublishError> {
        let is_new = |offset: &u64| *offset >= self.next_offset;
        if batch.epoch.is_empty() || batch.offsets.iter().all(is_new) {
            return Ok(None);
        }
        let places: Vec<u32> =
            (0_u32..).zip(&batch.offsets).filter(|(_, offset)| is_new(offset)).map(|(i, _)| i).collect();
        let new = select(batch, &places, batch.redelivered)
            .map_err(|error| PublishError::Internal(format!("the host's batch is not valid: {error}")))?;
        Ok(Some((new, places)))
    }

    fn give(
        &mut self,
        batch: &Batch,
        records: usize,
        until: Duration,
        place: impl Fn(u32) -> u32,
    ) -> Result<Receipt, PublishError> {
        if len(batch) == 0 {
            return Ok(merged(records, []));
        }
        self.room_for(batch)?;
        let mut rejected = [Vec::new(), Vec::new()];
        // One that keeps state may fail the call, and then the other has nothing of it.
        let order = if self.sides[0].is_stateful() { [0, 1] } else { [1, 0] };
        for index in order {
            if (self.clock)() >= until {
                self.turn = index;
            }
            match self.sides[index].give(batch, (self.clock)(), until) {
                Ok(by_leg) => rejected[index] = by_leg,
                Err(error) => {
                    // A leg that keeps state and answered for these says nothing of them when they come again.
                    self.late.extend(self.sides.iter().zip(rejected).flat_map(|(side, rejected)| {
                        rejected.into_iter().map(|one: Rejection| side.late(batch, one.index as usize, &one.reason))
                    }));
                    return Err(error);
                }
            }
        }
        if !batch.epoch.is_empty() {
            self.next_offset = self.next_offset.max(behind(batch));
        }
        let told = self.sides.iter().zip(rejected).flat_map(|(side, rejected)| {
            rejected.into_iter().map(|one| Rejection { index: place(one.index), reason: side.part.told(&one.reason) })
        });
        Ok(merged(records, told))
    }

    /// Whether a batch can be given to both legs, and what they reject be kept.
    fn room_for(&self, batch: &Batch) -> Result<(), PublishError> {
        let now = (self.clock)();
        self.sides.iter().try_for_each(|side| side.room_for(batch, now))?;
        if self.late.len() > MAX_LATE {
            let reason = format!("{} rejections wait to be fetched by a flush", self.late.len());
            return Err(PublishError::Unavailable(Unavailable { reason, retry_after_ms: None }));
        }
        Ok(())
    }

    /// The answer of a flush or a close.
    fn told(&mut self, mut sent: Sent, may_be_late: bool) -> Result<Flushed, PublishError> {
        self.late.append(&mut sent.rejected);
        let Some(error) = sent.error.take() else {
            return Ok(sent.flushed(std::mem::take(&mut self.late)));
        };
        if may_be_late && !self.late.is_empty() {
            // What was given up has no other way out; the leg that failed says so again at the next flush.
            eprintln!("warn: {}", words(&error));
            sent.hold_back(words(&error).to_owned());
            return Ok(sent.flushed(std::mem::take(&mut self.late)));
        }
        Err(error)
    }
}

/// What both legs answer to a flush or a close.
#[derive(Default)]
struct Sent {
    pending: u64,
    rejected: Vec<LateRejection>,
    retry_after_ms: Option<u64>,
    /// What holds records back, leg by leg.
    reasons: Vec<String>,
    error: Option<PublishError>,
}

impl Sent {
    fn add(&mut self, answer: Result<Flushed, PublishError>, side: &Side, now: Duration) {
        self.pending += side.pending.records() as u64;
        self.wait(side.wait_left(now).map(|left| left.as_millis() as u64));
        self.reasons.extend(side.held_by());
        match answer {
            Ok(flushed) => {
                self.pending += flushed.pending;
                self.rejected.extend(flushed.rejected);
                self.hold_back(flushed.reason);
                self.wait(flushed.retry_after_ms);
            }
            Err(error) => {
                self.pending += side.not_sent();
                self.error = Some(match self.error.take() {
                    None => error,
                    Some(before) => both(before, &error),
                });
            }
        }
    }

    fn hold_back(&mut self, reason: String) {
        if !reason.is_empty() {
            self.reasons.push(reason);
        }
    }

    fn flushed(self, rejected: Vec<LateRejection>) -> Flushed {
        let Self { pending, retry_after_ms, reasons, .. } = self;
        Flushed { pending, rejected, retry_after_ms, reason: reasons.join("; ") }
    }

    fn wait(&mut self, ms: Option<u64>) {
        self.retry_after_ms = self.retry_after_ms.into_iter().chain(ms).min();
    }
}

/// The first error, with the words of both.
fn both(first: PublishError, second: &PublishError) -> PublishError {
    let join = |text: String| format!("{text}; {}", words(second));
    match first {
        PublishError::Unavailable(first) => {
            PublishError::Unavailable(Unavailable { reason: join(first.reason), ..first })
        }
        PublishError::Misconfigured(text) => PublishError::Misconfigured(join(text)),
        PublishError::Unauthorized(text) => PublishError::Unauthorized(join(text)),
        PublishError::Rejected(text) => PublishError::Rejected(join(text)),
        PublishError::StateIncompatible(text) => PublishError::StateIncompatible(join(text)),
        PublishError::Internal(text) => PublishError::Internal(join(text)),
    }
}

type Parted = (Box<dyn Leg>, Part, String, Option<Saved>);

fn pairs(
    legs: [Box<dyn Leg>; 2],
    parts: [Part; 2],
    configs: [String; 2],
    saved: [Option<Saved>; 2],
) -> (Parted, Parted) {
    let ([leg, other_leg], [part, other_part], [config, other_config], [saved, other_saved]) =
        (legs, parts, configs, saved);
    ((leg, part, config, saved), (other_leg, other_part, other_config, other_saved))
}

/// What a composite of these is like; of one that is not open nothing is known yet.
fn combined(profiles: [Option<Profile>; 2]) -> Result<Profile, PublishError> {
    let known = || profiles.iter().flatten();
    if known().filter(|profile| profile.scrapes).count() == 2 {
        return Err(PublishError::Misconfigured(
            "publishers: two of the plugins have something to scrape, and a component has one answer to a scrape. \
             Compose one of them with the others, and run the other one by itself"
                .to_owned(),
        ));
    }
    let own = if profiles.iter().all(Option::is_some) { RETRY_MS } else { UNKNOWN_MS };
    Ok(Profile {
        stateful: true,
        max_instances: 1,
        flush_interval_ms: Some(known().filter_map(|profile| profile.flush_interval_ms).min().unwrap_or(own)),
        scrapes: known().any(|profile| profile.scrapes),
    })
}
