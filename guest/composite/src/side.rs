//! One leg of a composite: its publisher, open or not yet, and what waits for it.
//!
//! A batch goes to the leg directly while nothing waits, and behind what waits otherwise: a leg that keeps state sees
//! records in order. What the leg calls its own fault is tried [`PATIENCE`] times, then halved until one record stands
//! alone, and given up, so that it does not stop the rest for good.

use std::time::Duration;

use crate::batch::{len, select};
use crate::leg::{Leg, OpenLeg};
use crate::part::Part;
use crate::pending::{Entry, Pending};
use crate::receipt::adds_up;
use crate::rest::{LONGEST, Rest};
use crate::types::{
    Batch, Exposition, Flushed, LateRejection, Profile, PublishError, Receipt, Rejection, Saved, Unavailable,
};

/// Tries of one batch that the leg calls its own fault.
const PATIENCE: u32 = 5;

/// A clock that never goes back.
pub(crate) type Clock = dyn Fn() -> Duration;

pub(crate) struct Side {
    leg: Box<dyn Leg>,
    pub(crate) part: Part,
    config: String,
    publisher: Option<(Box<dyn OpenLeg>, Profile)>,
    /// Its state, while it is not open.
    saved: Option<Saved>,
    is_closed: bool,
    pub(crate) pending: Pending,
    rest: Rest,
    /// What it held after it last flushed well, and where it sends at an interval what it took since.
    unflushed: u64,
}

/// The answer of a leg that has nothing to send.
const NOTHING: Flushed = Flushed { pending: 0, rejected: Vec::new(), retry_after_ms: None, reason: String::new() };

/// How an error of a leg is taken.
enum Trouble {
    /// Later again; a backend may have said how much later.
    Later(Option<u64>),
    /// The backend will never take these records.
    Never(String),
    /// The leg's own fault.
    Fault,
}

impl Side {
    /// Opens a leg. One whose backend is away is opened later, and its records wait.
    pub(crate) fn open(
        leg: Box<dyn Leg>,
        part: Part,
        config: String,
        saved: Option<Saved>,
        now: Duration,
    ) -> Result<(Self, Option<PublishError>), PublishError> {
        let (pending, rest) = (Pending::default(), Rest::default());
        let mut side =
            Self { leg, part, config, publisher: None, saved, is_closed: false, pending, rest, unflushed: 0 };
        match side.try_open() {
            Ok(()) => Ok((side, None)),
            Err(error @ (PublishError::Misconfigured(_) | PublishError::StateIncompatible(_))) => {
                Err(side.part.error(error))
            }
            Err(error) => {
                side.rest_after(now, &error);
                let error = side.part.error(error);
                Ok((side, Some(error)))
            }
        }
    }

    /// What the open publisher is like.
    pub(crate) fn profile(&self) -> Option<Profile> {
        self.publisher.as_ref().map(|(_, profile)| *profile)
    }

    pub(crate) fn is_stateful(&self) -> bool {
        self.profile().is_none_or(|profile| profile.stateful)
    }

    /// Whether a batch can be given now; where not, the answer to who asks.
    pub(crate) fn room_for(&self, batch: &Batch, now: Duration) -> Result<(), PublishError> {
        if self.pending.has_room_for(batch) {
            return Ok(());
        }
        let reason = self.told_waiting("wait for it in memory, and that is full");
        let retry_after_ms = self.wait_left(now).map(|left| left.as_millis() as u64);
        Err(PublishError::Unavailable(Unavailable { reason, retry_after_ms }))
    }

