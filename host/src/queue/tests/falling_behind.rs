//! Publishers that hold a full queue back.

use super::super::backing::{Effects, Handed};
use super::super::forgetful::{Forgetful, Fuse, Medium, Mood};
use super::super::{Reader, Start, WhenBehind};
use super::durable::{commit, open};
use super::*;

/// Two parts of the log.
const SMALL: usize = 4_000;
const PATIENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_hours(1);

fn small(medium: &Medium) -> (Forgetful, Queue) {
    Forgetful::open(medium, Mood::good(), Fuse::none(), SMALL)
}

async fn dropping(queue: &Queue, name: &str) -> Reader {
    queue.reader_of(name, WhenBehind::DropOldest, Start::Now).await.unwrap()
}

fn dropped(queue: &Queue, publisher: &str) -> u64 {
    queue.standings().iter().find(|standing| standing.publisher == publisher).unwrap().dropped
}

/// Appends until there is no more room, or often; says how often.
async fn fill(queue: &Queue) -> u64 {
    for times in 0..200 {
        if queue.append_within(batch(2), PATIENCE).await.is_err() {
            return times;
        }
    }
    200
}

#[tokio::test(start_paused = true)]
async fn one_that_may_drop_lets_a_full_queue_go_on_and_its_loss_is_counted_and_kept() {
    let medium = Medium::default();
    let (kept, queue) = small(&medium);
    let mut reader = dropping(&queue, "p").await;
    assert_eq!(fill(&queue).await, 200);
    let dropped = dropped(&queue, "p");
    let entry = reader.next().await.unwrap();
    assert_eq!((entry.first, reader.lag()), (dropped, 400 - dropped));
    assert!(dropped > 300, "{dropped}");
    tokio::time::sleep(PATIENCE).await;
    let row = medium.publisher("p").unwrap();
    assert_eq!((row.dropped, row.cursor), (dropped, Some(dropped)));
    kept.crash();
    assert_eq!(dropping(&open(&medium).1, "p").await.backlog(), dropped..400);
}

#[tokio::test(start_paused = true)]
async fn nobody_drops_what_another_needs_who_may_not() {
    let medium = Medium::default();
    let (_kept, queue) = small(&medium);
    let _reader = dropping(&queue, "p").await;
    let strict = queue.reader_of("strict", WhenBehind::Block, Start::Now).await.unwrap();
    let held = fill(&queue).await;
    assert!(held < 200);
    assert_eq!(dropped(&queue, "p"), 0);
    commit(&strict, held * 2).await;
    assert!(fill(&queue).await > 0, "now it may");
    assert!(dropped(&queue, "p") > 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_drops_what_an_absent_one_needs() {
    let medium = Medium::default();
    let (_kept, queue) = small(&medium);
    let _reader = dropping(&queue, "p").await;
    drop(dropping(&queue, "absent").await);
    assert!(fill(&queue).await < 200);
    assert_eq!(dropped(&queue, "p"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_state_is_moved_on_only_when_it_has_all_that_was_read() {
    let medium = Medium::default();
    let (_kept, queue) = small(&medium);
    let mut reader = dropping(&queue, "p").await;
    reader.is_stateful(true);
    queue.append(batch(2)).await.unwrap();
    assert_eq!(reader.next().await.unwrap().next, 2);
    assert!(fill(&queue).await < 200, "records 0 and 1 are in a state that is not kept");
    commit(&reader, 2).await;
    assert!(fill(&queue).await > 0);
    assert!(dropped(&queue, "p") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_drop_that_cannot_be_kept_is_tried_again_and_counted_once() {
    let medium = Medium::default();
    let (kept, queue) = small(&medium);
    let _reader = dropping(&queue, "p").await;
    let all_fails = Mood { bad_appends: 0, ..Mood::bad() };
    kept.set_mood(all_fails);
    assert!(fill(&queue).await < 200, "what is not kept makes no room");
    assert!(dropped(&queue, "p") > 0);
    kept.set_mood(Mood::good());
    assert_eq!(fill(&queue).await, 200);
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(medium.publisher("p").unwrap().dropped, dropped(&queue, "p"));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_beyond_a_drop_is_not_kept_without_its_count() {
    let medium = Medium::default();
    let (kept, queue) = small(&medium);
    let reader = dropping(&queue, "p").await;
    kept.set_mood(Mood { bad_appends: 0, ..Mood::bad() });
    fill(&queue).await;
    let count = dropped(&queue, "p");
    assert!(count > 0 && medium.publisher("p").unwrap().dropped == 0, "no commit went well");
    kept.set_mood(Mood::good());
    commit(&reader, count + 1).await;
    let row = medium.publisher("p").unwrap();
    assert_eq!((row.dropped, row.cursor), (count, Some(count + 1)));
}

#[tokio::test(start_paused = true)]
async fn a_queue_in_memory_drops_too() {
    let queue = Queue::in_memory(batch(2).byte_len() * 2);
    let mut reader = dropping(&queue, "p").await;
    assert_eq!(fill(&queue).await, 200);
    assert_eq!((reader.next().await.unwrap().first, dropped(&queue, "p")), (396, 396));
}

#[tokio::test(start_paused = true)]
async fn what_a_state_may_have_shown_before_a_crash_is_not_dropped_after_it() {
    let medium = Medium::default();
    let (kept, queue) = small(&medium);
    let before = dropping(&queue, "p").await;
    before.committer().begin("counter@1.0.0", Handed::Shown).await.unwrap();
    queue.append(batch(2)).await.unwrap();
    kept.crash();
    let (_kept, queue) = small(&medium);
    let reader = dropping(&queue, "p").await;
    assert!(fill(&queue).await < 200);
    assert_eq!(dropped(&queue, "p"), 0);
    commit(&reader, 2).await;
    assert!(fill(&queue).await > 0);
    assert!(dropped(&queue, "p") > 0);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_follows_a_drop_does_not_take_its_cursor_back() {
    let medium = Medium::default();
    let (kept, queue) = small(&medium);
    let reader = dropping(&queue, "p").await;
    while medium.boundaries().len() < 2 {
        queue.append(batch(2)).await.unwrap();
    }
    kept.set_mood(Mood::slow(LONG));
    let filling = tokio::spawn({
        let queue = queue.clone();
        async move { fill(&queue).await }
    });
    let committer = reader.committer();
    while dropped(&queue, "p") == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The drop is not synced yet; a receipt for older records comes in.
    committer.commit(Effects { cursor: 1, ..Effects::default() }).await.unwrap();
    assert!(medium.publisher("p").unwrap().cursor >= Some(dropped(&queue, "p")));
    filling.abort();
}
