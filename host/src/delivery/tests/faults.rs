//! What a delivery does when calls fail, hang or lie.

use super::*;

fn internal() -> CallError {
    PublishError::Internal("the response makes no sense".into()).into()
}

fn misconfigured() -> CallError {
    PublishError::Misconfigured("the stream is not ours".into()).into()
}

#[tokio::test(start_paused = true)]
async fn time_that_runs_out_is_never_held_against_records() {
    for stateful in [false, true] {
        let script = (0..30).fold(Script::default(), |script, _| script.then(|_| Err(timed_out())));
        let script = if stateful { script.stateful() } else { script };
        let (delivery, _queue) = deliver(&script, 10).await;
        assert_eq!(counts(&delivery), (10, 0, 300), "stateful: {stateful}");
        assert!(script.calls().iter().all(|(offsets, _)| offsets.len() == 10), "a batch that hangs stays whole");
        assert!(script.calls().iter().skip(1).all(|(_, redelivered)| *redelivered), "its outcome is in doubt");
        assert!(script.pauses().iter().sum::<Duration>() > Duration::from_secs(30), "{:?}", script.pauses());
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_longer_than_the_age_limit_has_its_records_given_up() {
    let script = Script::default().always(|_| Err(timed_out()));
    let mut settings = settings();
    settings.retry.give_up_after = Some(Duration::ZERO);
    let (delivery, _queue) = deliver_with(&script, 5, settings).await;
    assert_eq!((counts(&delivery), delivery.status().counts().given_up), ((0, 0, 0), 5));
}

#[tokio::test(start_paused = true)]
async fn a_sick_cluster_is_asked_with_pauses_and_costs_no_instance() {
    let mut calls = 0;
    let script = Script::default().instances(1).always(move |batch| {
        calls += 1;
        if calls <= 12 { Err(internal()) } else { Ok(all(batch)) }
    });
    let (delivery, _queue) = deliver(&script, 10).await;
    assert_eq!((counts(&delivery).0, counts(&delivery).1), (10, 0));
    assert_eq!(script.opened(), 1, "an instance that answers is kept");
    let whole = script.calls().iter().take_while(|(offsets, _)| offsets.len() == 10).count();
    assert_eq!(whole, 8, "a batch is tried often before it is suspected");
    let failed = &script.pauses()[..12];
    assert!(failed.iter().all(|pause| !pause.is_zero()), "{failed:?}");
    assert!(failed.iter().sum::<Duration>() > Duration::from_secs(3), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_fails_at_every_record_is_bounded_and_never_hurried() {
    let script = Script::default().instances(1).always(|_| Err(internal()));
    let (delivery, _queue) = deliver(&script, 4).await;
    assert_eq!(counts(&delivery).1, 4);
    assert_eq!(script.calls().len(), 8 + 2 + 4 * 8);
    assert!(script.pauses().iter().all(|pause| !pause.is_zero()), "{:?}", script.pauses());
}

#[tokio::test(start_paused = true)]
async fn once_its_records_are_rejected_nothing_is_waited_for() {
    let rejected = || PublishError::Rejected("no such tenant".into()).into();
    let after_a_pause = Script::default().instances(1).then(|_| Err(unavailable(None))).then(move |_| Err(rejected()));
    let poison = Script::default().instances(1).always(|_| Err(internal()));
    for script in [after_a_pause, poison] {
        let queue = Queue::in_memory(1 << 20);
        let delivery = start(&script, &queue, settings());
        queue.append(batch(1)).await.unwrap();
        sleep(Duration::from_mins(5)).await;
        assert_eq!((counts(&delivery).1, delivery.status().phase()), (1, Phase::Running));
    }
}

#[tokio::test(start_paused = true)]
async fn halves_of_a_batch_that_traps_are_sent_with_pauses() {
    let script = Script::default().instances(1).always(|_| Err(trap()));
    let (delivery, _queue) = deliver(&script, 8).await;
    assert_eq!(counts(&delivery).1, 8);
    assert!(script.pauses().iter().all(|pause| !pause.is_zero()), "{:?}", script.pauses());
}

#[tokio::test(start_paused = true)]
async fn what_is_found_wrong_after_a_good_open_is_tried_again_slowly_and_loses_nothing() {
    let script = Script::default().instances(1).then(|_| Err(misconfigured())).then(|_| Err(misconfigured()));
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    assert_eq!(delivery.status().phase(), Phase::Waiting { reason: "the stream is not ours".into() });
    assert_eq!(queue.fill().records, 5);
    queue.close();
    delivery.ended().await;
    assert_eq!(counts(&delivery), (5, 0, 10));
    assert!(script.pauses().iter().all(|pause| *pause >= Duration::from_secs(5)), "{:?}", script.pauses());
}

#[tokio::test(start_paused = true)]
async fn a_config_that_is_refused_only_when_the_backend_is_there_may_be_put_right() {
    let script = Script::default().fail_open(unavailable(None)).fail_open(misconfigured());
    let (delivery, _queue) = deliver(&script, 5).await;
    assert_eq!((counts(&delivery), delivery.status().phase()), ((5, 0, 0), Phase::Done));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_delivery_is_told_at_once_and_its_records_stay() {
    let script = Script::default().instances(1).then(|_| panic!("as a bug would"));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(halted(&delivery).ends_with("as a bug would"), "{}", halted(&delivery));
    assert_eq!(queue.fill().records, 5);
    assert!(delivery.current().borrow().is_none(), "a page that does not move is not shown");
}

#[tokio::test(start_paused = true)]
async fn records_held_back_for_a_fuller_batch_do_not_keep_the_queue_full() {
    let script = Script::default();
    let queue = Queue::in_memory(batch(5).byte_len());
    let mut settings = settings();
    settings.batching.max_age = FOR_EVER;
    let delivery = start(&script, &queue, settings);
    for _ in 0..3 {
        queue.append_within(batch(5), Duration::from_secs(1)).await.unwrap();
    }
    drop(delivery);
    assert_eq!(script.stored(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_halted_delivery_fills_the_queue() {
    let script = Script::default().stateful().snapshot_says(Claim::Nothing);
    let queue = Queue::in_memory(batch(5).byte_len() * 2);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert!(halted(&delivery).contains("gives no snapshot"));
    queue.append(batch(5)).await.unwrap();
    let full = queue.append_within(batch(5), Duration::from_secs(1)).await;
    assert_eq!(full, Err(crate::queue::AppendError::Full));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_each_time_halts_with_its_fault_and_the_cursor_stays() {
    let script = Script::default().stateful().snapshots_fail(&trap(), 1_000);
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(matches!(delivery.status().phase(), Phase::Waiting { .. } | Phase::Running));
    sleep(Duration::from_mins(2)).await;
    assert!(halted(&delivery).contains("cannot be saved, 5 tries failed: the plugin trapped: unreachable"));
    assert_eq!(queue.fill().records, 10);
    assert!(script.opened() <= 6, "{}", script.opened());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_fails_now_and_then_does_not_halt() {
    let script = Script::default().stateful().snapshots_fail(&trap(), 4);
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!((queue.fill().records, delivery.status().phase()), (0, Phase::Running));
    assert_eq!(script.applied(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_instance_lost_in_a_snapshot_is_opened_again_without_a_new_record() {
    let script = Script::default().stateful().snapshots_fail(&trap(), 1);
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(script.opened(), 2);
    let current = delivery.current().borrow().clone().expect("scrapes are answered again");
    assert_eq!(current.applied(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_trap_at_each_replay_halts_and_names_the_records() {
    let script = Script::default().stateful();
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let script = script.always(|_| Err(trap()));
    script.latest().kill();
    delivery.lost().notify_one();
    sleep(Duration::from_mins(5)).await;
    let reason = halted(&delivery);
    assert!(reason.contains("5 tries failed, repeating the records 0 to 9, which it had taken"), "{reason}");
    assert_eq!((queue.fill().records, script.calls().len()), (10, 1 + 5));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_runs_out_of_time_is_tried_on() {
    let script = Script::default().stateful();
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let script = (0..20).fold(script, |script, _| script.then(|_| Err(timed_out())));
    script.latest().kill();
    delivery.lost().notify_one();
    sleep(Duration::from_mins(10)).await;
    assert_eq!((queue.fill().records, delivery.status().phase()), (0, Phase::Running));
    assert_eq!(script.applied(), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_gone_each_time_is_asked_with_pauses() {
    let script = (0..20).fold(Script::default(), |script, _| script.then(|_| Err(crate::plugin::Fault::Gone.into())));
    let (delivery, _queue) = deliver(&script, 5).await;
    assert_eq!((counts(&delivery).0, counts(&delivery).1), (5, 0));
    assert!(script.pauses().iter().sum::<Duration>() > Duration::from_secs(15), "{:?}", script.pauses());
}

#[tokio::test(start_paused = true)]
async fn times_and_sizes_beyond_reason_are_no_trouble() {
    let script = Script::default().then(|_| Err(unavailable(Some(Duration::MAX))));
    let mut settings = settings();
    settings.batching = Batching { max_records: usize::MAX, max_bytes: usize::MAX, max_age: Duration::MAX };
    settings.retry = Retry { initial: Duration::MAX, max: Duration::MAX, give_up_after: Some(Duration::MAX) };
    settings.max_unsaved = usize::MAX;
    let (delivery, _queue) = deliver_with(&script, 5, settings).await;
    assert_eq!(counts(&delivery).0, 5);
}
