//! Composites of scripted legs: what becomes of each record at each leg, and what the caller is told of it.

mod at_random;

use std::time::Duration;

use crate::composite::Composite;
use crate::leg::Leg;
use crate::pending::MAX_RECORDS;
use crate::scripted::{Act, SCRAPED, STATELESS, Script, Stepped, batch, unavailable};
use crate::types::{Flushed, LateRejection, Profile, PublishError, Receipt, Saved, Unavailable};

const CONFIG: &str = r#"{"publishers": [{}, {}]}"#;
const STATEFUL: Profile = Profile { stateful: true, max_instances: 1, flush_interval_ms: None, scrapes: false };

struct Both {
    a: Script,
    b: Script,
    clock: Stepped,
    composite: Composite,
}

fn open(a: &Script, b: &Script, state: Option<&Saved>, clock: &Stepped) -> Result<Composite, PublishError> {
    let legs: [Box<dyn Leg>; 2] = [Box::new(a.clone()), Box::new(b.clone())];
    Composite::open(legs, CONFIG, state, clock.clock())
}

fn both_of(a: Script, b: Script) -> Both {
    let clock = Stepped::default();
    let composite = open(&a, &b, None, &clock).unwrap();
    Both { a, b, clock, composite }
}

fn both() -> Both {
    both_of(Script::new("a"), Script::new("b"))
}

impl Both {
    fn publish(&mut self, offsets: std::ops::Range<u64>) -> Receipt {
        self.composite.publish(&batch("e", offsets)).unwrap()
    }

    /// Flushes at long intervals until nothing is pending; all that was given up.
    fn settle(&mut self) -> Vec<LateRejection> {
        let mut late = Vec::new();
        for _ in 0..200 {
            self.clock.step(Duration::from_secs(301));
            let flushed = self.composite.flush().unwrap();
            late.extend(flushed.rejected);
            if flushed.pending == 0 {
                return late;
            }
        }
        panic!("it never ends");
    }
}

fn once(offsets: std::ops::Range<u64>) -> Vec<(u64, u32)> {
    offsets.map(|offset| (offset, 1)).collect()
}

fn rejected(receipt: &Receipt) -> Vec<(u32, &str)> {
    receipt.rejected.iter().map(|rejection| (rejection.index, rejection.reason.as_str())).collect()
}

fn reason(error: &PublishError) -> &str {
    crate::side::words(error)
}

