use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::scripted::{Claim, FOR_EVER, Script, all, batch, timed_out, trap, unavailable};
use super::*;
use crate::plugin::{CallError, PublishError, Receipt, Rejection};
use crate::queue::Queue;

fn settings() -> Settings {
    Settings {
        batching: Batching { max_records: 10, max_bytes: 1 << 20, max_age: Duration::from_secs(1) },
        retry: Retry { initial: Duration::from_millis(100), max: Duration::from_secs(10), give_up_after: None },
        max_instances: 4,
        max_unsaved: 1 << 20,
        reset_state: false,
    }
}

/// Starts a delivery on the test's own runtime, whose clock is stepped.
fn start(script: &Script, queue: &Queue, settings: Settings) -> Delivery<Script> {
    Delivery::start_on("p", script.clone(), queue.reader(), settings, |leg| tokio::spawn(leg))
}

/// Delivers `records` to the end.
async fn deliver(script: &Script, records: usize) -> (Delivery<Script>, Queue) {
    deliver_with(script, records, settings()).await
}

async fn deliver_with(script: &Script, records: usize, settings: Settings) -> (Delivery<Script>, Queue) {
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(script, &queue, settings);
    queue.append(batch(records)).await.unwrap();
    queue.close();
    delivery.ended().await;
    (delivery, queue)
}

fn counts(delivery: &Delivery<Script>) -> (u64, u64, u64) {
    let counts = delivery.status().counts();
    (counts.accepted, counts.rejected, counts.retried)
}

/// Why it halted.
fn halted(delivery: &Delivery<Script>) -> String {
    let Phase::Halted { reason } = delivery.status().phase() else { panic!("{:?}", delivery.status().phase()) };
    reason
}

#[tokio::test(start_paused = true)]
async fn all_records_arrive_and_the_cursor_follows() {
    let script = Script::default();
    let (delivery, queue) = deliver(&script, 35).await;
    assert_eq!(script.stored(), (0..35).collect::<Vec<_>>());
    assert_eq!(counts(&delivery), (35, 0, 0));
    assert_eq!((queue.fill().records, delivery.status().phase()), (0, Phase::Done));
    assert_eq!(script.closed(), script.opened());
}

