//! Bits flip and files are cut short: what is damaged is said and absent, what is whole stays, and the database goes on.

use crate::chance::draws;
use std::collections::BTreeMap;

use redb::ReadableTable;

use super::super::{Change, Filter, Meta, MetaError, Opened, Place, Request, State, StateChange};
use super::memory::Memory;
use super::{cursor, publisher, rejected, small};

const PUBLISHERS: u64 = 12;
const LETTERS: u64 = 400;

fn name(index: u64) -> String {
    format!("publisher-{index}")
}

fn state(index: u64) -> State {
    let bytes = (0..index * 40_000).map(|byte| (byte * 31 + index) as u8).collect();
    State { version: 1, next_offset: index, bytes }
}

/// A database with something in every table, closed in order or left open as by a crash.
fn filled(closed: bool) -> Vec<u8> {
    let disk = Memory::default();
    let meta = Meta::open_on(disk.clone(), small()).unwrap().0;
    for index in 0..PUBLISHERS {
        let change = publisher(&name(index), |change| {
            change.cursor = Some(index * 1000);
            change.skip = vec![index * 1000 + 5];
            change.state = Some(StateChange::Set(state(index)));
        });
        meta.commit_and_wait(change).unwrap();
    }
    for offset in 0..LETTERS {
        let letter = rejected(&name(offset % PUBLISHERS), offset, &format!("reason {offset} {}", "x".repeat(100)));
        let request = Request { digest: [offset as u8; 32], time: 1.0, next_offset: offset, answer: vec![1] };
        let place = Some(Place { bytes: offset, ..Place::default() });
        let places = vec![(format!("file {offset}"), place)];
        meta.commit(Change { letters: vec![letter], requests: vec![request], places, ..Change::default() }, |_| {});
    }
    meta.commit_and_wait(Change::default()).unwrap();
    let open = disk.bytes();
    drop(meta);
    if closed { disk.bytes() } else { open }
}

/// What is left of the filled database.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Left {
    publishers: u64,
    states: u64,
    letters: u64,
    records: u64,
    requests: u64,
    places: u64,
}

const ALL: Left = Left { publishers: 12, states: 12, letters: 400, records: 400, requests: 256, places: 400 };

/// Reads all, and asserts that what is there is as it was given.
fn read(meta: &Meta) -> Left {
    let mut left = Left::default();
    let by_name: BTreeMap<String, u64> = (0..PUBLISHERS).map(|index| (name(index), index)).collect();
    for found in meta.publishers().unwrap().into_iter().filter(|found| found.name != "after") {
        let index = by_name[&found.name];
        assert_eq!(found.cursor, Some(index * 1000));
        assert!(found.skipped.iter().all(|offset| *offset == index * 1000 + 5));
        left.publishers += 1;
        if let Some(found) = meta.state(&found.name).unwrap() {
            assert_eq!(found, state(index));
            left.states += 1;
        }
    }
    for filed in meta.letters(&Filter::default()).unwrap() {
        let offset = filed.letter.attempts;
        assert_eq!(offset, 3);
        left.letters += 1;
        left.records += u64::from(filed.letter.body().is_some());
        let body = filed.letter.body().map(<[u8]>::to_vec);
        let offset = (filed.letter.filed - 2000.0) as u64;
        let expected = rejected(&name(offset % PUBLISHERS), offset, &filed.letter.reason);
        assert!(body.is_none() || expected == filed.letter);
    }
    for id in 0..=255 {
        if let Some(found) = meta.request(&[id; 32]).unwrap() {
            assert_eq!(found.next_offset % 256, u64::from(id));
            left.requests += 1;
        }
    }
    for offset in 0..LETTERS {
        if let Some(found) = meta.place(&format!("file {offset}")).unwrap() {
            assert_eq!(found.bytes, offset);
            left.places += 1;
        }
    }
    left
}

/// Opens damaged bytes, and asserts that what is lost is said and that the database is usable.
fn survive(bytes: &[u8]) -> (Left, Opened) {
    let disk = Memory::holding(bytes.to_vec());
    let (meta, opened) = Meta::open_on(disk.clone(), small()).unwrap();
    let left = read(&meta);
    if left != ALL {
        assert!(opened.set_aside.is_some(), "{left:?} is left, and nothing is said");
        assert_ne!(opened.damage, []);
    }
    assert_eq!(disk.state().aside.len(), usize::from(opened.set_aside.is_some()));
    let held: u64 = meta.letter_counts().values().map(|count| count.held).sum();
    assert_eq!(held, left.letters);
    meta.commit_and_wait(cursor("after", 1)).unwrap();
    let remove = meta.letters(&Filter::default()).unwrap().iter().map(|filed| filed.number).collect();
    meta.commit_and_wait(Change { remove_letters: remove, ..Change::default() }).unwrap();
    drop(meta);
    let (meta, again) = Meta::open_on(disk, small()).unwrap();
    assert_eq!((again.set_aside, again.damage, again.id), (None, vec![], opened.id.clone()));
    assert_eq!(meta.publisher("after").unwrap().unwrap().cursor, Some(1));
    (left, opened)
}

