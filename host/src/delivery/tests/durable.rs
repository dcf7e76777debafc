//! A delivery whose queue is kept: what lasts, and what goes on after a crash.

use super::scripted::rejected;
use super::*;
use crate::plugin::{Flushed, LateRejection};
use crate::queue::backing::Backing as _;
use crate::queue::forgetful::{Forgetful, Fuse, Medium, Mood};
use crate::queue::{Start, WhenBehind};

fn open(medium: &Medium) -> (Forgetful, Queue) {
    Forgetful::open(medium, Mood::good(), Fuse::none(), 1 << 20)
}

async fn start_kept(script: &Script, queue: &Queue) -> Delivery<Script> {
    let reader = queue.reader_of("p", WhenBehind::Block, Start::Now).await.unwrap();
    Delivery::start_on("p", script.clone(), reader, settings(), |leg| tokio::spawn(leg))
}

fn cursor(medium: &Medium) -> u64 {
    medium.publisher("p").unwrap().cursor.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_kept_is_tried_again_and_not_without_a_pause() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful();
    let delivery = start_kept(&script, &queue).await;
    delivery.opened().await;
    sleep(Duration::from_secs(1)).await;
    kept.set_mood(Mood { bad_appends: 0, ..Mood::bad() });
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    // While its backend is away it gives no snapshot, and what was not kept is not asked for either.
    let away = script.always(|_| Err(unavailable(None)));
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(10)).await;
    assert_eq!((cursor(&medium), delivery.status().unkept().is_some()), (0, true));
    kept.set_mood(Mood::good());
    let _script = away.always(|batch| Ok(all(batch)));
    sleep(Duration::from_mins(1)).await;
    assert_eq!((cursor(&medium), delivery.status().unkept()), (10, None));
}

#[tokio::test(start_paused = true)]
async fn a_state_goes_on_after_a_start_where_the_last_records_were_rejected() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful().then(|batch| Ok(all(batch))).always(|batch| Ok(rejected(batch)));
    let delivery = start_kept(&script, &queue).await;
    for _ in 0..2 {
        queue.append(batch(5)).await.unwrap();
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!((cursor(&medium), medium.state("p").unwrap().next_offset), (10, 5));
    kept.crash();
    drop(delivery);
    let (_kept, queue) = open(&medium);
    let delivery = start_kept(&script, &queue).await;
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!((cursor(&medium), delivery.status().phase()), (15, Phase::Running));
    assert_eq!(medium.letters().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_kept_with_the_cursor_that_moves_over_its_record() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    // The first batch hangs, and the second is rejected.
    let script = Script::default().instances(2).then(|_| Err(unavailable(Some(Duration::from_mins(1)))));
    let delivery = start_kept(&script.always(|batch| Ok(rejected(batch))), &queue).await;
    let mut stateful = Script::default().stateful().then(|batch| Ok(rejected(batch)));
    stateful = stateful.always(|_| Err(trap()));
    delivery.opened().await;
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_secs(20)).await;
    assert_eq!((cursor(&medium), medium.letters().len()), (0, 0));
    sleep(Duration::from_mins(1)).await;
    assert_eq!((cursor(&medium), medium.letters().len()), (20, 20));
    kept.crash();
    drop(delivery);
    let (_kept, queue) = open(&medium);
    let _delivery = start_kept(&stateful, &queue).await;
    queue.append(batch(2)).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(medium.letters().len(), 20, "they are in no snapshot yet");
    queue.append(batch(1)).await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!((cursor(&medium), medium.letters().len()), (23, 23));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_late_is_kept_without_another_record() {
    for stateful in [false, true] {
        let medium = Medium::default();
        let (kept, queue) = open(&medium);
        let script = Script::default().instances(1).flushed_every(Duration::from_secs(10));
        let script = if stateful { script.stateful() } else { script };
        let delivery = start_kept(&script, &queue).await;
        delivery.opened().await;
        queue.append(batch(5)).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        let offset = cursor(&medium) - 2;
        let late =
            LateRejection { epoch: kept.epoch().to_string(), offset, leg: String::new(), reason: "too old".into() };
        let script = script.flush(Ok(Flushed { rejected: vec![late], ..Flushed::default() }));
        sleep(Duration::from_secs(6)).await;
        assert_eq!((medium.letters().len(), script.flushed()), (1, 1), "stateful: {stateful}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_keeps_a_plugin_from_sending_is_told_till_it_is_sent() {
    let held = |reason: &str| Ok(Flushed { pending: 3, reason: reason.into(), ..Flushed::default() });
    let script = Script::default().instances(1).flushed_every(Duration::from_secs(10)).always_flush(held("HTTP 503"));
    let queue = Queue::in_memory(1 << 20);
    let delivery = start(&script, &queue, settings());
    sleep(Duration::from_secs(11)).await;
    let waiting = Phase::Waiting { reason: "HTTP 503".into() };
    assert_eq!(delivery.status().phase(), waiting);
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!((script.stored().len(), delivery.status().phase()), (5, waiting), "it takes records, and sends none");
    let _script = script.always_flush(held(""));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(delivery.status().phase(), Phase::Running, "they are only not yet sent");
}

#[tokio::test(start_paused = true)]
async fn a_state_gives_up_nothing_that_may_have_been_seen() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful();
    let delivery = start_kept(&script, &queue).await;
    delivery.opened().await;
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!((script.applied().len(), cursor(&medium)), (10, 0), "they are seen, and in no state that lasts");
    kept.crash();
    drop(delivery);
    let (_kept, queue) = open(&medium);
    let away = || PublishError::Unavailable { reason: "connection refused".into(), retry_after: None };
    let script = (0..20).fold(Script::default().stateful(), |script, _| script.fail_open(away()));
    let mut settings = settings();
    settings.retry.give_up_after = Some(Duration::ZERO);
    let reader = queue.reader_of("p", WhenBehind::Block, Start::Now).await.unwrap();
    let delivery = Delivery::start_on("p", script.clone(), reader, settings, |leg| tokio::spawn(leg));
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(10)).await;
    let counts = delivery.status().counts();
    assert_eq!((counts.accepted, counts.given_up), (15, 0));
    assert_eq!((cursor(&medium), medium.letters().len()), (15, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_kept_state_gives_up_before_it_is_open_is_kept() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful();
    let mut delivery = start_kept(&script, &queue).await;
    queue.append(batch(5)).await.unwrap();
    queue.close();
    delivery.ended().await;
    kept.end();
    drop(delivery);
    let (_kept, queue) = open(&medium);
    let away = || PublishError::Unavailable { reason: "connection refused".into(), retry_after: None };
    let script = (0..1_000).fold(Script::default().stateful(), |script, _| script.fail_open(away()));
    let mut settings = settings();
    settings.retry.give_up_after = Some(Duration::ZERO);
    let reader = queue.reader_of("p", WhenBehind::Block, Start::Now).await.unwrap();
    let delivery = Delivery::start_on("p", script, reader, settings, |leg| tokio::spawn(leg));
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(1)).await;
    assert_eq!((delivery.status().counts().given_up, medium.letters().len(), cursor(&medium)), (5, 5, 10));
    assert!(!delivery.is_open());
}
