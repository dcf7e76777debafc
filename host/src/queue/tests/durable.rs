//! A queue whose keeper is synced, fails and forgets.

use super::super::backing::Effects;
use super::super::forgetful::{Forgetful, Fuse, Medium, Mood};
use super::super::note::{Again, Note};
use super::super::{Entry, Reader, Start, WhenBehind};
use super::*;

const PATIENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_hours(1);

/// Opens a medium that fails in nothing.
pub(super) fn open(medium: &Medium) -> (Forgetful, Queue) {
    Forgetful::open(medium, Mood::good(), Fuse::none(), 1 << 20)
}

pub(super) async fn reader(queue: &Queue, name: &str, start: Start) -> Reader {
    queue.reader_of(name, WhenBehind::Block, start).await.unwrap()
}

pub(super) async fn commit(reader: &Reader, cursor: u64) {
    reader.committer().commit(Effects { cursor, ..Effects::default() }).await.unwrap();
}

/// Where the next entry begins and ends, and the offsets in it.
async fn next(reader: &mut Reader) -> (u64, u64, Vec<u64>) {
    let Entry { batch, first, next, .. } = tokio::time::timeout(PATIENCE, reader.next()).await.unwrap().unwrap();
    (first, next, batch.offsets().to_vec())
}

async fn has_nothing(reader: &mut Reader) -> bool {
    tokio::time::timeout(PATIENCE, reader.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_in_the_queue_when_it_is_synced_and_nobody_reads_it_before() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    kept.set_mood(Mood::slow(LONG));
    let mut reader = reader(&queue, "p", Start::Now).await;
    let appending = tokio::spawn({
        let queue = queue.clone();
        async move { queue.append(batch(3)).await }
    });
    assert!(has_nothing(&mut reader).await);
    assert_eq!((queue.appended(), appending.is_finished()), (0, false));
    appending.await.unwrap().unwrap();
    assert_eq!((medium.next(), next(&mut reader).await), (3, (0, 3, vec![0, 1, 2])));
}

#[tokio::test(start_paused = true)]
async fn a_start_goes_on_at_the_synced_cursor_with_an_epoch_of_its_own() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let mut reader_before = reader(&queue, "p", Start::Now).await;
    for _ in 0..3 {
        queue.append(batch(2)).await.unwrap();
    }
    let epoch = reader_before.next().await.unwrap().batch.epoch().to_owned();
    commit(&reader_before, 2).await;
    reader_before.release(4);
    kept.crash();
    let (_kept, queue) = open(&medium);
    let mut reader = reader(&queue, "p", Start::Now).await;
    queue.append(batch(1)).await.unwrap();
    assert_eq!((reader.backlog(), reader.lag()), (2..6, 5));
    let old = reader.next().await.unwrap();
    assert_eq!((old.first, old.batch.epoch()), (2, epoch.as_str()));
    assert_eq!(next(&mut reader).await, (4, 6, vec![4, 5]));
    let new = reader.next().await.unwrap();
    assert_eq!((new.first, new.next), (6, 7));
    assert_ne!(new.batch.epoch(), epoch);
}

