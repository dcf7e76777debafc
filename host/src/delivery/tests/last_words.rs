//! Flushes, what they give up, and the end.

use super::*;
use crate::plugin::{Flushed, LateRejection};

fn pending(pending: u64) -> Flushed {
    Flushed { pending, ..Flushed::default() }
}

#[tokio::test(start_paused = true)]
async fn a_flush_comes_before_the_next_batch_however_much_there_is_to_do() {
    let second = Duration::from_secs(1);
    let script = Script::default().instances(1).flushed_every(second).publish_takes(Duration::from_millis(300));
    let (_delivery, _queue) = deliver(&script, 1_000).await;
    assert_eq!(script.calls().len(), 100);
    assert!(script.flushed() >= 24, "{} flushes in 30 s", script.flushed());
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_cannot_take_more_is_flushed_before_it_is_asked_again() {
    let script = Script::default().instances(1).flushed_every(Duration::from_secs(1));
    let script = script.always(|_| Err(unavailable(None)));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    queue.close();
    sleep(Duration::from_mins(5)).await;
    let long = script.pauses().iter().filter(|pause| **pause > Duration::from_millis(1_100)).count();
    assert!(long > 10 && script.flushed() >= long, "{} flushes in {long} long pauses", script.flushed());
    delivery.stop();
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_hangs_holds_up_no_other_instance() {
    let script = Script::default().instances(2).flushed_every(Duration::from_secs(1)).flush_takes(FOR_EVER);
    let script = script.publish_takes(Duration::from_millis(1_500));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    // Both instances are opened; the first comes to hang in its flush, the second is at work till later.
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(700)).await;
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!(script.stored(), (0..20).collect::<Vec<_>>());
    assert_eq!(counts(&delivery), (20, 0, 0), "an answer is heard while a flush hangs");
}

#[tokio::test(start_paused = true)]
async fn an_instance_lost_in_a_flush_is_opened_again_without_a_new_record() {
    let script = Script::default().instances(1).flushed_every(Duration::from_secs(1)).flush(Err(trap()));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    sleep(Duration::from_millis(1_500)).await;
    assert_eq!(script.opened(), 2);
    assert!(delivery.current().borrow().is_some());
    assert_eq!(delivery.status().phase(), Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_traps_in_each_flush_is_opened_with_growing_pauses() {
    let script = Script::default().instances(1).flushed_every(Duration::from_millis(10)).always_flush(Err(trap()));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    sleep(Duration::from_mins(1)).await;
    assert!(script.opened() < 40, "{} opens in a minute", script.opened());
    assert!(matches!(delivery.status().phase(), Phase::Waiting { .. } | Phase::Running));
}

#[tokio::test(start_paused = true)]
async fn what_the_plugin_still_holds_is_flushed_to_the_end() {
    let script = Script::default().instances(1).flush(Ok(pending(7))).flush(Ok(pending(3)));
    let (delivery, _queue) = deliver(&script, 10).await;
    assert_eq!((script.flushed(), script.closed()), (3, 1));
    assert_eq!((delivery.status().phase(), delivery.status().counts().pending), (Phase::Done, 0));
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_breaks_in_its_last_flush_or_close_is_not_called_done() {
    for script in [
        Script::default().instances(1).always_flush(Err(trap())),
        Script::default().instances(1).always_close(Err(trap())),
        Script::default().stateful().always_flush(Err(trap())),
        Script::default().stateful().always_close(Err(trap())),
    ] {
        let began = Instant::now();
        let (delivery, _queue) = deliver(&script, 5).await;
        let reason = halted(&delivery);
        assert!(reason.starts_with("the last of it could not be sent, 5 tries failed"), "{reason}");
        assert_eq!((script.opened(), script.closed()), (5, 0));
        assert!(began.elapsed() > Duration::from_millis(10), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_cut_short_is_not_called_done() {
    let script = Script::default().instances(1).always_close(Err(unavailable(None)));
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(5)).await.unwrap();
    queue.close();
    sleep(Duration::from_mins(10)).await;
    assert!(!delivery.has_ended(), "while the backend is away it is tried on");
    delivery.stop();
    delivery.ended().await;
    assert!(matches!(delivery.status().phase(), Phase::Waiting { .. }));
}

#[tokio::test(start_paused = true)]
async fn nobody_scrapes_what_is_closed() {
    let script = Script::default().instances(1).always_close(Err(unavailable(None)));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    sleep(Duration::from_secs(1)).await;
    assert!(delivery.current().borrow().is_some());
    queue.close();
    sleep(Duration::from_secs(1)).await;
    assert!(delivery.current().borrow().is_none(), "it is not closed yet, and hidden already");
}

#[tokio::test(start_paused = true)]
async fn late_rejections_are_believed_only_of_records_that_were_handed_over() {
    let queue = Queue::in_memory(1 << 20);
    let mut reader = queue.reader();
    let script = Script::default().instances(1);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(3)).await.unwrap();
    let epoch = reader.next().await.unwrap().batch.epoch().to_owned();
    let late = |epoch: &str, offset| LateRejection {
        epoch: epoch.to_owned(),
        offset,
        leg: String::new(),
        reason: "too old".into(),
    };
    let rejected = vec![late(&epoch, 0), late(&epoch, 3), late("another", 1)];
    let script = script.flush(Ok(Flushed { rejected, ..Flushed::default() }));
    queue.close();
    delivery.ended().await;
    assert_eq!(counts(&delivery), (2, 1, 0));
    assert_eq!(delivery.status().rejections().by_reason["too old"].0, 1);
    assert_eq!(script.flushed(), 1);
}

#[test]
fn no_more_is_rejected_late_than_was_accepted() {
    let status = Status::new("p");
    status.accept(1);
    let late = LateRejection { epoch: "e".into(), offset: 0, leg: "logs".into(), reason: "too old".into() };
    status.reject_late(&late, "late");
    status.reject_late(&late, "late");
    assert_eq!((status.counts().accepted, status.counts().rejected), (0, 1));
}

#[test]
fn a_record_that_is_shown_with_its_reason_is_cut() {
    let status = Status::new("p");
    let name = "e".repeat(100_000);
    let event = metricast_records::EventMetrics { event_name: name, ..Default::default() };
    let mut builder = metricast_records::BatchBuilder::new();
    builder.push(&metricast_records::MetricsRef::Event(event.as_ref()), 1.0).unwrap();
    status.reject(&builder.finish().record(0), "too long");
    assert!(status.rejections().by_reason["too long"].1.len() <= 2 << 10);
}
