//! Where a call leaves its record: packed at once into a batch that grows, which a carrier takes away.
//!
//! The batch is bounded; while it is full (the queues behind it are full then, too) calls wait. Nothing in here needs a
//! runtime.

use std::sync::{Mutex, MutexGuard, PoisonError};

use metricast_records::{Batch, BatchBuilder, MetricsRef};
use tokio::sync::Notify;

use super::publisher::PublishError;
use super::undelivered::{Reason, Untaken};
use super::valid::{self, InvalidRecord};
use crate::clock;
use crate::config::defaults::{BATCH_RECORDS, PACKED_TEXT};

#[derive(Debug, Default)]
pub(super) struct Intake {
    state: Mutex<State>,
    /// For the carrier: there is a first record, or no room, or the end.
    arrived: Notify,
    /// For calls: the carrier has taken a batch, or this is closed.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    builder: BatchBuilder,
    taken: u64,
    untaken: Untaken,
    hurry: bool,
    closed: bool,
}

impl State {
    fn is_full(&self) -> bool {
        self.builder.len() >= BATCH_RECORDS || self.builder.text_len() >= PACKED_TEXT
    }
}

impl Intake {
    /// Packs a record.
    ///
    /// # Errors
    /// [`PublishError::Full`] where there is no room now, and what else is in its way.
    pub(super) fn offer(&self, metrics: &MetricsRef<'_>) -> Result<(), PublishError> {
        valid::check(metrics)?;
        let received = clock::now();
        let mut state = self.lock();
        if state.closed {
            return Err(PublishError::Closed);
        }
        if state.is_full() || state.builder.push(metrics, received).is_err() {
            return Err(PublishError::Full);
        }
        state.taken += 1;
        let tell = state.builder.len() == 1 || state.is_full();
        drop(state);
        if tell {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// As [`offer`](Self::offer), waiting for room. Cancel safe.
    pub(super) async fn take(&self, metrics: &MetricsRef<'_>) -> Result<(), PublishError> {
        loop {
            let room = self.room.notified();
            match self.offer(metrics) {
                Err(PublishError::Full) => room.await,
                taken => return taken,
            }
        }
    }

    /// A record that found no room and is not offered again.
    pub(super) fn note_unqueued(&self) {
        self.lock().untaken.unqueued += 1;
    }

    /// A record that nobody can be told of that it is none.
    pub(super) fn note_invalid(&self, name: &str, problem: &InvalidRecord) {
        let mut state = self.lock();
        let first = || Reason { count: 0, text: problem.to_string(), example: shortened(name) };
        state.untaken.invalid.get_or_insert_with(first).count += 1;
    }

    /// What those were since the last time of asking.
    pub(super) fn take_untaken(&self) -> Untaken {
        std::mem::take(&mut self.lock().untaken)
    }

    /// Records that were taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// What is here is wanted now.
    pub(super) fn hurry(&self) {
        self.lock().hurry = true;
        self.arrived.notify_one();
    }

    /// Takes no more. Says whether it did till now.
    pub(super) fn close(&self) -> bool {
        let was_open = !std::mem::replace(&mut self.lock().closed, true);
        self.arrived.notify_one();
        self.room.notify_waiters();
        was_open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// For the one carrier: waits until there is something to carry, or the end of it.
    pub(super) async fn something(&self) {
        loop {
            {
                let mut state = self.lock();
                if !state.builder.is_empty() || state.closed {
                    return;
                }
                state.hurry = false;
            }
            self.arrived.notified().await;
        }
    }

    /// For the one carrier: waits until nothing is gained by waiting for more records.
    pub(super) async fn enough(&self) {
        loop {
            {
                let state = self.lock();
                if state.is_full() || state.hurry || state.closed {
                    return;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// For the one carrier: what is here; none at the end. `spare` takes its place.
    pub(super) fn carry(&self, spare: BatchBuilder) -> Option<Batch> {
        let mut state = self.lock();
        state.hurry = false;
        let packed = std::mem::replace(&mut state.builder, spare);
        let ended = state.closed && packed.is_empty();
        drop(state);
        self.room.notify_waiters();
        (!ended).then(|| packed.finish())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics halfway through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(name: &str) -> String {
    const MOST: usize = 200;
    name.chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use metricast_records::EventMetrics;

    use super::*;

    fn event() -> EventMetrics {
        EventMetrics { event_name: "Pay".into(), start_time: 1.0, status: "running".into(), ..EventMetrics::default() }
    }

    #[tokio::test]
    async fn a_full_one_makes_calls_wait_until_it_is_carried_away() {
        let intake = Intake::default();
        let event = event();
        let record = MetricsRef::Event(event.as_ref());
        for _ in 0..BATCH_RECORDS {
            intake.take(&record).now_or_never().expect("there is room").unwrap();
        }
        assert!(matches!(intake.offer(&record), Err(PublishError::Full)));
        let mut waiting = Box::pin(intake.take(&record));
        assert!(waiting.as_mut().now_or_never().is_none());
        intake.something().await;
        intake.enough().await;
        assert_eq!(intake.carry(BatchBuilder::new()).map(|batch| batch.len()), Some(BATCH_RECORDS));
        waiting.await.unwrap();
        assert_eq!(intake.taken(), BATCH_RECORDS as u64 + 1);
    }

    #[tokio::test]
    async fn a_closed_one_gives_what_it_has_and_takes_nothing() {
        let intake = Intake::default();
        let event = event();
        let record = MetricsRef::Event(event.as_ref());
        intake.offer(&record).unwrap();
        assert!(intake.close());
        assert!(!intake.close());
        assert!(matches!(intake.offer(&record), Err(PublishError::Closed)));
        intake.enough().await;
        assert_eq!(intake.carry(BatchBuilder::new()).map(|batch| batch.len()), Some(1));
        assert!(intake.carry(BatchBuilder::new()).is_none());
    }

    #[tokio::test]
    async fn calls_that_wait_end_when_it_is_closed() {
        let intake = Intake::default();
        let long = EventMetrics { task_id: "x".repeat(PACKED_TEXT), ..event() };
        let record = MetricsRef::Event(long.as_ref());
        intake.offer(&record).unwrap();
        let mut waiting = Box::pin(intake.take(&record));
        assert!(waiting.as_mut().now_or_never().is_none());
        intake.close();
        assert!(matches!(waiting.await, Err(PublishError::Closed)));
    }
}
