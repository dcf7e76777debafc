//! Real folders: letters are filed as deliveries file them, and readers see what is retried.

use std::path::Path;
use std::time::Duration;

use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};
use metricast_store::meta::{Kind as Filed, Letter as FiledLetter};
use tempfile::TempDir;

use super::*;
use crate::queue::backing::Effects;
use crate::queue::letters::{Sender, refused};
use crate::queue::note::{Again, Note};
use crate::queue::store::Options;
use crate::queue::{Entry, Reader, Start, WhenBehind};

mod files;

const PATIENCE: Duration = Duration::from_secs(5);

/// A folder that is open.
struct Open {
    store: Store,
    queue: Queue,
    desk: Desk,
}

fn open(folder: &Path) -> Open {
    let options = Options { max_size: 16 << 20, forget_after: Duration::MAX, max_dead_letters: 1_000 };
    let (store, queue) = Store::open(folder, &options).unwrap();
    let desk = Desk::new(store.clone(), queue.clone(), Handle::current());
    Open { store, queue, desk }
}

fn batch(names: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new();
    for name in names {
        let event = EventMetrics { event_name: (*name).into(), status: "done".into(), ..EventMetrics::default() };
        builder.push(&MetricsRef::Event(event.as_ref()), 1.0).unwrap();
    }
    builder.finish()
}

/// Copies a file, or a folder of files, as it stands now.
fn copy_into(from: &Path, folder: &Path) {
    let to = folder.join(from.file_name().unwrap());
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir(&to).unwrap();
    for entry in from.read_dir().unwrap() {
        copy_into(&entry.unwrap().path(), &to);
    }
}

impl Open {
    async fn reader(&self, name: &str) -> Reader {
        self.queue.reader_of(name, WhenBehind::Block, Start::Oldest).await.unwrap()
    }

    /// Each record of an entry as a letter.
    fn letters(entry: &Entry, reason: &str) -> Vec<FiledLetter> {
        let sender = Sender { publisher: "search".to_owned(), plugin: "elasticsearch@0.1.0".to_owned() };
        let letter = |record| sender.letter(entry.batch.epoch(), &record, Filed::Rejected, reason, 2);
        entry.batch.records().map(letter).collect()
    }

    /// Three records that "search" takes no one of.
    async fn three_letters(&self) -> Reader {
        let mut reader = self.reader("search").await;
        self.queue.append(batch(&["a", "b", "c"])).await.unwrap();
        let entry = reader.next().await.unwrap();
        let effects = Effects { cursor: entry.next, letters: Self::letters(&entry, "mapping"), ..Effects::default() };
        reader.committer().commit(effects).await.unwrap();
        reader
    }

