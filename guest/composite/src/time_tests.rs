//! Legs that take long: a call of the composite ends in time all the same, and no leg keeps the other from its turn.

use std::time::Duration;

use crate::composite::Composite;
use crate::leg::Leg;
use crate::scripted::{Act, STATELESS, Script, Stepped, batch, unavailable};
use crate::types::{Flushed, Profile, PublishError, Saved};

const CONFIG: &str = r#"{"publishers": [{}, {}]}"#;
/// What a call of a plugin takes whose backend does not answer.
const SILENT: Duration = Duration::from_secs(25);
/// What a host gives a call.
const CALL: Duration = Duration::from_secs(30);
const PUSHES: Profile = Profile { stateful: true, flush_interval_ms: Some(1000), ..STATELESS };

fn open(a: &Script, b: &Script, state: Option<&Saved>, clock: &Stepped) -> Composite {
    let legs: [Box<dyn Leg>; 2] = [Box::new(a.clone()), Box::new(b.clone())];
    Composite::open(legs, CONFIG, state, clock.clock()).unwrap()
}

/// Both push at an interval, and the first waits for a backend that does not answer.
fn with_a_silent_leg() -> (Script, Script, Stepped, Composite) {
    let (a, b, clock) =
        (Script::new("a").with_profile(PUSHES), Script::new("b").with_profile(PUSHES), Stepped::default());
    let composite = open(&a, &b, None, &clock);
    a.takes(SILENT, &clock);
    (a, b, clock, composite)
}

fn timed<T>(clock: &Stepped, call: impl FnOnce() -> T) -> T {
    let now = clock.clock();
    let began = now();
    let answer = call();
    let took = now().saturating_sub(began);
    assert!(took < CALL, "it took {took:?}");
    answer
}

#[test]
fn a_flush_that_one_leg_takes_up_leaves_the_other_the_next_one() {
    let (a, b, clock, mut composite) = with_a_silent_leg();
    b.takes(SILENT, &clock);
    composite.publish(&batch("e", 0..3)).unwrap();
    let pending = |pending| {
        let retry_after_ms = (pending > 0).then_some(0);
        Ok(Flushed { pending, rejected: Vec::new(), retry_after_ms, reason: String::new() })
    };
    assert_eq!(timed(&clock, || composite.flush()), pending(6), "the records to the second, for which they waited");
    for script in [&a, &b] {
        script.flush_says(Err(unavailable("no answer")));
    }
    assert_eq!(timed(&clock, || composite.flush()), Err(unavailable("publishers[0] (a): no answer")));
    assert_eq!(timed(&clock, || composite.flush()), Err(unavailable("publishers[1] (b): no answer")));
    assert_eq!(timed(&clock, || composite.flush()), pending(3));
    assert_eq!(timed(&clock, || composite.flush()), pending(0));
    assert_eq!((a.taken().len(), b.taken().len()), (3, 3));
}

#[test]
fn a_batch_waits_for_a_leg_that_no_time_is_left_for() {
    let (a, b, clock, mut composite) = with_a_silent_leg();
    b.takes(SILENT, &clock);
    assert_eq!(timed(&clock, || composite.publish(&batch("e", 0..3))).unwrap().accepted, 3);
    assert_eq!((a.taken().len(), b.taken().len()), (3, 0));
    timed(&clock, || composite.flush()).unwrap();
    assert_eq!(b.taken().len(), 3);
}

#[test]
fn a_leg_that_is_long_in_opening_gets_its_records_at_the_next_call() {
    let (a, b, clock) = (Script::new("a"), Script::new("b"), Stepped::default());
    b.open_fails(unavailable("away"));
    let mut composite = open(&a, &b, None, &clock);
    composite.publish(&batch("e", 0..3)).unwrap();
    clock.step(Duration::from_secs(1));
    b.takes(SILENT, &clock);
    for taken in [0, 3] {
        timed(&clock, || composite.flush()).unwrap();
        assert_eq!(b.taken().len(), taken);
    }
}

#[test]
fn a_close_that_one_leg_takes_up_is_repeated_for_the_other() {
    let (a, b, clock, mut composite) = with_a_silent_leg();
    let PublishError::Unavailable(told) = timed(&clock, || composite.close()).unwrap_err() else { panic!("closed") };
    assert_eq!(told.reason, "publishers[1] (b): no time was left to close it: close again");
    timed(&clock, || composite.close()).unwrap();
    assert_eq!((a.closed(), b.closed()), (1, 1));
}

#[test]
fn what_a_leg_still_holds_counts_as_pending_while_its_flush_fails() {
    let (a, b, clock) = (Script::new("a").with_profile(PUSHES), Script::new("b"), Stepped::default());
    let mut composite = open(&a, &b, None, &clock);
    a.flush_says(Ok(Flushed { pending: 2, rejected: Vec::new(), retry_after_ms: None, reason: String::new() }));
    composite.publish(&batch("e", 0..2)).unwrap();
    assert_eq!(composite.flush().unwrap().pending, 2);
    a.flush_says(Err(unavailable("no answer")));
    b.away(1).then(Act::Reject(vec![2]));
    composite.publish(&batch("e", 2..3)).unwrap();
    clock.step(Duration::from_secs(1));
    let flushed = composite.flush().unwrap();
    assert_eq!((flushed.pending, flushed.rejected.len()), (3, 1));
}

#[test]
fn what_waited_in_a_saved_state_may_have_been_given_since() {
    let (a, b, clock) = (Script::new("a"), Script::new("b"), Stepped::default());
    let mut composite = open(&a, &b, None, &clock);
    b.away(1);
    composite.publish(&batch("e", 0..3)).unwrap();
    let saved = composite.snapshot();
    clock.step(Duration::from_secs(1));
    composite.flush().unwrap();
    assert!(b.batches().iter().all(|batch| !batch.redelivered), "the backend has it, and then the host dies");
    let again = Script::new("b");
    open(&Script::new("a"), &again, Some(&saved), &clock).flush().unwrap();
    assert_eq!(again.batches().iter().map(|batch| batch.redelivered).collect::<Vec<_>>(), [true]);
}