    /// Gives a batch to the leg, or lets it wait, also where it is later than `until`; what the leg rejects, in the leg's
    /// own words.
    ///
    /// # Errors
    /// Where a leg that keeps state fails by its own fault: nobody knows what its state holds then, and whoever keeps an
    /// earlier one does better than a second try.
    pub(crate) fn give(
        &mut self,
        batch: &Batch,
        now: Duration,
        until: Duration,
    ) -> Result<Vec<Rejection>, PublishError> {
        let waits = now >= until || !self.pending.is_empty() || self.rest.left(now).is_some();
        if waits || self.publisher.is_none() {
            self.pending.push(batch.clone());
            return Ok(Vec::new());
        }
        match self.publish(batch) {
            Ok(receipt) => {
                self.taken(&receipt);
                if !receipt.retryable.is_empty() {
                    self.keep_rest(batch.clone(), &receipt, now);
                }
                Ok(receipt.rejected)
            }
            Err(error) => match trouble(&error) {
                Trouble::Never(reason) => {
                    self.works_again();
                    Ok((0..len(batch) as u32).map(|index| Rejection { index, reason: reason.clone() }).collect())
                }
                Trouble::Fault if self.is_stateful() => Err(self.part.error(error)),
                Trouble::Fault => {
                    self.rest_after(now, &error);
                    self.pending.put_back(Entry { batch: in_doubt(batch.clone()), faults: 1 });
                    Ok(Vec::new())
                }
                Trouble::Later(_) => {
                    self.rest_after(now, &error);
                    self.pending.push(batch.clone());
                    Ok(Vec::new())
                }
            },
        }
    }

    /// Gives the leg what waits for it, unless it rests, until nothing waits, it fails, or the time is over.
    pub(crate) fn drain(&mut self, clock: &Clock, until: Duration, late: &mut Vec<LateRejection>) {
        if self.is_closed || self.rest.left(clock()).is_some() || !self.is_open_now(clock()) {
            return;
        }
        if clock() >= until {
            return;
        }
        while let Some(entry) = self.pending.take() {
            let goes_on = match self.publish(&entry.batch) {
                Ok(receipt) => {
                    self.taken(&receipt);
                    for Rejection { index, reason } in &receipt.rejected {
                        late.push(self.late(&entry.batch, *index as usize, reason));
                    }
                    let is_all = receipt.retryable.is_empty();
                    if !is_all {
                        self.keep_rest(entry.batch, &receipt, clock());
                    }
                    is_all
                }
                Err(error) => self.fail(entry, &error, clock(), late),
            };
            if !goes_on || clock() >= until {
                return;
            }
        }
    }

    /// As [`drain`](Self::drain), whether it rests or not.
    pub(crate) fn drain_now(&mut self, clock: &Clock, until: Duration, late: &mut Vec<LateRejection>) {
        self.rest.break_off();
        self.drain(clock, until, late);
    }

    /// Lets the leg send what is due.
    pub(crate) fn flush(&mut self) -> Result<Flushed, PublishError> {
        self.finish(|publisher| publisher.flush())
    }

    /// Lets the leg send its last. It is closed once it did, and is left alone then.
    pub(crate) fn close(&mut self, now: Duration) -> Result<Flushed, PublishError> {
        if !self.pending.is_empty() {
            let reason = self.told_waiting("still wait for it");
            let retry_after_ms = self.wait_left(now).map(|left| left.as_millis() as u64);
            return Err(PublishError::Unavailable(Unavailable { reason, retry_after_ms }));
        }
        let flushed = self.finish(|publisher| publisher.close())?;
        self.is_closed = true;
        Ok(flushed)
    }

    /// What a leg holds that no time was left for.
    pub(crate) fn not_yet_flushed(&self) -> Flushed {
        let retry_after_ms = (self.unflushed > 0).then_some(0);
        Flushed { pending: self.unflushed, retry_after_ms, ..NOTHING }
    }

    /// The answer of a leg that no time was left for.
    pub(crate) fn not_yet_closed(&self) -> Result<Flushed, PublishError> {
        if self.is_closed {
            return Ok(NOTHING);
        }
        let reason = self.part.told("no time was left to close it: close again");
        Err(PublishError::Unavailable(Unavailable { reason, retry_after_ms: Some(0) }))
    }