#[tokio::test(start_paused = true)]
async fn a_crash_takes_what_was_not_synced_and_nothing_else() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let reader_before = reader(&queue, "p", Start::Now).await;
    queue.append(batch(2)).await.unwrap();
    commit(&reader_before, 1).await;
    kept.set_mood(Mood::slow(LONG));
    let (late, cursor) = (queue.clone(), reader_before.committer());
    tokio::spawn(async move { late.append(batch(2)).await });
    tokio::spawn(async move { cursor.commit(Effects { cursor: 2, ..Effects::default() }).await });
    kept.crash();
    tokio::time::sleep(PATIENCE).await;
    let (_kept, queue) = open(&medium);
    let reader = reader(&queue, "p", Start::Now).await;
    assert_eq!((queue.appended(), reader.backlog()), (2, 1..2));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room_and_a_failed_one_needs_a_start() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    kept.set_mood(Mood::bad());
    for _ in 0..5 {
        let refused = queue.append(batch(2)).await;
        assert!(matches!(refused, Err(AppendError::Unkept(_))), "{refused:?}");
    }
    kept.set_mood(Mood::good());
    queue.append(batch(2)).await.unwrap();
    assert_eq!(queue.0.lock().under_way, 0, "what was refused holds no room");
    kept.set_mood(Mood { for_good: 1_000, ..Mood::bad() });
    assert!(matches!(queue.append(batch(2)).await, Err(AppendError::Broken(_))));
    kept.set_mood(Mood::good());
    assert!(matches!(queue.append(batch(2)).await, Err(AppendError::Broken(_))));
    kept.crash();
    let (_kept, queue) = open(&medium);
    queue.append(batch(1)).await.unwrap();
    assert!(queue.appended() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_publisher_begins_with_the_next_record_or_the_oldest_that_is_there() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let old = reader(&queue, "old", Start::Now).await;
    queue.append(batch(2)).await.unwrap();
    queue.append(batch(2)).await.unwrap();
    commit(&old, 4).await;
    let (now, oldest) = (reader(&queue, "now", Start::Now).await, reader(&queue, "oldest", Start::Oldest).await);
    assert_eq!((now.backlog(), oldest.backlog()), (4..4, medium.first()..4));
    assert_eq!(medium.first(), 0, "its part of the log has not gone yet");
    tokio::time::sleep(PATIENCE).await;
    kept.crash();
    let (_kept, queue) = open(&medium);
    let again = reader(&queue, "now", Start::Oldest).await;
    assert_eq!(again.backlog(), 4..4, "it is known now");
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_reads_from_the_log_what_memory_does_not_have() {
    let medium = Medium::default();
    let (_kept, queue) = open(&medium);
    let (mut quick, mut slow) = (reader(&queue, "quick", Start::Now).await, reader(&queue, "slow", Start::Now).await);
    for _ in 0..4 {
        queue.append(batch(2)).await.unwrap();
    }
    // As when there is more than the window holds.
    queue.0.lock().forget_window();
    for reader in [&mut quick, &mut slow] {
        for first in [0, 2, 4, 6] {
            assert_eq!(next(reader).await, (first, first + 2, vec![first, first + 1]));
        }
    }
    queue.append(batch(1)).await.unwrap();
    assert_eq!(next(&mut quick).await, (8, 9, vec![8]));
    assert_eq!(next(&mut slow).await, (8, 9, vec![8]));
    assert_eq!(queue.0.lock().window_bytes, 0, "all have read it");
}

#[tokio::test(start_paused = true)]
async fn what_is_addressed_reaches_its_publisher_only_and_what_comes_again_keeps_its_name() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let (a, b) = (reader(&queue, "a", Start::Now).await, reader(&queue, "b", Start::Now).await);
    let again = Again { epoch: [7; 12], base: 90 };
    let note = Note { addressed: Some("b".into()), again: Some(again), ..Note::default() };
    queue.append_noted(batch(2), note, PATIENCE).await.unwrap();
    queue.append(batch(1)).await.unwrap();
    let check = async |mut a: Reader, mut b: Reader| {
        assert_eq!(next(&mut a).await, (0, 2, vec![]));
        assert_eq!(next(&mut a).await, (2, 3, vec![2]));
        let entry = b.next().await.unwrap();
        assert_eq!((entry.first, entry.next, entry.again), (0, 2, true));
        assert_eq!((entry.batch.offsets(), entry.batch.epoch()), (&[90, 91][..], "07".repeat(12).as_str()));
        assert_eq!(next(&mut b).await, (2, 3, vec![2]));
    };
    queue.0.lock().forget_window();
    check(a, b).await;
    kept.crash();
    let (_kept, queue) = open(&medium);
    check(reader(&queue, "a", Start::Now).await, reader(&queue, "b", Start::Now).await).await;
}

