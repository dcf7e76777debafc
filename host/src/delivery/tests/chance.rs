//! Whatever goes wrong and whenever: each record has one answer, and counts once.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::plugin::Fault;

#[derive(Clone, Copy, Debug)]
enum Mishap {
    Trap,
    Internal,
    Timeout,
    Gone,
    Unavailable,
}

impl Mishap {
    fn error(self) -> CallError {
        match self {
            Self::Trap => trap(),
            Self::Internal => PublishError::Internal("confused".into()).into(),
            Self::Timeout => timed_out(),
            Self::Gone => Fault::Gone.into(),
            Self::Unavailable => unavailable(None),
        }
    }
}

/// Records that come together, and what befalls the instance after them.
#[derive(Clone, Debug)]
struct Step {
    records: usize,
    then_wait: Duration,
    then_lost: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (1..25_usize, 0..3_000_u64, any::<bool>()).prop_map(|(records, ms, then_lost)| Step {
        records,
        then_wait: Duration::from_millis(ms),
        then_lost,
    })
}

/// What the plugin does wrong by itself comes fewer times than halts it.
fn mishaps() -> impl Strategy<Value = Vec<Mishap>> {
    let innocent = prop_oneof![Just(Mishap::Timeout), Just(Mishap::Gone), Just(Mishap::Unavailable)];
    let own = prop_oneof![Just(Mishap::Trap), Just(Mishap::Internal)];
    (vec(innocent, 0..20), vec(own, 0..5)).prop_map(|(innocent, own)| [innocent, own].concat()).prop_shuffle()
}

async fn run(script: &Script, steps: &[Step]) -> Counts {
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(script, &queue, settings());
    delivery.opened().await;
    for step in steps {
        queue.append(batch(step.records)).await.unwrap();
        sleep(step.then_wait).await;
        if step.then_lost {
            script.latest().kill();
            delivery.lost().notify_one();
        }
    }
    queue.close();
    delivery.ended().await;
    assert_eq!((delivery.status().phase(), queue.fill().records), (Phase::Done, 0));
    delivery.status().counts()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_record_has_one_answer_and_counts_once(
        stateful: bool,
        steps in vec(step(), 1..6),
        poison in btree_set(0..60_u64, 0..3),
        mishaps in mishaps(),
        failed_snapshots in 0..5_usize,
    ) {
        let deadly = poison.clone();
        let script = mishaps.into_iter().fold(Script::default(), |script, mishap| script.then(move |_| Err(mishap.error())));
        let script = script.always(move |batch| {
            if batch.offsets().iter().any(|offset| deadly.contains(offset)) { Err(trap()) } else { Ok(all(batch)) }
        });
        let script = if stateful { script.stateful().snapshots_fail(&trap(), failed_snapshots) } else { script };
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let counts = clock.block_on(run(&script, &steps));

        let records = steps.iter().map(|step| step.records as u64).sum::<u64>();
        let poison: BTreeSet<u64> = poison.into_iter().filter(|&offset| offset < records).collect();
        prop_assert_eq!(counts.answered(), records);
        prop_assert!(counts.rejected >= poison.len() as u64);
        let has = if stateful { script.applied() } else { script.stored() };
        let distinct: BTreeSet<u64> = has.iter().copied().collect();
        prop_assert_eq!((has.len() as u64, distinct.len()), (counts.accepted, has.len()));
        prop_assert!(distinct.is_disjoint(&poison));
    }
}
