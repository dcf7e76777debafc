//! A publisher that was started: its legs, and the carrier that brings them what calls left in the intake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use metricast_records::{Batch, BatchBuilder};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::composite::Plan;
use super::house::House;
use super::intake::Intake;
use super::leg::Leg;
use super::start::StartError;
use super::undelivered::{Shortfall, Undelivered};

/// How long a record waits for others before the carrier takes it to the queues. Calls that come in a row cost less when
/// they are carried together.
const LINGER: Duration = Duration::from_millis(5);
/// How often a leg that has no room is offered a batch again.
const AGAIN: Duration = Duration::from_millis(10);

pub(super) struct Running {
    intake: Arc<Intake>,
    legs: Arc<[Leg]>,
    carried: Arc<AtomicU64>,
    carrier: Mutex<Option<JoinHandle<()>>>,
    stop: tokio::task::AbortHandle,
    end: Mutex<End>,
    pub(super) house: Arc<House>,
}

/// What a close left: kept for whoever closes again, where the caller of the first did not stay.
#[derive(Default)]
struct End {
    left: Option<Undelivered>,
    is_told: bool,
}

impl Running {
    pub(super) async fn start(plan: Plan, intake: Arc<Intake>, house: Arc<House>) -> Result<Self, StartError> {
        if plan.members.is_empty() {
            return Err(StartError::Other("a composite of no publisher publishes nothing: give it one".to_owned()));
        }
        let wait_for_all = plan.wait_for_all;
        let legs = try_join_all(plan.into_named().into_iter().map(|member| Leg::start(member, &house))).await?;
        let legs: Arc<[Leg]> = legs.into();
        let carried = Arc::new(AtomicU64::new(0));
        let task = Carrier {
            intake: Arc::clone(&intake),
            legs: Arc::clone(&legs),
            carried: Arc::clone(&carried),
            wait_for_all,
        };
        let task = house.spawn(task.run());
        let stop = task.abort_handle();
        Ok(Self { intake, legs, carried, carrier: Mutex::new(Some(task)), stop, end: Mutex::default(), house })
    }

    pub(super) fn legs(&self) -> &[Leg] {
        &self.legs
    }

    pub(super) async fn flush(&self, deadline: Instant) -> Result<(), Undelivered> {
        let target = self.carry_all(deadline).await;
        let settled = join_all(self.legs.iter().map(|leg| leg.settle(deadline))).await;
        let mut shortfalls: Vec<Shortfall> =
            settled.into_iter().filter_map(Result::err).flat_map(|undelivered| undelivered.publishers).collect();
        if shortfalls.is_empty() && self.intake.is_closed() {
            return self.left_by_close(deadline).await;
        }
        self.add_uncarried(&mut shortfalls, target.saturating_sub(self.carried.load(Ordering::Acquire)));
        Undelivered::of(shortfalls, self.intake.take_untaken())
    }

    /// Waits until what was taken by now is in the queues, or nobody brings it there. Says how many records that is.
    pub(super) async fn carry_all(&self, deadline: Instant) -> u64 {
        let target = self.intake.taken();
        self.intake.hurry();
        let is_carried = || self.carried.load(Ordering::Acquire) >= target || self.stop.is_finished();
        while !is_carried() && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        target
    }

    /// What never came to a queue, which is full: it waits for each leg that has no room.
    fn add_uncarried(&self, shortfalls: &mut Vec<Shortfall>, uncarried: u64) {
        if uncarried == 0 {
            return;
        }
        if shortfalls.is_empty() {
            let name = self.legs.first().map(Leg::name).unwrap_or_default();
            shortfalls.push(Shortfall { publisher: name.to_owned(), ..Shortfall::default() });
        }
        for shortfall in shortfalls {
            shortfall.waiting += uncarried;
        }
    }

    /// What a close that is under way, or was, did not deliver.
    async fn left_by_close(&self, deadline: Instant) -> Result<(), Undelivered> {
        match timeout_at(deadline, self.end.lock()).await {
            Ok(end) if end.is_told => Ok(()),
            Ok(end) => end.left.clone().map_or(Ok(()), Err),
            Err(_elapsed) => Err(self.still_closing()),
        }
    }