#[test]
fn what_one_leg_cannot_take_waits_for_it_alone_and_in_order() {
    let mut both = both();
    both.b.away(2);
    assert_eq!(both.publish(0..3).accepted, 3);
    assert_eq!(both.publish(3..6).accepted, 3);
    assert_eq!(both.a.taken(), once(0..6));
    assert_eq!((both.b.taken(), both.b.calls()), (Vec::new(), 1), "it is left alone while it rests");
    assert_eq!(both.composite.flush().unwrap().pending, 6);
    assert_eq!(both.settle(), []);
    assert_eq!((both.a.taken(), both.b.taken()), (once(0..6), once(0..6)));
    let order: Vec<u64> = both.b.batches()[2..].iter().flat_map(|batch| batch.offsets.clone()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    assert_eq!(both.a.batches().len(), 2);
}

#[test]
fn a_backends_wish_to_wait_is_told_and_kept() {
    let mut both = both();
    let busy = Unavailable { reason: "busy".into(), retry_after_ms: Some(7000) };
    both.b.then(Act::Fail(PublishError::Unavailable(busy)));
    both.publish(0..2);
    assert_eq!(both.composite.flush().unwrap().retry_after_ms, Some(7000));
    both.clock.step(Duration::from_secs(6));
    assert_eq!(both.composite.flush().unwrap().pending, 2);
    both.clock.step(Duration::from_secs(1));
    assert_eq!(both.composite.flush().unwrap().pending, 0);
    assert_eq!((both.b.calls(), both.b.taken()), (2, once(0..2)));
}

#[test]
fn a_receipt_names_the_leg_that_rejects_and_counts_a_record_once() {
    let mut both = both();
    both.a.then(Act::Reject(vec![1]));
    both.b.then(Act::Reject(vec![1, 2]));
    let receipt = both.publish(0..4);
    assert_eq!(receipt.accepted, 2);
    let expected = [(1, "publishers[0] (a): bad; publishers[1] (b): bad"), (2, "publishers[1] (b): bad")];
    assert_eq!(rejected(&receipt), expected);
    assert!(receipt.retryable.is_empty());
    both.a.then(Act::Fail(PublishError::Rejected("too old".into())));
    let receipt = both.publish(4..6);
    assert_eq!(rejected(&receipt), [(0, "publishers[0] (a): too old"), (1, "publishers[0] (a): too old")]);
    assert_eq!(both.b.taken().last(), Some(&(5, 1)), "the other has them");
}

#[test]
fn what_waited_and_is_rejected_is_told_by_flush_with_the_legs_name() {
    let mut both = both();
    both.b.away(1).then(Act::Reject(vec![2]));
    assert_eq!(both.publish(0..4).accepted, 4);
    let late = both.settle();
    let expected =
        LateRejection { epoch: "e".into(), offset: 2, leg: "publishers[1] (b)".into(), reason: "bad".into() };
    assert_eq!(late, [expected]);
    assert_eq!(both.settle(), [], "once");
}

#[test]
fn what_is_put_off_waits_and_the_rest_is_not_given_again() {
    let mut both = both();
    both.b.then(Act::PutOff(vec![1, 3]));
    assert_eq!(both.publish(0..5).accepted, 5);
    assert_eq!(both.composite.flush().unwrap().pending, 2);
    both.settle();
    assert_eq!(both.b.taken(), once(0..5));
    assert_eq!(both.b.batches()[1].offsets, [1, 3]);
}

#[test]
fn a_full_buffer_puts_the_caller_off_and_neither_leg_has_any_of_it() {
    let mut both = both();
    both.b.away(1);
    both.publish(0..MAX_RECORDS as u64);
    let more = batch("e", 200_000..200_010);
    let Err(PublishError::Unavailable(Unavailable { reason, retry_after_ms })) = both.composite.publish(&more) else {
        panic!("it was taken")
    };
    let expected = "publishers[1] (b): records wait for it in memory, and that is full (100000): away";
    assert_eq!((reason.as_str(), retry_after_ms), (expected, Some(200)));
    assert_eq!(both.a.taken().len(), MAX_RECORDS);
    both.clock.step(Duration::from_secs(1));
    assert_eq!(both.composite.publish(&more).unwrap().accepted, 10, "what waits is tried first");
    assert_eq!((both.a.taken().len(), both.b.taken().len()), (MAX_RECORDS + 10, MAX_RECORDS + 10));
}

#[test]
fn one_record_that_a_leg_fails_over_is_found_and_given_up_alone() {
    let (a, b) = (Script::new("a"), Script::new("b"));
    let mut both = both_of(a, b);
    // Directly, four times more while it waits, then [0, 1] passes, [2, 3] fails, 2 passes, 3 fails five times.
    let fault = || Act::Fail(PublishError::Internal("index out of bounds".into()));
    for _ in 0..5 {
        both.b.then(fault());
    }
    both.b.then(Act::Take).then(fault()).then(Act::Take);
    for _ in 0..5 {
        both.b.then(fault());
    }
    assert_eq!(both.publish(0..4).accepted, 4);
    assert_eq!(both.publish(4..6).accepted, 2);
    let late = both.settle();
    let told: Vec<_> = late.iter().map(|late| (late.offset, late.reason.as_str())).collect();
    assert_eq!(told, [(3, "the plugin fails over this record: index out of bounds")]);
    assert_eq!(both.b.taken(), [(0, 1), (1, 1), (2, 1), (4, 1), (5, 1)]);
    assert!(both.b.batches()[1].redelivered, "its outcome is in doubt");
    assert_eq!(both.a.taken(), once(0..6));
}

#[test]
fn a_fault_of_a_leg_that_keeps_state_is_the_callers_to_mend_and_the_other_has_nothing() {
    let mut both = both_of(Script::new("a"), Script::new("b").with_profile(STATEFUL));
    both.b.then(Act::Fail(PublishError::Internal("lost count".into())));
    let error = both.composite.publish(&batch("e", 0..2)).unwrap_err();
    assert_eq!(error, PublishError::Internal("publishers[1] (b): lost count".into()));
    assert_eq!(both.a.taken(), []);
    assert_eq!(both.publish(0..2).accepted, 2);
    assert_eq!((both.a.taken(), both.b.taken()), (once(0..2), once(0..2)));
}

#[test]
fn what_one_rejected_before_the_other_failed_is_told_by_the_next_flush() {
    let stateful = |name| Script::new(name).with_profile(STATEFUL);
    let mut both = both_of(stateful("a"), stateful("b"));
    both.a.then(Act::Reject(vec![1]));
    both.b.then(Act::Fail(PublishError::Internal("lost count".into())));
    both.composite.publish(&batch("e", 0..2)).unwrap_err();
    let told = |late: &LateRejection| (late.epoch.clone(), late.offset, late.leg.clone(), late.reason.clone());
    let late = both.composite.flush().unwrap().rejected;
    assert_eq!(late.iter().map(told).collect::<Vec<_>>(), [("e".into(), 1, "publishers[0] (a)".into(), "bad".into())]);
}

#[test]
fn a_receipt_that_does_not_add_up_is_the_legs_fault() {
    let mut both = both();
    both.b.then(Act::Lie);
    assert_eq!(both.publish(0..2).accepted, 2);
    assert_eq!(both.composite.flush().unwrap().pending, 2);
    both.settle();
    assert_eq!(both.b.taken(), once(0..2));
}

#[test]
fn two_legs_that_are_scraped_are_refused_and_one_answers() {
    let scraped = |name| Script::new(name).with_profile(SCRAPED);
    let Err(error) = open(&scraped("a"), &scraped("b"), None, &Stepped::default()) else { panic!("it opened") };
    assert!(matches!(error, PublishError::Misconfigured(_)));
    assert!(reason(&error).starts_with("publishers: two of the plugins have something to scrape"), "{error:?}");
    let both = both_of(Script::new("a"), scraped("b"));
    let profile = both.composite.profile();
    assert_eq!((profile.stateful, profile.max_instances, profile.scrapes), (true, 1, true));
    assert_eq!(both.composite.scrape("text/plain").unwrap().body, b"b text/plain");
}

#[test]
fn a_profile_is_that_of_both() {
    let often = |ms| Profile { flush_interval_ms: Some(ms), ..STATELESS };
    let both = both_of(Script::new("a").with_profile(often(5000)), Script::new("b").with_profile(often(15_000)));
    let expected = Profile { stateful: true, max_instances: 1, flush_interval_ms: Some(5000), scrapes: false };
    assert_eq!(both.composite.profile(), expected, "what waits is state, whatever the legs are like");
    assert_eq!(both_of(Script::new("a"), Script::new("b")).composite.profile().flush_interval_ms, Some(1000));
}

#[test]
fn a_leg_that_cannot_be_opened_yet_holds_nothing_up() {
    let (a, b) = (Script::new("a"), Script::new("b"));
    b.open_fails(unavailable("refused"));
    let mut both = both_of(a, b);
    assert_eq!(both.publish(0..3).accepted, 3);
    assert_eq!((both.a.taken(), both.b.calls()), (once(0..3), 0));
    both.settle();
    assert_eq!(both.b.taken(), once(0..3));
}

#[test]
fn where_no_leg_can_be_opened_or_one_never_can_the_composite_cannot_either() {
    let (a, b) = (Script::new("a"), Script::new("b"));
    a.open_fails(unavailable("refused"));
    b.open_fails(PublishError::Unauthorized("401".into()));
    let Err(error) = open(&a, &b, None, &Stepped::default()) else { panic!("it opened") };
    assert_eq!(error, unavailable("publishers[0] (a): refused"));
    b.open_fails(PublishError::Misconfigured("hosts[0]: unknown stack".into()));
    let Err(error) = open(&a, &b, None, &Stepped::default()) else { panic!("it opened") };
    assert_eq!(error, PublishError::Misconfigured("publishers[1].hosts[0]: unknown stack".into()));
}

#[test]
fn close_says_what_still_waits_and_closes_each_leg_once() {
    let mut both = both();
    both.b.away(3);
    both.publish(0..2);
    let error = both.composite.close().unwrap_err();
    assert_eq!(reason(&error), "publishers[1] (b): records still wait for it (2): away");
    assert_eq!((both.a.closed(), both.b.closed()), (1, 0));
    assert_eq!(both.composite.flush().unwrap().pending, 2);
    assert!(both.composite.close().is_err());
    assert_eq!(both.composite.close().unwrap().pending, 0);
    assert_eq!((both.a.closed(), both.b.closed()), (1, 1));
    assert_eq!(both.b.taken(), once(0..2));
}

#[test]
fn a_flush_that_fails_is_told_and_keeps_no_rejection_back() {
    let interval = Profile { flush_interval_ms: Some(1000), ..STATEFUL };
    let mut both = both_of(Script::new("a").with_profile(interval), Script::new("b"));
    both.a.flush_says(Err(unavailable("push: refused")));
    both.publish(0..2);
    assert_eq!(both.composite.flush(), Err(unavailable("publishers[0] (a): push: refused")));
    both.b.away(1).then(Act::Reject(vec![2]));
    both.publish(2..4);
    both.clock.step(Duration::from_secs(1));
    both.a.flush_says(Err(unavailable("push: refused")));
    let flushed = both.composite.flush().unwrap();
    assert_eq!((flushed.pending, flushed.rejected.len()), (4, 1), "four were taken since the last push");
    let flushed = both.composite.flush().unwrap();
    assert_eq!((flushed.pending, flushed.rejected.len()), (0, 0));
}

#[test]
fn what_legs_give_up_late_is_passed_on_with_their_names() {
    let mut both = both();
    let late = LateRejection { epoch: "e".into(), offset: 9, leg: String::new(), reason: "gone".into() };
    let reason = "the receiver is slow".to_owned();
    both.a.flush_says(Ok(Flushed { pending: 5, rejected: vec![late], retry_after_ms: Some(3), reason }));
    let flushed = both.composite.flush().unwrap();
    assert_eq!((flushed.pending, flushed.retry_after_ms), (5, Some(3)));
    assert_eq!(flushed.rejected[0].leg, "publishers[0] (a)");
    assert_eq!(flushed.reason, "publishers[0] (a): the receiver is slow");
}

#[test]
fn each_leg_that_holds_records_back_is_named() {
    let mut both = both();
    assert_eq!(both.composite.flush().unwrap().reason, "");
    both.b.away(1);
    both.composite.publish(&batch("e", 0..3)).unwrap();
    let told = both.composite.flush().unwrap();
    let waits = "publishers[1] (b): records wait for it in memory (3): away";
    assert_eq!((told.pending, told.reason.as_str()), (3, waits));
    both.clock.step(Duration::from_secs(1));
    let told = both.composite.flush().unwrap();
    assert_eq!((told.pending, told.reason.as_str()), (0, ""), "it takes records again");
}

#[test]
fn a_snapshot_holds_what_waits_and_records_that_come_again_are_given_to_no_leg() {
    let mut both = both_of(Script::new("a").with_profile(STATEFUL), Script::new("b"));
    both.b.away(1).then(Act::Reject(vec![0]));
    both.publish(0..4);
    both.clock.step(Duration::from_secs(1));
    both.b.away(1);
    both.publish(4..6);
    let saved = both.composite.snapshot();
    assert_eq!(saved.next_offset, 6);
    // It dies after more records, and another one takes its place.
    both.publish(6..8);
    let b = Script::new("b");
    let composite = open(&both.a, &b, Some(&saved), &both.clock).unwrap();
    let mut again = Both { a: both.a, b, clock: both.clock, composite };
    assert_eq!(again.publish(4..8).accepted, 4);
    let late = again.settle();
    assert_eq!(again.a.taken(), once(0..8));
    assert_eq!(late.iter().map(|late| late.offset).collect::<Vec<_>>(), [0], "it was given up before the snapshot");
    assert_eq!(again.b.taken(), once(4..8), "0 to 3 were answered for by the one before");
}

#[test]
fn no_part_of_a_state_and_no_state_of_others_is_taken_for_a_state() {
    let mut both = both_of(Script::new("a").with_profile(STATEFUL), Script::new("b"));
    both.b.away(1);
    both.publish(0..3);
    let saved = both.composite.snapshot();
    let refused = |saved: &Saved| match open(&both.a, &both.b, Some(saved), &both.clock) {
        Err(PublishError::StateIncompatible(text)) => text,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it opened"),
    };
    for length in 0..saved.state.len() {
        let part = Saved { state: saved.state[..length].to_vec(), ..saved.clone() };
        assert_eq!(refused(&part), "the state is damaged", "{length} bytes");
    }
    assert_eq!(refused(&Saved { version: 9, ..saved.clone() }), "the state has version 9, this plugin's is 1");
    assert!(refused(&Saved { next_offset: 2, ..saved.clone() }).contains("before 3"));
    let Err(error) = open(&both.b, &both.a, Some(&saved), &both.clock) else { panic!("it opened") };
    assert_eq!(reason(&error), "the state is of publishers[0] (a), and this is publishers[0] (b)");
}