#[tokio::test(start_paused = true)]
async fn only_what_the_receipt_names_is_sent_again() {
    let script = Script::default().then(|batch| {
        Ok(Receipt {
            accepted: batch.len() as u32 - 3,
            rejected: vec![Rejection { index: 1, reason: "mapping".into() }],
            retryable: vec![4, 7],
            in_doubt: vec![7],
            retry_after: Some(Duration::from_secs(3)),
        })
    });
    let began = Instant::now();
    let (delivery, _queue) = deliver(&script, 10).await;
    assert_eq!(script.calls()[1], (vec![4, 7], true));
    assert_eq!(counts(&delivery), (9, 1, 2));
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    let rejections = delivery.status().rejections();
    assert_eq!(rejections.by_reason["mapping"].0, 1);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_backend_is_asked_until_it_is_there() {
    let script = (0..20).fold(Script::default(), |script, _| script.then(|_| Err(unavailable(None))));
    let (delivery, _queue) = deliver(&script, 5).await;
    assert_eq!(counts(&delivery), (5, 0, 100));
    assert!(script.calls().iter().all(|(_, redelivered)| !redelivered));
    assert_eq!(script.opened(), 1);
    let pauses = script.pauses();
    for (bound, pause) in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000].into_iter().zip(&pauses) {
        assert!(*pause <= Duration::from_millis(bound + 2), "{pauses:?}");
    }
    let waited: Duration = pauses.iter().sum();
    assert!(waited > Duration::from_secs(15), "12 pauses of 5 s on average: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_batch_is_counted_record_by_record() {
    let script = Script::default().then(|_| Err(PublishError::Rejected("no such tenant".into()).into()));
    let (delivery, _queue) = deliver(&script, 5).await;
    assert_eq!(counts(&delivery), (0, 5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_too_old_is_given_up() {
    let script = Script::default().always(|_| Err(unavailable(None)));
    let mut settings = settings();
    settings.retry.give_up_after = Some(Duration::ZERO);
    let (delivery, _queue) = deliver_with(&script, 5, settings).await;
    assert_eq!((counts(&delivery), delivery.status().counts().given_up), ((0, 0, 0), 5));
    let reasons: Vec<String> = delivery.status().surrenders().by_reason.into_keys().collect();
    assert_eq!(reasons, ["after 0s: the backend is not available: connection refused"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_is_given_up_where_the_plugin_cannot_be_opened_too() {
    let away = || PublishError::Unavailable { reason: "connection refused".into(), retry_after: None };
    let script = (0..1_000).fold(Script::default(), |script, _| script.fail_open(away()));
    let mut settings = settings();
    settings.retry.give_up_after = Some(Duration::ZERO);
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings);
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!((delivery.status().counts().given_up, queue.fill().records), (5, 0));
    delivery.stop();
}

#[tokio::test(start_paused = true)]
async fn a_poisonous_record_stands_alone_in_the_end() {
    for stateful in [false, true] {
        let script =
            Script::default().always(|batch| if batch.offsets().contains(&6) { Err(trap()) } else { Ok(all(batch)) });
        let script = if stateful { script.stateful() } else { script };
        let (delivery, _queue) = deliver(&script, 10).await;
        assert_eq!(counts(&delivery).0, 9, "stateful: {stateful}");
        assert_eq!(counts(&delivery).1, 1);
        let (reason, (_, record)) = delivery.status().rejections().by_reason.pop_first().unwrap();
        assert!(reason.starts_with("the plugin breaks on this record: the plugin trapped"), "{reason}");
        assert!(record.contains("\"event_name\":\"e\""));
        if stateful {
            let applied = script.applied();
            assert_eq!(applied, [0, 1, 2, 3, 4, 5, 7, 8, 9], "each counts once after all replays");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stateful_instance_is_made_again_from_its_snapshot_and_what_came_since() {
    let script = Script::default().stateful();
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(queue.fill().records, 0, "the snapshot moved the cursor");
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(queue.fill().records, 10, "no snapshot holds these yet");
    delivery.current().borrow().clone().unwrap().kill();
    queue.append(batch(10)).await.unwrap();
    queue.close();
    delivery.ended().await;
    let applied = script.applied();
    assert_eq!(applied, (0..30).collect::<Vec<_>>());
    assert_eq!(counts(&delivery), (30, 0, 0));
    assert_eq!(script.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_a_scrape_lost_is_replaced_without_a_new_record() {
    let script = Script::default().stateful();
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    delivery.current().borrow().clone().unwrap().kill();
    delivery.lost().notify_one();
    sleep(Duration::from_millis(10)).await;
    let current = delivery.current().borrow().clone().unwrap();
    assert_eq!(current.applied(), (0..10).collect::<Vec<_>>());
    delivery.stop();
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_away_at_first_is_told_and_opened_later() {
    let script = Script::default().fail_open(PublishError::Unavailable { reason: "refused".into(), retry_after: None });
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    assert_eq!(delivery.opened().await, Opened::Later("the backend is not available: refused".into()));
    let profile = timeout(Duration::from_secs(1), delivery.profile()).await.unwrap();
    assert!(profile.is_some_and(|profile| !profile.stateful), "who waits for it is told when it is open");
    queue.append(batch(1)).await.unwrap();
    queue.close();
    delivery.ended().await;
    assert_eq!(counts(&delivery), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_config_that_cannot_work_halts_and_its_records_stay() {
    let wrong = PublishError::Misconfigured("hosts[0]: needs a scheme".into());
    let script = Script::default().fail_open(wrong.clone());
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    assert_eq!(delivery.opened().await, Opened::Never(Halt::Unopenable(wrong.clone().into())));
    delivery.ended().await;
    queue.append(batch(1)).await.unwrap();
    sleep(Duration::from_hours(1)).await;
    assert_eq!(queue.fill().records, 1);
    assert_eq!(delivery.status().phase(), Phase::Halted { reason: wrong.to_string() });
    drop(delivery);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.fill().records, 0, "nobody is there any more to hold them");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_missing_or_lies_halts() {
    for (snapshot, words) in [
        (Claim::Nothing, "gives no snapshot"),
        (Claim::Below(99), "the plugin's snapshot holds the records below 99, and it took those below 5"),
        (Claim::Below(0), "the plugin's snapshot holds the records below 0, and it took those below 5"),
        (Claim::Below(4), "the plugin's snapshot holds the records below 4, and it took those below 5"),
    ] {
        let script = Script::default().stateful().snapshot_says(snapshot);
        let (delivery, queue) = deliver(&script, 5).await;
        assert!(halted(&delivery).contains(words), "{}", halted(&delivery));
        assert_eq!(queue.fill().records, 5, "they are in no snapshot");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_backend_gets_several_batches_at_once() {
    let script = Script::default();
    let (_delivery, _queue) = deliver(&script, 40).await;
    assert!(script.opened() > 1, "{}", script.opened());
    let stateful = Script::default().stateful();
    let (_delivery, _queue) = deliver(&stateful, 40).await;
    assert_eq!(stateful.opened(), 1);
    let offsets: Vec<u64> = stateful.calls().into_iter().flat_map(|(offsets, _)| offsets).collect();
    assert!(offsets.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_stopped_leaves_the_rest() {
    let script = Script::default().always(|_| Err(unavailable(None)));
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert!(matches!(delivery.status().phase(), Phase::Waiting { .. }));
    delivery.stop();
    delivery.ended().await;
    assert_eq!(counts(&delivery).0, 0);
}

mod chance;
mod durable;
mod faults;
mod last_words;
mod simulation;
mod swaps;
