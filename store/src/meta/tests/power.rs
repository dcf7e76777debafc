//! The power fails: what was synced is there, what was not is there, not there, or there in parts.

use super::super::{Filter, Meta, Opened, State, StateChange};
use super::memory::{Memory, Op, apply};
use super::{file, publisher, rejected, small};
use crate::chance::draws;

/// The smallest part that a disk writes whole.
const SECTOR: usize = 512;

/// Commit number `value`: cursor, state and a letter that belong together.
fn step(value: u64) -> super::Change {
    let mut change = publisher("p", |change| {
        change.cursor = Some(value);
        change.skip = vec![value + 1];
        let bytes = vec![value as u8; 1000 * (value as usize % 40)];
        change.state = Some(StateChange::Set(State { version: 1, next_offset: value, bytes }));
    });
    change.letters = file(vec![rejected("p", value, "no")]).letters;
    change
}

/// What the disk was told by `steps` commits, and for each how long the record was when it was acknowledged.
fn recorded(steps: u64) -> (Vec<Op>, Vec<usize>) {
    let disk = Memory::default();
    let meta = Meta::open_on(disk.clone(), small()).unwrap().0;
    let mut acknowledged = vec![disk.state().log.len()];
    for value in 1..=steps {
        meta.commit_and_wait(step(value)).unwrap();
        acknowledged.push(disk.state().log.len());
    }
    drop(meta);
    let log = disk.state().log.clone();
    (log, acknowledged)
}

/// The number of the last whole step, with all that belongs to it asserted.
fn last_step(meta: &Meta) -> u64 {
    let Some(found) = meta.publisher("p").unwrap() else {
        assert_eq!(meta.letters(&Filter::default()).unwrap(), []);
        return 0;
    };
    let value = found.cursor.unwrap();
    let skipped = if value == 1 { vec![2] } else { vec![value, value + 1] };
    assert_eq!(found.skipped, skipped);
    let state = meta.state("p").unwrap().unwrap();
    assert_eq!((state.next_offset, state.bytes), (value, vec![value as u8; 1000 * (value as usize % 40)]));
    assert_eq!(meta.letters(&Filter::default()).unwrap().len() as u64, value);
    value
}

fn open(bytes: Vec<u8>) -> (Meta, Opened) {
    Meta::open_on(Memory::holding(bytes), small()).unwrap()
}

/// Does a part of what was not synced: each operation wholly, not at all, or some of its sectors.
fn tear(bytes: &mut Vec<u8>, unsynced: &[Op], random: &mut fastrand::Rng) {
    for op in unsynced {
        match (random.u8(0..3), op) {
            (0, _) => {}
            (1, Op::Write(offset, data)) => {
                for (index, sector) in data.chunks(SECTOR).enumerate() {
                    if random.bool() {
                        apply(bytes, &Op::Write(offset + (index * SECTOR) as u64, sector.to_vec()));
                    }
                }
            }
            (_, op) => apply(bytes, op),
        }
    }
}

#[test]
fn no_acknowledged_commit_is_gone_at_any_sync_point() {
    const STEPS: u64 = 25;
    let (log, acknowledged) = recorded(STEPS);
    let syncs: Vec<usize> = log.iter().enumerate().filter(|(_, op)| matches!(op, Op::Sync)).map(|(at, _)| at).collect();
    let mut random = draws(7);
    let made = log.iter().position(|op| matches!(op, Op::Replace)).unwrap();
    let mut synced = Vec::new();
    let mut done = 0;
    for (index, at) in syncs.iter().enumerate() {
        log[done..=*at].iter().for_each(|op| apply(&mut synced, op));
        done = at + 1;
        let unsynced = &log[done..syncs.get(index + 1).map_or(log.len(), |next| *next)];
        let least = acknowledged.iter().filter(|length| **length <= done).count().saturating_sub(1) as u64;
        for cut in 0..4 {
            let mut bytes = synced.clone();
            match cut {
                0 => {}
                1 => unsynced.iter().for_each(|op| apply(&mut bytes, op)),
                _ => tear(&mut bytes, unsynced, &mut random),
            }
            if done <= made {
                bytes.clear();
            }
            let (meta, opened) = open(bytes);
            assert_eq!(opened.created, done <= made);
            assert_eq!((&opened.set_aside, opened.damage.as_slice()), (&None, &[][..]), "sync {index}, cut {cut}");
            let found = last_step(&meta);
            assert!((least..=least + 1).contains(&found), "sync {index}, cut {cut}: {found} where {least} was told");
        }
    }
    assert!(syncs.len() as u64 > 2 * STEPS, "two syncs a commit are expected: {}", syncs.len());
}

#[test]
fn a_disk_that_lies_about_syncs_still_opens_and_goes_on() {
    let (log, _) = recorded(12);
    let mut random = draws(11);
    let made = log.iter().position(|op| matches!(op, Op::Replace)).unwrap();
    let mut damaged = 0;
    for _ in 0..150 {
        let lost = random.usize(made..log.len());
        let mut bytes = Vec::new();
        log[..lost].iter().for_each(|op| apply(&mut bytes, op));
        let until = random.usize(lost..=log.len());
        tear(&mut bytes, &log[lost..until], &mut random);
        let disk = Memory::holding(bytes);
        let (meta, opened) = Meta::open_on(disk.clone(), small()).unwrap();
        damaged += usize::from(opened.set_aside.is_some());
        assert_eq!(opened.set_aside.is_some(), disk.state().aside.len() == 1);
        meta.commit_and_wait(publisher("after", |change| change.cursor = Some(1))).unwrap();
        drop(meta);
        let (meta, opened) = Meta::open_on(disk, small()).unwrap();
        assert_eq!(opened.set_aside, None);
        assert_eq!(meta.publisher("after").unwrap().unwrap().cursor, Some(1));
    }
    assert!(damaged > 0, "no run was damaged: the disk does not lie");
}