    /// The leg's state.
    pub(crate) fn snapshot(&self) -> Option<Saved> {
        match &self.publisher {
            Some((publisher, profile)) if profile.stateful => publisher.snapshot(),
            Some(_) => None,
            None => self.saved.clone(),
        }
    }

    pub(crate) fn scrape(&self, accept: &str) -> Option<Exposition> {
        let (publisher, profile) = self.publisher.as_ref()?;
        if profile.scrapes { publisher.scrape(accept) } else { None }
    }

    /// What holds back the records that wait for it in memory; none where none do.
    pub(crate) fn held_by(&self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.told_waiting("wait for it in memory"))
    }

    fn told_waiting(&self, how: &str) -> String {
        let why = match self.rest.reason() {
            "" => "no time was left for them",
            reason => reason,
        };
        self.part.told(&format!("records {how} ({}): {why}", self.pending.records()))
    }

    /// What was accepted for the leg and is not known to be at its backend.
    pub(crate) fn not_sent(&self) -> u64 {
        self.unflushed
    }

    /// How long what waits will wait at least.
    pub(crate) fn wait_left(&self, now: Duration) -> Option<Duration> {
        if self.pending.is_empty() { None } else { Some(self.rest.left(now).unwrap_or_default()) }
    }

    fn finish(
        &mut self,
        call: impl FnOnce(&dyn OpenLeg) -> Result<Flushed, PublishError>,
    ) -> Result<Flushed, PublishError> {
        let Some((publisher, _)) = self.publisher.as_ref().filter(|_| !self.is_closed) else { return Ok(NOTHING) };
        let mut flushed = call(publisher.as_ref()).map_err(|error| self.part.error(error))?;
        self.unflushed = flushed.pending;
        if !flushed.reason.is_empty() {
            flushed.reason = self.part.told(&flushed.reason);
        }
        for late in &mut flushed.rejected {
            late.leg = self.part.leg(&late.leg);
        }
        Ok(flushed)
    }

    fn is_open_now(&mut self, now: Duration) -> bool {
        if self.publisher.is_some() {
            return true;
        }
        match self.try_open() {
            Ok(()) => {
                self.works_again();
                if self.profile().is_some_and(|profile| profile.scrapes) {
                    eprintln!("warn: {}: is scraped only after the next start", self.part.label());
                }
            }
            Err(error) => self.rest_after(now, &error),
        }
        self.publisher.is_some()
    }

    fn try_open(&mut self) -> Result<(), PublishError> {
        let publisher = self.leg.open(&self.config, self.saved.as_ref())?;
        let profile = publisher.profile();
        self.publisher = Some((publisher, profile));
        self.saved = None;
        Ok(())
    }

    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError> {
        let closed = || PublishError::Internal("it is not open".to_owned());
        let (publisher, _) = self.publisher.as_ref().ok_or_else(closed)?;
        let receipt = publisher.publish(batch)?;
        if adds_up(&receipt, len(batch)) {
            return Ok(receipt);
        }
        let (accepted, rejected, retryable) = (receipt.accepted, receipt.rejected.len(), receipt.retryable.len());
        Err(PublishError::Internal(format!(
            "its receipt of {accepted} accepted, {rejected} rejected and {retryable} retryable is not one of each of {} records",
            len(batch)
        )))
    }

    fn taken(&mut self, receipt: &Receipt) {
        if self.profile().is_some_and(|profile| profile.flush_interval_ms.is_some()) {
            self.unflushed += u64::from(receipt.accepted);
        }
        if receipt.accepted > 0 || receipt.retryable.is_empty() {
            self.works_again();
        }
    }

    /// Keeps what the leg wants again.
    fn keep_rest(&mut self, batch: Batch, receipt: &Receipt, now: Duration) {
        let redelivered = batch.redelivered || !receipt.in_doubt.is_empty();
        let rest = select(&batch, &receipt.retryable, redelivered);
        let batch = rest.unwrap_or_else(|_| in_doubt(batch));
        self.pending.put_back(Entry { batch, faults: 0 });
        self.rest.failed(now, receipt.retry_after_ms, "it puts records off".to_owned());
    }

    /// What waited and was not taken: again later, never, or in halves. Says whether to go on at once.
    fn fail(&mut self, entry: Entry, error: &PublishError, now: Duration, late: &mut Vec<LateRejection>) -> bool {
        match trouble(error) {
            Trouble::Never(reason) => {
                self.works_again();
                self.give_up(&entry.batch, &reason, late);
                true
            }
            Trouble::Later(_) => {
                self.rest_after(now, error);
                self.pending.put_back(entry);
                false
            }
            Trouble::Fault => self.suspect(entry, error, now, late),
        }
    }

    fn suspect(
        &mut self,
        mut entry: Entry,
        error: &PublishError,
        now: Duration,
        late: &mut Vec<LateRejection>,
    ) -> bool {
        entry.faults += 1;
        entry.batch.redelivered = true;
        let records = len(&entry.batch) as u32;
        if entry.faults < PATIENCE {
            self.rest_after(now, error);
            self.pending.put_back(entry);
            return false;
        }
        let (left, right): (Vec<u32>, Vec<u32>) = (0..records).partition(|index| *index < records / 2);
        match (select(&entry.batch, &left, true), select(&entry.batch, &right, true)) {
            (Ok(left), Ok(right)) if records > 1 => {
                for half in [right, left] {
                    let faults = if len(&half) == 1 { 0 } else { entry.faults };
                    self.pending.put_back(Entry { batch: half, faults });
                }
            }
            _ => self.give_up(&entry.batch, &format!("the plugin fails over this record: {}", words(error)), late),
        }
        true
    }

    fn give_up(&self, batch: &Batch, reason: &str, late: &mut Vec<LateRejection>) {
        late.extend((0..len(batch)).map(|index| self.late(batch, index, reason)));
    }

    pub(crate) fn late(&self, batch: &Batch, index: usize, reason: &str) -> LateRejection {
        let offset = batch.offsets.get(index).copied().unwrap_or_default();
        LateRejection { epoch: batch.epoch.clone(), offset, leg: self.part.label(), reason: reason.to_owned() }
    }

    fn rest_after(&mut self, now: Duration, error: &PublishError) {
        let wish = if let Trouble::Later(wish) = trouble(error) { wish } else { None };
        let words = words(error).to_owned();
        if self.rest.failed(now, wish, words) {
            eprintln!("warn: {}; its records wait in memory", self.part.told(self.rest.reason()));
        }
    }

    fn works_again(&mut self) {
        if self.rest.over() {
            eprintln!("info: {}: takes records again", self.part.label());
        }
    }
}

fn trouble(error: &PublishError) -> Trouble {
    match error {
        PublishError::Unavailable(unavailable) => Trouble::Later(unavailable.retry_after_ms),
        // A person has to act: there is no hurry.
        PublishError::Unauthorized(_) | PublishError::Misconfigured(_) => {
            Trouble::Later(Some(LONGEST.as_millis() as u64))
        }
        PublishError::Rejected(reason) => Trouble::Never(reason.clone()),
        PublishError::Internal(_) | PublishError::StateIncompatible(_) => Trouble::Fault,
    }
}

/// An error's words.
pub(crate) fn words(error: &PublishError) -> &str {
    match error {
        PublishError::Unavailable(unavailable) => &unavailable.reason,
        PublishError::Misconfigured(text)
        | PublishError::Unauthorized(text)
        | PublishError::Rejected(text)
        | PublishError::StateIncompatible(text)
        | PublishError::Internal(text) => text,
    }
}

fn in_doubt(batch: Batch) -> Batch {
    Batch { redelivered: true, ..batch }
}
