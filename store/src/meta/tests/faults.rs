//! Disks that break, and disks that fill up.

use super::super::{Filter, Limits, Meta, MetaError, State, StateChange};
use super::memory::Memory;
use super::{cursor, file, publisher, rejected, small};

fn open_on(disk: &Memory) -> Meta {
    Meta::open_on(disk.clone(), small()).unwrap().0
}

fn cursor_of(meta: &Meta) -> u64 {
    meta.publisher("p").unwrap().and_then(|publisher| publisher.cursor).unwrap_or(0)
}

#[test]
fn after_a_failed_write_or_sync_all_is_refused_until_it_is_opened_again() {
    let mut failures = 0;
    for good in 0..60 {
        let disk = Memory::default();
        let meta = open_on(&disk);
        disk.state().good = Some(good);
        let (mut acknowledged, mut first) = (0, None);
        for value in 1..=10 {
            match meta.commit_and_wait(cursor("p", value)) {
                Ok(()) => {
                    assert!(first.is_none(), "a commit after a failed one");
                    acknowledged = value;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("the disk is broken"), "{text}");
                    assert_eq!(matches!(error, MetaError::Failed { .. }), first.is_some());
                    first.get_or_insert(value);
                }
            }
        }
        if first.is_some() {
            failures += 1;
            assert!(matches!(meta.publishers(), Err(MetaError::Failed { .. })));
            assert!(matches!(meta.letters(&Filter::default()), Err(MetaError::Failed { .. })));
        }
        disk.state().good = None;
        let again = open_on(&disk);
        let found = cursor_of(&again);
        assert!(found == acknowledged || first == Some(found), "{found} after {acknowledged}, failed at {first:?}");
        again.commit_and_wait(cursor("p", 100)).unwrap();
        drop((meta, again));
        assert_eq!(cursor_of(&open_on(&disk)), 100);
    }
    assert!(failures > 20, "only {failures} runs failed");
}

#[test]
fn a_disk_that_fails_while_opening_gives_an_error_and_keeps_the_file() {
    let disk = Memory::default();
    open_on(&disk).commit_and_wait(cursor("p", 5)).unwrap();
    let mut failures = 0;
    for good in 0..20 {
        disk.state().good = Some(good);
        if let Err(error) = Meta::open_on(disk.clone(), small()) {
            assert!(matches!(error, MetaError::Io { .. }), "{error}");
            failures += 1;
        }
        disk.state().good = None;
        let (meta, opened) = Meta::open_on(disk.clone(), small()).unwrap();
        assert_eq!((opened.set_aside, cursor_of(&meta)), (None, 5));
    }
    assert!(failures > 0);
}

/// A change whose state takes room.
fn large(value: u64) -> super::Change {
    publisher("p", |change| {
        change.cursor = Some(value);
        let bytes = vec![value as u8; 200_000 * value as usize];
        change.state = Some(StateChange::Set(State { version: 1, next_offset: value, bytes }));
    })
}

#[test]
fn a_full_disk_refuses_changes_and_goes_on_when_there_is_room() {
    let disk = Memory::default();
    let meta = open_on(&disk);
    meta.commit_and_wait(cursor("p", 1)).unwrap();
    let used = disk.state().used();
    disk.state().room = Some(used + 30);
    for _ in 0..3 {
        let error = meta.commit_and_wait(large(2)).unwrap_err();
        assert!(error.is_full(), "{error}");
        assert_eq!(error.kind(), Some(std::io::ErrorKind::StorageFull));
    }
    assert_eq!(cursor_of(&meta), 1);
    disk.state().room = Some(used + 400);
    meta.commit_and_wait(large(2)).unwrap();
    assert_eq!(meta.state("p").unwrap().unwrap().bytes.len(), 400_000);
    drop(meta);
    let (meta, opened) = Meta::open_on(disk.clone(), small()).unwrap();
    assert_eq!((opened.set_aside, cursor_of(&meta)), (None, 2));
}

#[test]
fn the_ballast_lets_what_must_be_written_be_written() {
    let disk = Memory::default();
    let limits = Limits { ballast_bytes: 1 << 20, ..small() };
    let meta = Meta::open_on(disk.clone(), limits).unwrap().0;
    meta.commit_and_wait(cursor("p", 1)).unwrap();
    let used = disk.state().used();
    disk.state().room = Some(used + 2);
    meta.commit_and_wait(large(2)).unwrap();
    assert_eq!((disk.state().ballast, cursor_of(&meta)), (0, 2));
    let error = meta.commit_and_wait(large(9)).unwrap_err();
    assert!(error.is_full(), "{error}");
    meta.commit_and_wait(cursor("p", 3)).unwrap();
    assert_eq!((meta.state("p").unwrap().unwrap().bytes.len(), cursor_of(&meta)), (400_000, 3));
}

#[test]
fn a_change_on_a_full_disk_is_made_once_at_most() {
    let disk = Memory::default();
    let limits = Limits { ballast_bytes: 1 << 20, ..small() };
    let meta = Meta::open_on(disk.clone(), limits).unwrap().0;
    meta.commit_and_wait(cursor("p", 1)).unwrap();
    let mut expected = 0;
    for round in 1..=40 {
        let used = disk.state().used();
        disk.state().room = Some(used + round % 7);
        let mut change = file((0..20).map(|offset| rejected("p", round * 100 + offset, "no")).collect());
        change.publishers = publisher("p", |change| change.dropped = 1).publishers;
        match meta.commit_and_wait(change) {
            Ok(()) => expected += 1,
            Err(error) => assert!(error.is_full(), "{error}"),
        }
        disk.state().room = None;
    }
    assert_eq!(meta.publisher("p").unwrap().unwrap().dropped, expected);
    assert_eq!(meta.letter_counts()["p"].held, expected * 20);
    assert_eq!(meta.letters(&Filter::default()).unwrap().len() as u64, expected * 20);
}
