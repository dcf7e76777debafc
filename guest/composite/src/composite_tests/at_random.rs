//! Whatever two legs do: each record ends once at each of them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish(u64),
    Flush,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let offsets = || prop::collection::vec(0_u64..60, 0..6);
    prop_oneof![
        4 => Just(Act::Take),
        2 => offsets().prop_map(Act::Reject),
        2 => offsets().prop_map(Act::PutOff),
        2 => Just(Act::Fail(unavailable("away"))),
        1 => Just(Act::Fail(PublishError::Rejected("never".into()))),
        1 => Just(Act::Fail(PublishError::Internal("oops".into()))),
        1 => Just(Act::Lie),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_u64..6).prop_map(Step::Publish),
        1 => Just(Step::Flush),
        1 => (1_u64..40_000).prop_map(Step::Wait),
    ]
}

/// How often each record was rejected, by its leg and offset, late ones too.
type Rejected = BTreeMap<(&'static str, u64), u32>;

fn note(rejected: &mut Rejected, words: &str, offset: u64) {
    for leg in ["(a)", "(b)"] {
        if words.contains(leg) {
            *rejected.entry((leg, offset)).or_default() += 1;
        }
    }
}

proptest! {
    #[test]
    fn each_record_ends_once_at_each_leg(
        acts in prop::collection::vec((act(), act()), 0..30),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        let mut both = both();
        for (one, other) in acts {
            both.a.then(one);
            both.b.then(other);
        }
        let (mut next, mut rejected) = (0, Rejected::new());
        for step in steps {
            match step {
                Step::Wait(ms) => both.clock.step(Duration::from_millis(ms)),
                Step::Flush => {
                    let flushed = both.composite.flush().unwrap();
                    flushed.rejected.iter().for_each(|late| note(&mut rejected, &late.leg, late.offset));
                }
                Step::Publish(records) => {
                    let receipt = both.publish(next..next + records);
                    prop_assert_eq!(u64::from(receipt.accepted) + receipt.rejected.len() as u64, records);
                    for one in &receipt.rejected {
                        note(&mut rejected, &one.reason, next + u64::from(one.index));
                    }
                    next += records;
                }
            }
        }
        both.settle().iter().for_each(|late| note(&mut rejected, &late.leg, late.offset));
        for (leg, script) in [("(a)", &both.a), ("(b)", &both.b)] {
            let taken: BTreeMap<u64, u32> = script.taken().into_iter().collect();
            for offset in 0..next {
                let ends = taken.get(&offset).unwrap_or(&0) + rejected.get(&(leg, offset)).unwrap_or(&0);
                prop_assert_eq!(ends, 1, "record {} at {}", offset, leg);
            }
        }
    }
}
