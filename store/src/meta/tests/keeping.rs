//! What is given is there after the database is opened again.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::publishers::PIECE;
use super::super::{Change, Limits, Meta, MetaError, Place, Plugin, Publisher, Request, State, StateChange, StateHead};
use super::{cursor, open, publisher, small};

#[test]
fn a_folder_keeps_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let (_, first) = Meta::open(&path, small()).unwrap();
    let (_, second) = Meta::open(&path, small()).unwrap();
    assert_eq!((first.created, second.created), (true, false));
    assert_eq!(first.id, second.id);
    assert_eq!(first.id.len(), 32);
    assert_eq!((second.set_aside, second.damage), (None, vec![]));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(path.join("meta.redb").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn two_folders_have_two_ids() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let id = |folder: &tempfile::TempDir| Meta::open(folder.path(), small()).unwrap().1.id;
    assert_ne!(id(&one), id(&other));
}

#[test]
fn a_publisher_is_kept_with_all_that_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let bytes: Vec<u8> = (0..3 * PIECE + 17).map(|index| index as u8 ^ (index >> 9) as u8).collect();
    let state = State { version: 3, next_offset: 50, bytes };
    let plugin = Plugin { name: "prometheus@1.2.0".to_owned(), digest: "ab12".to_owned() };
    let change = publisher("shop", |change| {
        change.cursor = Some(50);
        change.skip = vec![60, 55, 49];
        change.state = Some(StateChange::Set(state.clone()));
        change.plugin = Some(plugin.clone());
        change.last_push = Some(1.5);
        change.last_close = Some(2.5);
        change.seen = Some(99);
        change.dropped = 7;
        change.extra = Some(b"own".to_vec());
    });
    meta.commit_and_wait(change).unwrap();
    meta.commit_and_wait(publisher("shop", |change| change.dropped = 2)).unwrap();
    drop(meta);
    let meta = open(&folder);
    let head =
        StateHead { version: 3, next_offset: 50, length: state.bytes.len() as u64, crc: crc32fast::hash(&state.bytes) };
    let expected = Publisher {
        name: "shop".to_owned(),
        cursor: Some(50),
        skipped: vec![55, 60],
        plugin,
        state: Some(head),
        last_push: Some(1.5),
        last_close: Some(2.5),
        seen: Some(99),
        dropped: 9,
        evicted: 0,
        extra: b"own".to_vec(),
    };
    assert_eq!(meta.publishers().unwrap(), [expected]);
    assert_eq!(meta.state("shop").unwrap(), Some(state));
}

#[test]
fn a_shorter_state_leaves_nothing_of_a_longer_one() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let set = |bytes: Vec<u8>| {
        let state = State { version: 1, next_offset: 0, bytes };
        meta.commit_and_wait(publisher("p", |change| change.state = Some(StateChange::Set(state.clone())))).unwrap();
        assert_eq!(meta.state("p").unwrap(), Some(state));
    };
    set(vec![1; 2 * PIECE]);
    set(vec![2; PIECE + 1]);
    set(vec![]);
    meta.commit_and_wait(publisher("p", |change| change.state = Some(StateChange::Remove))).unwrap();
    assert_eq!(meta.state("p").unwrap(), None);
    assert_eq!(meta.publisher("p").unwrap().unwrap().state, None);
}

#[test]
fn a_state_of_a_cursor_below_the_one_that_is_kept_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    for (cursor, kept) in [(5, 5), (3, 5), (5, 5), (8, 8), (7, 8)] {
        let state = State { version: 1, next_offset: cursor, bytes: vec![cursor as u8] };
        let change = publisher("p", |change| {
            change.cursor = Some(cursor);
            change.state = Some(StateChange::Set(state));
        });
        meta.commit_and_wait(change).unwrap();
        assert_eq!(meta.publisher("p").unwrap().unwrap().cursor, Some(kept));
        assert_eq!(meta.state("p").unwrap().unwrap().bytes, [kept as u8]);
    }
}

#[test]
fn skipped_offsets_go_when_the_cursor_passes_them() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    for name in ["p", "pp"] {
        meta.commit_and_wait(publisher(name, |change| change.skip = vec![3, 5, 8])).unwrap();
    }
    meta.commit_and_wait(cursor("p", 5)).unwrap();
    assert_eq!(meta.publisher("p").unwrap().unwrap().skipped, [5, 8]);
    assert_eq!(meta.publisher("pp").unwrap().unwrap().skipped, [3, 5, 8]);
}

#[test]
fn too_many_skipped_offsets_refuse_their_change_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { max_skipped: 3, ..small() };
    let meta = Meta::open(folder.path(), limits).unwrap().0;
    let skip = |skip: Vec<u64>| {
        publisher("p", |change| {
            change.skip = skip;
            change.seen = Some(1);
        })
    };
    let refused = meta.commit_and_wait(skip(vec![1, 2, 3, 4])).unwrap_err();
    assert!(matches!(refused, MetaError::TooMuch { limit: 3, found: 4, .. }), "{refused}");
    assert_eq!(meta.publisher("p").unwrap(), None);
    meta.commit_and_wait(skip(vec![1, 2, 3])).unwrap();
    meta.commit_and_wait(skip(vec![3, 2, 1])).unwrap();
    let both = publisher("p", |change| {
        change.cursor = Some(3);
        change.skip = vec![4, 5];
    });
    meta.commit_and_wait(both).unwrap();
    assert_eq!(meta.publisher("p").unwrap().unwrap().skipped, [3, 4, 5]);
}