#[test]
fn nothing_is_lost_of_a_whole_file() {
    for closed in [true, false] {
        let (left, opened) = survive(&filled(closed));
        assert_eq!((left, opened.set_aside, opened.damage), (ALL, None, vec![]));
    }
}

#[test]
fn a_flipped_bit_costs_what_it_hit() {
    let files = [filled(true), filled(false)];
    let mut random = draws(3);
    let (mut aside, mut publishers, mut ids) = (0, 0, 0);
    for round in 0..200 {
        let mut bytes = files[round % 2].clone();
        let id = Meta::open_on(Memory::holding(bytes.clone()), small()).unwrap().1.id;
        // Half of them in the first pages, where redb keeps what leads to all else.
        let range = if round % 4 < 2 { 0..bytes.len().min(64 << 10) } else { 0..bytes.len() };
        let at = random.usize(range);
        bytes[at] ^= 1 << random.u8(0..8);
        let (left, opened) = survive(&bytes);
        aside += usize::from(opened.set_aside.is_some());
        publishers += left.publishers;
        ids += usize::from(opened.id == id);
    }
    println!("{aside} of 200 set aside, {publishers} of {} publishers and {ids} ids left", 200 * PUBLISHERS);
    assert!(aside > 20);
    assert!(publishers > 200 * PUBLISHERS * 9 / 10);
}

#[test]
fn a_file_cut_short_is_set_aside_and_the_database_goes_on() {
    let files = [filled(true), filled(false)];
    let mut random = draws(5);
    for round in 0..60 {
        let mut bytes = files[round % 2].clone();
        bytes.truncate(random.usize(1..bytes.len()));
        let (_, opened) = survive(&bytes);
        assert!(opened.set_aside.is_some());
    }
}

#[test]
fn rubbish_is_set_aside() {
    let mut random = draws(9);
    for length in [1, 100, 4096, 100_000] {
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        let (left, opened) = survive(&bytes);
        assert_eq!(left, Left::default());
        assert!(opened.set_aside.is_some());
    }
}

#[test]
fn a_damaged_file_in_a_folder_is_kept_beside_the_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(super::open(&folder));
    let path = folder.path().join("meta.redb");
    std::fs::write(&path, b"rubbish").unwrap();
    let (meta, opened) = Meta::open(folder.path(), small()).unwrap();
    let aside = opened.set_aside.unwrap();
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("meta.redb.damaged-"));
    assert_eq!(std::fs::read(&aside).unwrap(), b"rubbish");
    meta.commit_and_wait(cursor("p", 1)).unwrap();
    drop(meta);
    std::fs::write(&path, b"rubbish again").unwrap();
    let (_, opened) = Meta::open(folder.path(), small()).unwrap();
    assert_ne!(opened.set_aside.unwrap(), aside);
    assert!(!folder.path().join("meta.redb.new").exists());
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    use super::super::frame::Put;
    use super::super::tables::Tables;
    let folder = tempfile::tempdir().unwrap();
    drop(super::open(&folder));
    let path = folder.path().join("meta.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    Tables::open(&transaction).unwrap().about.put(b"version", &Put::default().u32(2).0).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = std::fs::read(&path).unwrap();
    let refused = Meta::open(folder.path(), small()).unwrap_err();
    assert!(matches!(refused, MetaError::Newer { found: 2, known: 1, .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["meta.redb"]);
}

#[test]
fn a_value_with_a_wrong_checksum_is_absent_and_named() {
    use super::super::tables::Tables;
    let folder = tempfile::tempdir().unwrap();
    let meta = super::open(&folder);
    meta.commit_and_wait(cursor("good", 1)).unwrap();
    meta.commit_and_wait(cursor("bad", 2)).unwrap();
    drop(meta);
    let database = redb::Database::open(folder.path().join("meta.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut tables = Tables::open(&transaction).unwrap();
        let mut value = tables.publishers.rows.get(b"bad".as_slice()).unwrap().unwrap().value().to_vec();
        *value.last_mut().unwrap() ^= 1;
        tables.publishers.rows.insert(b"bad".as_slice(), value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let (meta, opened) = Meta::open(folder.path(), small()).unwrap();
    let damage: Vec<String> = opened.damage.iter().map(ToString::to_string).collect();
    assert_eq!(damage, ["table publishers, key bad: the checksum is wrong"]);
    let names: Vec<String> = meta.publishers().unwrap().into_iter().map(|publisher| publisher.name).collect();
    assert_eq!((names, meta.publisher("bad").unwrap()), (vec!["good".to_owned()], None));
    meta.commit_and_wait(cursor("bad", 9)).unwrap();
    assert_eq!(meta.publisher("bad").unwrap().unwrap().cursor, Some(9));
}
