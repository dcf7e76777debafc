//! A circuit breaker (Nygard, *Release It!*) for the backend of one publisher: when one instance finds it away, none
//! asks it before the pause is over, and then one of them only.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::retry::Backoff;

/// Shared by all instances of a publisher.
pub(super) struct Breaker {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    gate: Gate,
    /// Goes up with each trip: who was let through before another one tripped it knows nothing new.
    trips: u64,
    backoff: Backoff,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Closed,
    OpenUntil(Instant),
    /// One is through, and all wait for what it finds.
    HalfOpen,
}

/// Leave to ask the backend. Given back without a word, it tells nothing.
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    trips: u64,
    is_probe: bool,
}

impl Breaker {
    pub(super) fn new(backoff: Backoff) -> Arc<Self> {
        let state = State { gate: Gate::Closed, trips: 0, backoff };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    /// Waits for leave to ask the backend.
    pub(super) async fn admit(self: &Arc<Self>) -> Pass {
        loop {
            let changed = self.changed.notified();
            match self.look() {
                Ok(pass) => return pass,
                Err(Some(until)) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = changed => {}
                },
                Err(None) => changed.await,
            }
        }
    }

    /// Leave, or when it may be asked for again.
    fn look(self: &Arc<Self>) -> Result<Pass, Option<Instant>> {
        let mut state = self.lock();
        let is_probe = match state.gate {
            Gate::Closed => false,
            Gate::OpenUntil(until) if until <= Instant::now() => true,
            Gate::OpenUntil(until) => return Err(Some(until)),
            Gate::HalfOpen => return Err(None),
        };
        if is_probe {
            state.gate = Gate::HalfOpen;
        }
        Ok(Pass { breaker: Arc::clone(self), trips: state.trips, is_probe })
    }

    fn set(&self, state: &mut State, gate: Gate) {
        state.gate = gate;
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What stands behind it is whole at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The backend answers.
    pub(super) fn went_well(mut self) {
        self.is_probe = false;
        let mut state = self.breaker.lock();
        state.backoff.reset();
        self.breaker.set(&mut state, Gate::Closed);
    }

    /// The backend is away; says how long it is left alone.
    pub(super) fn trip(mut self, pause: impl FnOnce(&mut Backoff) -> Duration) -> Duration {
        self.is_probe = false;
        let mut state = self.breaker.lock();
        let now = Instant::now();
        match state.gate {
            Gate::OpenUntil(until) if state.trips != self.trips => return until.saturating_duration_since(now),
            Gate::HalfOpen if state.trips != self.trips => return Duration::ZERO,
            _ => {}
        }
        let pause = pause(&mut state.backoff);
        state.trips += 1;
        self.breaker.set(&mut state, Gate::OpenUntil(now + pause));
        pause
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_probe {
            let mut state = self.breaker.lock();
            self.breaker.set(&mut state, Gate::OpenUntil(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::config::Retry;

    fn breaker() -> Arc<Breaker> {
        let retry = Retry { initial: Duration::from_secs(1), max: Duration::from_mins(1), give_up_after: None };
        Breaker::new(Backoff::new(&retry, fastrand::Rng::with_seed(1)))
    }

    const PAUSE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn an_open_one_lets_one_through_when_its_time_has_come() {
        let breaker = breaker();
        let (one, other) = (breaker.admit().await, breaker.admit().await);
        assert_eq!(one.trip(|_| PAUSE), PAUSE);
        assert_eq!(other.trip(|_| panic!("it was tripped already")), PAUSE);
        let began = Instant::now();
        let probe = breaker.admit().await;
        assert_eq!(began.elapsed(), PAUSE);
        assert!(breaker.admit().now_or_never().is_none(), "one at a time");
        assert_eq!(probe.trip(|_| PAUSE), PAUSE);
        let probe = breaker.admit().await;
        let waiting = tokio::spawn({
            let breaker = Arc::clone(&breaker);
            async move { breaker.admit().await.trips }
        });
        tokio::task::yield_now().await;
        probe.went_well();
        assert_eq!(waiting.await.unwrap(), 2);
        assert!(breaker.admit().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_tells_nothing_is_followed_by_another() {
        let breaker = breaker();
        breaker.admit().await.trip(|_| PAUSE);
        drop(breaker.admit().await);
        assert!(breaker.admit().await.is_probe);
    }
}