#[test]
fn a_forgotten_publisher_leaves_nothing_but_its_letters() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let state = State { version: 1, next_offset: 2, bytes: vec![5; 10] };
    let mut change = publisher("p", |change| {
        change.cursor = Some(2);
        change.skip = vec![4];
        change.state = Some(StateChange::Set(state));
    });
    change.letters.push(super::rejected("p", 1, "no"));
    meta.commit_and_wait(change).unwrap();
    meta.commit_and_wait(Change { forget: vec!["p".to_owned()], ..Change::default() }).unwrap();
    assert_eq!((meta.publishers().unwrap(), meta.state("p").unwrap()), (vec![], None));
    meta.commit_and_wait(cursor("p", 0)).unwrap();
    let again = meta.publisher("p").unwrap().unwrap();
    assert_eq!((again.skipped, again.state), (vec![], None));
    assert_eq!(meta.letter_counts()["p"].held, 1);
}

#[test]
fn requests_are_answered_again_until_they_are_too_many_or_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { max_requests: 3, max_request_age: Duration::from_secs(10), ..small() };
    let meta = Meta::open(folder.path(), limits).unwrap().0;
    let request = |id: u8, time: f64| Request { digest: [id; 32], time, next_offset: u64::from(id), answer: vec![id] };
    let keep = |id, time| {
        meta.commit_and_wait(Change { requests: vec![request(id, time)], ..Change::default() }).unwrap();
    };
    let kept = || (0..9).filter(|id| meta.request(&[*id; 32]).unwrap().is_some()).collect::<Vec<_>>();
    (1..=4).for_each(|id| keep(id, f64::from(id)));
    assert_eq!(kept(), [2, 3, 4]);
    assert_eq!(meta.request(&[3; 32]).unwrap(), Some(request(3, 3.0)));
    keep(2, 5.0);
    keep(5, 6.0);
    assert_eq!(kept(), [2, 4, 5]);
    keep(6, 15.5);
    assert_eq!(kept(), [5, 6]);
    let large = Request { answer: vec![0; 5000], ..request(7, 16.0) };
    let refused = meta.commit_and_wait(Change { requests: vec![large], ..Change::default() }).unwrap_err();
    assert!(matches!(refused, MetaError::TooMuch { limit: 4096, found: 5000, .. }), "{refused}");
}

#[test]
fn places_are_set_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let set = |place: Option<Place>| {
        let change = Change { places: vec![("/var/log/a".to_owned(), place.clone())], ..Change::default() };
        meta.commit_and_wait(change).unwrap();
        assert_eq!(meta.place("/var/log/a").unwrap(), place);
    };
    set(Some(Place { bytes: 10, line: 2, extra: vec![1, 2] }));
    set(Some(Place { bytes: 30, line: 4, extra: vec![] }));
    set(None);
}

#[test]
fn a_change_with_a_part_that_breaks_a_rule_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let mut change = cursor("good", 1);
    change.publishers.extend(cursor("", 2).publishers);
    assert!(matches!(meta.commit_and_wait(change), Err(MetaError::Contradiction(_))));
    let mut change = cursor("good", 1);
    change.letters.push(super::Letter { kind: super::Kind::Refused, ..super::rejected("p", 1, "no") });
    assert!(matches!(meta.commit_and_wait(change), Err(MetaError::Contradiction(_))));
    assert_eq!(meta.publishers().unwrap(), []);
}

#[test]
fn many_changes_at_once_are_all_told_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let told = Arc::new(Mutex::new(Vec::new()));
    for value in 0..500 {
        let told = Arc::clone(&told);
        meta.commit(cursor("p", value), move |result| told.lock().unwrap().push((value, result.is_ok())));
    }
    meta.commit_and_wait(Change::default()).unwrap();
    let expected: Vec<_> = (0..500).map(|value| (value, true)).collect();
    assert_eq!(*told.lock().unwrap(), expected);
    assert_eq!(meta.publisher("p").unwrap().unwrap().cursor, Some(499));
}

#[test]
fn the_last_handle_may_be_dropped_by_what_is_told_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let last = meta.clone();
    let (told, answer) = std::sync::mpsc::sync_channel(1);
    meta.commit(cursor("p", 1), move |result| {
        drop(last);
        told.send(result.is_ok()).unwrap();
    });
    drop(meta);
    assert!(answer.recv().unwrap());
}

#[test]
fn a_database_that_is_open_is_not_opened_twice() {
    let folder = tempfile::tempdir().unwrap();
    let _meta = open(&folder);
    let refused = Meta::open(folder.path(), small()).unwrap_err();
    assert!(matches!(refused, MetaError::InUse { .. }), "{refused}");
}