#[tokio::test(start_paused = true)]
async fn damage_costs_the_records_that_it_hit_and_they_are_counted() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let _reader = reader(&queue, "p", Start::Now).await;
    for _ in 0..3 {
        queue.append(batch(2)).await.unwrap();
    }
    medium.damage(2);
    kept.crash();
    let (_kept, queue) = open(&medium);
    let mut reader = reader(&queue, "p", Start::Now).await;
    assert_eq!(next(&mut reader).await, (0, 2, vec![0, 1]));
    assert_eq!(next(&mut reader).await, (2, 4, vec![]));
    assert_eq!(next(&mut reader).await, (4, 6, vec![4, 5]));
    assert_eq!(queue.lost(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_gone_is_told_and_new_records_arrive() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let (ahead, _behind) = (reader(&queue, "ahead", Start::Now).await, reader(&queue, "behind", Start::Now).await);
    for _ in 0..3 {
        queue.append(batch(2)).await.unwrap();
    }
    commit(&ahead, 6).await;
    kept.crash();
    medium.lose_the_log();
    let (_kept, queue) = open(&medium);
    assert_eq!(queue.appended(), 6, "no offset comes twice");
    let mut behind = reader(&queue, "behind", Start::Now).await;
    assert_eq!(next(&mut behind).await, (0, 6, vec![]));
    assert_eq!(queue.lost(), 6);
    queue.append(batch(1)).await.unwrap();
    assert_eq!(next(&mut behind).await, (6, 7, vec![6]));
}

#[tokio::test(start_paused = true)]
async fn a_start_in_the_middle_of_an_entry_gives_the_rest_of_it() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let before = reader(&queue, "p", Start::Now).await;
    queue.append(batch(5)).await.unwrap();
    commit(&before, 3).await;
    let mut from_memory = reader(&queue, "p", Start::Now).await;
    assert_eq!(next(&mut from_memory).await, (3, 5, vec![3, 4]));
    kept.crash();
    let (_kept, queue) = open(&medium);
    assert_eq!(next(&mut reader(&queue, "p", Start::Now).await).await, (3, 5, vec![3, 4]));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_never_goes_back() {
    let medium = Medium::default();
    let (_kept, queue) = open(&medium);
    let reader = reader(&queue, "p", Start::Now).await;
    queue.append(batch(5)).await.unwrap();
    for (asked, kept) in [(3, 3), (1, 3), (0, 3), (5, 5)] {
        commit(&reader, asked).await;
        assert_eq!(medium.publisher("p").unwrap().cursor, Some(kept));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_does_not_go_back_behind_a_commit_that_is_under_way() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let reader = reader(&queue, "p", Start::Now).await;
    queue.append(batch(5)).await.unwrap();
    kept.set_mood(Mood::slow(PATIENCE));
    let committer = reader.committer();
    let skip = Effects { skipped: vec![4], ..Effects::default() };
    let (moved, skipped) =
        tokio::join!(committer.commit(Effects { cursor: 3, ..Effects::default() }), committer.commit(skip));
    assert!(moved.is_ok() && skipped.is_ok());
    let row = medium.publisher("p").unwrap();
    assert_eq!((row.cursor, row.skipped), (Some(3), vec![4]));
}

#[tokio::test(start_paused = true)]
async fn the_log_goes_only_below_the_synced_cursors_of_all_who_are_known() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let (here, gone) = (reader(&queue, "here", Start::Now).await, reader(&queue, "gone", Start::Now).await);
    for _ in 0..200 {
        queue.append(batch(2)).await.unwrap();
    }
    here.release(400);
    gone.release(400);
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(medium.first(), 0, "nothing is synced");
    commit(&here, 400).await;
    commit(&gone, 100).await;
    drop(gone);
    tokio::time::sleep(PATIENCE).await;
    let first = medium.first();
    assert!(first > 0 && first <= 100, "{first}");
    kept.crash();
    let (_kept, queue) = open(&medium);
    let here = reader(&queue, "here", Start::Now).await;
    queue.append(batch(1)).await.unwrap();
    commit(&here, 401).await;
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(medium.first(), first, "one that is known and absent holds it");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_after_its_successor_came_holds_nothing() {
    let medium = Medium::default();
    let (_kept, queue) = open(&medium);
    let before = reader(&queue, "p", Start::Now).await;
    let after = reader(&queue, "p", Start::Now).await;
    for _ in 0..200 {
        queue.append(batch(2)).await.unwrap();
    }
    drop(before);
    commit(&after, 400).await;
    tokio::time::sleep(PATIENCE).await;
    assert!(medium.first() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_publisher_is_known_before_any_record_is_acknowledged_to_it() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    kept.set_mood(Mood::bad());
    let refused = queue.reader_of("p", WhenBehind::Block, Start::Now).await;
    assert!(refused.is_err(), "a publisher that would be unknown after a crash would miss what came before it");
}
