use metricast_records::BatchBuilder;
use metricast_records::{EventMetrics, MetricsRef};

use super::super::note::Request;
use super::super::remembered::Recalled;
use super::super::{Start, WhenBehind};
use super::*;
use crate::queue::backing::Effects;

fn options() -> Options {
    Options { max_size: 64 << 20, forget_after: Duration::from_hours(24), max_dead_letters: 100 }
}

fn batch(records: usize) -> metricast_records::Batch {
    let event = EventMetrics { event_name: "e".into(), status: "completed".into(), ..EventMetrics::default() };
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(&MetricsRef::Event(event.as_ref()), 1.0).unwrap();
    }
    builder.finish()
}

/// What a publisher is given from its place on.
async fn rest(queue: &Queue, publisher: &str, start: Start) -> Vec<(u64, u64)> {
    let mut reader = queue.reader_of(publisher, WhenBehind::Block, start).await.unwrap();
    queue.close();
    let mut places = Vec::new();
    while let Some(entry) = reader.next().await {
        assert_eq!(entry.batch.len() as u64, entry.next - entry.first);
        places.push((entry.first, entry.next));
    }
    places
}

/// Who is told of the last write may hold the folder a moment longer.
fn released(folder: &Path) {
    while Store::holder(folder).is_some() {
        std::thread::yield_now();
    }
}

async fn answer_to(queue: &Queue, publisher: &str, cursor: u64) {
    let reader = queue.reader_of(publisher, WhenBehind::Block, Start::Oldest).await.unwrap();
    reader.committer().commit(Effects { cursor, ..Effects::default() }).await.unwrap();
}

#[tokio::test]
async fn a_publisher_goes_on_at_its_cursor_and_a_new_one_where_the_config_says() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    queue.append(batch(3)).await.unwrap();
    queue.append(batch(2)).await.unwrap();
    answer_to(&queue, "a", 3).await;
    queue.end().await;
    drop((queue, store));
    for (publisher, start, expected) in
        [("a", Start::Now, vec![(3, 5)]), ("new", Start::Now, vec![]), ("newer", Start::Oldest, vec![(0, 3), (3, 5)])]
    {
        released(folder.path());
        let (_store, queue) = Store::open(folder.path(), &options()).unwrap();
        assert_eq!(rest(&queue, publisher, start).await, expected, "{publisher}");
        queue.end().await;
    }
}

#[tokio::test]
async fn without_its_database_the_queue_gives_everybody_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    queue.append(batch(3)).await.unwrap();
    answer_to(&queue, "a", 3).await;
    queue.end().await;
    drop((store, queue));
    released(folder.path());
    std::fs::remove_file(folder.path().join("meta.redb")).unwrap();
    let (_store, queue) = Store::open(folder.path(), &options()).unwrap();
    assert_eq!(rest(&queue, "a", Start::Now).await, [(0, 3)], "again rather than never");
}

#[tokio::test]
async fn an_answered_request_is_known_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    let request = Request::new([1; 32], [2; 32], b"answer".to_vec());
    let note = Note { request: Some(request), ..Note::default() };
    queue.append_noted(batch(1), note, Duration::ZERO).await.unwrap();
    // As after a crash: the note is in the log only.
    drop((store, queue));
    released(folder.path());
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    assert!(matches!(queue.recall([1; 32], [2; 32]).await.unwrap(), Recalled::Answered(answer) if answer == b"answer"));
    assert!(matches!(queue.recall([1; 32], [3; 32]).await.unwrap(), Recalled::OtherBody));
    queue.end().await;
    drop((store, queue));
    released(folder.path());
    let (store, _queue) = Store::open(folder.path(), &options()).unwrap();
    assert!(store.request(&[1; 32]).unwrap().is_some(), "the database has it, too");
}

#[test]
fn a_folder_is_one_process_s_and_nobody_elses_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let (store, queue) = Store::open(&path, &options()).unwrap();
    store.announce(Some("127.0.0.1:4320".parse().unwrap())).unwrap();
    let again = Store::open(&path, &options()).unwrap_err().to_string();
    assert!(again.ends_with(&format!("is in use by the metricast with process id {}", std::process::id())), "{again}");
    assert_eq!(Store::holder(&path).unwrap().admin, Some("127.0.0.1:4320".parse().unwrap()));
    let mode = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777;
    assert_eq!((mode(&path), mode(&path.join("lock"))), (0o700, 0o600));
    drop((store, queue));
    assert_eq!(Store::holder(&path), None);
}

#[tokio::test]
async fn a_publisher_that_no_config_names_is_forgotten_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    queue.append(batch(1)).await.unwrap();
    answer_to(&queue, "gone", 0).await;
    queue.end().await;
    drop((store, queue));
    released(folder.path());
    let (store, queue) = Store::open(folder.path(), &options()).unwrap();
    assert!(store.known("gone").unwrap().is_some());
    drop((store, queue));
    released(folder.path());
    std::thread::sleep(Duration::from_millis(1_100));
    let (store, _queue) = Store::open(folder.path(), &Options { forget_after: Duration::ZERO, ..options() }).unwrap();
    assert!(store.known("gone").unwrap().is_none());
}