    fn still_closing(&self) -> Undelivered {
        let why = "it is being closed, and that is not done yet";
        let of = |leg: &Leg| Shortfall {
            publisher: leg.name().to_owned(),
            why: Some(why.to_owned()),
            ..Shortfall::default()
        };
        Undelivered { publishers: self.legs.iter().map(of).collect(), ..Undelivered::default() }
    }

    /// What a close left, where nobody was told yet.
    pub(super) fn tell_end(&self) -> Option<Undelivered> {
        let Ok(mut end) = self.end.try_lock() else { return Some(self.still_closing()) };
        let untold = !std::mem::replace(&mut end.is_told, true);
        end.left.clone().filter(|_| untold)
    }

    /// Ends, or waits for one that ends it already. [`tell_end`](Self::tell_end) says how that went.
    pub(super) async fn close(&self, deadline: Instant) {
        let Ok(mut end) = timeout_at(deadline, self.end.lock()).await else { return };
        if let Err(left) = self.deliver_rest(deadline).await {
            end.left = Some(left);
        }
    }

    async fn deliver_rest(&self, deadline: Instant) -> Result<(), Undelivered> {
        self.intake.close();
        if let Some(mut carrier) = self.carrier.lock().await.take()
            && timeout_at(deadline, &mut carrier).await.is_err()
        {
            carrier.abort();
            let _ = carrier.await;
        }
        let uncarried = self.intake.taken().saturating_sub(self.carried.load(Ordering::Acquire));
        let closed = join_all(self.legs.iter().map(|leg| leg.close(deadline, uncarried))).await;
        let shortfalls = closed.into_iter().filter_map(Result::err).flat_map(|undelivered| undelivered.publishers);
        Undelivered::of(shortfalls, self.intake.take_untaken())
    }

    /// Ends at once. Says how many records that leaves undelivered.
    pub(super) fn abandon(&self) -> u64 {
        self.intake.close();
        self.stop.abort();
        let uncarried = self.intake.taken().saturating_sub(self.carried.load(Ordering::Acquire));
        let left = self.legs.iter().map(Leg::abandon).max().unwrap_or(0);
        left + uncarried
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abandon();
    }
}

struct Carrier {
    intake: Arc<Intake>,
    legs: Arc<[Leg]>,
    carried: Arc<AtomicU64>,
    wait_for_all: bool,
}

impl Carrier {
    async fn run(self) {
        let mut spare = BatchBuilder::new();
        loop {
            self.intake.something().await;
            let linger = Instant::now() + LINGER;
            tokio::select! {
                () = self.intake.enough() => {}
                () = sleep_until(linger) => {}
            }
            let Some(batch) = self.intake.carry(std::mem::take(&mut spare)) else { return };
            spare = BatchBuilder::with_room_for(&batch);
            let records = batch.len() as u64;
            self.bring(batch).await;
            self.carried.fetch_add(records, Ordering::Release);
        }
    }

    async fn bring(&self, batch: Batch) {
        if let [leg] = &*self.legs {
            return leg.append(batch).await;
        }
        let mut left: Vec<&Leg> = self.legs.iter().collect();
        while !left.is_empty() {
            let mut full = Vec::new();
            for leg in &left {
                if !leg.offer(&batch).await {
                    full.push(*leg);
                }
            }
            let others_have_it = full.len() < self.legs.len();
            left = Vec::new();
            for leg in full {
                if others_have_it && !self.wait_for_all && leg.is_failing() {
                    leg.miss(batch.len() as u64);
                } else {
                    left.push(leg);
                }
            }
            if !left.is_empty() {
                sleep(AGAIN).await;
            }
        }
    }
}

/// No deadline is further away: times beyond what a clock can add up are of no use.
const LONGEST: Duration = Duration::from_hours(365 * 24);

pub(super) fn deadline(within: Duration) -> Instant {
    Instant::now() + within.min(LONGEST)
}