    async fn ask(&self, question: Question) -> Vec<Line> {
        let desk = self.desk.clone();
        let ask = move || {
            let mut lines = Vec::new();
            desk.answer(&question, &mut |line| {
                lines.push(line);
                Ok(())
            })
            .unwrap();
            lines
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    async fn told(&self, question: Question) -> Vec<String> {
        self.ask(question).await.iter().map(|line| serde_json::to_string(line).unwrap()).collect()
    }

    async fn retry(&self, numbers: &[u64]) -> Vec<String> {
        let mut told = self.told(Question::Retry { chosen: Chosen::Numbers(numbers.to_vec()) }).await;
        assert!(told.pop().unwrap().starts_with("{\"end\":"), "{told:?}");
        told
    }

    fn numbers(&self) -> Vec<u64> {
        self.store
            .meta()
            .letters(&metricast_store::meta::Filter::default())
            .unwrap()
            .iter()
            .map(|it| it.number)
            .collect()
    }

    async fn close(self) {
        self.queue.end().await;
    }
}

/// Names and places of an entry's records.
fn seen(entry: &Entry) -> (Vec<String>, Vec<u64>, String, bool) {
    let names = entry.batch.events().map(|event| event.event_name.to_owned()).collect();
    (names, entry.batch.offsets().to_vec(), entry.batch.epoch().to_owned(), entry.again)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_told_one_by_one_and_by_reason() {
    let folder = folder();
    let open = open(folder.path());
    let _reader = open.three_letters().await;
    open.queue.file(vec![refused("app.ndjson", 7, b"\xff{", "no JSON")]).await.unwrap();
    let groups = open.ask(Question::Groups { filter: Filter::default() }).await;
    let [Line::Group(mapping), Line::Group(lines), Line::End(_)] = groups.as_slice() else { panic!("{groups:?}") };
    assert_eq!((mapping.count, mapping.publisher.as_deref(), mapping.example), (3, Some("search"), 3));
    assert_eq!((lines.count, &lines.publisher, lines.kind), (1, &None, Kind::Refused));
    let only = |filter| open.ask(Question::Letters { filter, records: true });
    let refused = only(Filter { kind: Some(Kind::Refused), ..Filter::default() }).await;
    let [Line::Letter(letter), Line::End(_)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(
        (letter.source.as_deref(), letter.line, letter.raw_bytes()),
        (Some("app.ndjson"), Some(7), Some(b"\xff{".to_vec()))
    );
    let none = Filter { since: Some(crate::clock::now() + 60.0), ..Filter::default() };
    assert_eq!(only(none).await.len(), 1);
    let searched = Filter { publisher: Some("search".into()), reason: Some("app".into()), ..Filter::default() };
    let found = only(searched).await;
    assert_eq!(found.len(), 4);
    let Line::Letter(first) = &found[0] else { panic!("{found:?}") };
    assert!(first.record.as_ref().unwrap().get().contains(r#""event_name":"a""#), "{first:?}");
    assert_eq!((first.attempts, first.plugin.as_deref(), first.offset), (2, Some("elasticsearch@0.1.0"), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_again_to_its_publisher_alone_under_its_old_name() {
    let folder = folder();
    let open = open(folder.path());
    let mut search = open.three_letters().await;
    let epoch = open.store.meta().letter(1).unwrap().unwrap();
    let metricast_store::meta::Origin::Record { epoch, .. } = epoch.letter.origin else { panic!() };
    let epoch = metricast_store::log::Epoch(epoch).to_string();
    let mut other = open.reader("other").await;
    assert_eq!(
        open.retry(&[2, 3, 99]).await,
        [
            r#"{"stays":{"number":99,"reason":"there is no dead letter of this number"}}"#,
            r#"{"retried":{"publisher":"search","count":2}}"#,
        ]
    );
    let again = search.next().await.unwrap();
    assert_eq!(seen(&again), (vec!["b".into(), "c".into()], vec![1, 2], epoch.clone(), true));
    assert_eq!((again.first, again.next), (3, 5));
    while let Some(entry) = other.next_if(|_| true).await {
        let is_theirs = entry.first >= 3;
        assert_eq!(entry.batch.is_empty(), is_theirs, "{entry:?}");
    }
    assert_eq!(open.numbers(), [1]);
    assert_eq!(open.retry(&[2]).await, [r#"{"stays":{"number":2,"reason":"there is no dead letter of this number"}}"#]);
    drop((search, other));
    open.close().await;
    // The same from the log, in another process.
    let open = self::open(folder.path());
    let mut search = open.reader("search").await;
    assert_eq!(seen(&search.next().await.unwrap()), seen(&again));
    assert_eq!(search.next_if(|_| true).await.map(|entry| seen(&entry)), None);
    drop(search);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_with_a_state_gets_a_letter_as_something_new() {
    let folder = folder();
    let open = open(folder.path());
    let mut search = open.three_letters().await;
    search.is_stateful(true);
    open.retry(&[2]).await;
    let again = search.next().await.unwrap();
    let (names, offsets, epoch, is_again) = seen(&again);
    assert_eq!((names, offsets, is_again), (vec!["b".to_owned()], vec![3], false));
    drop(search);
    open.close().await;
    let open = self::open(folder.path());
    let mut search = open.reader("search").await;
    search.is_stateful(true);
    let from_log = seen(&search.next().await.unwrap());
    assert_eq!(from_log, (vec!["b".to_owned()], vec![3], epoch, false));
    drop(search);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_rejected_once_more_is_a_dead_letter_once_more() {
    let folder = folder();
    let open = open(folder.path());
    let mut search = open.three_letters().await;
    let Some(metricast_store::meta::Filed { letter, .. }) = open.store.meta().letter(1).unwrap() else { panic!() };
    let metricast_store::meta::Origin::Record { epoch, offset, .. } = letter.origin else { panic!() };
    // As a retry does it, at the moment before its letter goes from the database.
    let again = Some(Again { epoch, base: offset });
    let note = Note { addressed: Some("search".into()), retried: vec![1], again, ..Note::default() };
    open.queue.append_noted(batch(&["a"]), note, PATIENCE).await.unwrap();
    let entry = search.next().await.unwrap();
    let letters = Open::letters(&entry, "mapping, still");
    search.committer().commit(Effects { cursor: entry.next, letters, ..Effects::default() }).await.unwrap();
    open.queue.keep_notes().await;
    let filed = open.store.meta().letter_at("search", epoch, offset).unwrap().expect("it is a dead letter");
    assert_eq!((filed.number, filed.letter.reason.as_str()), (4, "mapping, still"));
    drop(search);
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_a_letter_or_its_record_in_the_queue_and_never_both() {
    let folder = folder();
    let open = open(folder.path());
    let search = open.three_letters().await;
    let note = Note { addressed: Some("search".into()), retried: vec![2], ..Note::default() };
    open.queue.append_noted(batch(&["b"]), note, PATIENCE).await.unwrap();
    assert_eq!(open.ask(Question::Letters { filter: Filter::default(), records: false }).await.len(), 3);
    assert_eq!(open.numbers(), [1, 2, 3], "the database has it still");
    // Nothing is kept or closed in order.
    let copy = self::folder();
    for name in ["log", "meta.redb"] {
        copy_into(&folder.path().join(name), copy.path());
    }
    drop(search);
    let after = self::open(copy.path());
    let told = after.ask(Question::Letters { filter: Filter::default(), records: false }).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        after.retry(&[2]).await,
        [r#"{"stays":{"number":2,"reason":"there is no dead letter of this number"}}"#]
    );
    after.queue.keep_notes().await;
    assert_eq!(after.numbers(), [1, 3]);
    let mut search = after.reader("search").await;
    assert_eq!(seen(&search.next().await.unwrap()).0, ["b"]);
    drop(search);
    after.close().await;
    open.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_again_stays_with_a_reason() {
    let folder = folder();
    let open = open(folder.path());
    let _search = open.three_letters().await;
    let sender = |name: &str| Sender { publisher: name.to_owned(), plugin: String::new() };
    let epoch = "00".repeat(12);
    let mut letter = open.store.meta().letter(1).unwrap().unwrap().letter;
    if let metricast_store::meta::Origin::Record { publisher, .. } = &mut letter.origin {
        *publisher = "gone".to_owned();
    }
    let good = br#"{"event_name": "e", "start_time": 1}"#;
    let letters = vec![
        sender("search").gone(&epoch, 5, "late"),
        letter,
        refused("f", 1, b"{}", "why"),
        refused("f", 2, good, "why"),
    ];
    open.queue.file(letters).await.unwrap();
    let mut all = open.reader("other").await;
    while all.next_if(|_| true).await.is_some() {}
    let told = open.retry(&[4, 5, 6, 7]).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].contains(r#""number":4,"reason":"its record is gone: it was rejected after"#), "{told:?}");
    assert!(told[1].contains(r#""number":5,"reason":"the queue knows no publisher \"gone\" any more""#), "{told:?}");
    assert!(told[2].contains(r#""number":6,"reason":""#), "{told:?}");
    assert_eq!(told[3], r#"{"retried":{"publisher":null,"count":1}}"#);
    assert_eq!(seen(&all.next().await.unwrap()).0, ["e"], "a line that is a record goes to all");
    assert_eq!(open.numbers(), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_the_log_are_those_that_a_publisher_has_not_answered_for() {
    let folder = folder();
    let open = open(folder.path());
    let search = open.three_letters().await;
    open.queue.append(batch(&["d", "e"])).await.unwrap();
    open.retry(&[1]).await;
    let names = async |from, to, publisher: Option<&str>| {
        let publisher = publisher.map(str::to_owned);
        let lines = open.ask(Question::Records { from, to, publisher }).await;
        let name = |line: &Line| match line {
            Line::Record(record) => {
                let record: serde_json::Value = serde_json::from_str(record.record.get()).unwrap();
                record["event_name"].as_str().unwrap().to_owned()
            }
            Line::End(summary) => format!("{} {}", summary.records, summary.retried),
            other => panic!("{other:?}"),
        };
        lines.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(None, None, None).await, "a b c d e 5 1");
    assert_eq!(names(Some(1), Some(4), None).await, "b c d 3 0");
    assert_eq!(names(None, None, Some("search")).await, "d e a 3 0");
    let told = open.told(Question::Records { from: None, to: None, publisher: Some("serch".into()) }).await;
    assert_eq!(told, [r#"{"failed":"the queue knows no publisher \"serch\"; it knows search"}"#]);
    drop(search);
    open.close().await;
}
