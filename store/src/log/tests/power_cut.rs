//! The power goes after every single deed, and what was not synced is there, or in part, or not.

use crate::chance::seeds;
use std::collections::BTreeMap;

use super::*;

/// What had been answered for when so many deeds were done.
struct Run {
    disk: ModelDisk,
    answered: BTreeMap<usize, u32>,
    trimmed: u64,
    written: u32,
}

fn run(seed: u64, segment: u64) -> Run {
    let mut random = fastrand::Rng::with_seed(seed);
    let disk = ModelDisk::default();
    let mut run = Run { disk: disk.clone(), answered: BTreeMap::new(), trimmed: 0, written: 0 };
    for _ in 0..3 {
        // Nobody has trimmed what is above its cursor, and above all cursors the log goes on.
        let options = Options { segment, at_least: run.trimmed };
        let (log, _) = Log::open(disk.clone(), options).unwrap();
        for _ in 0..random.usize(1..12) {
            let next = run.written + random.u32(1..80);
            let place = append(&log, run.written..next).unwrap();
            assert_eq!(place.first, u64::from(run.written), "an offset is its record's number");
            run.written = next;
            run.answered.insert(disk.deeds(), next);
            if random.u8(..4) == 0 {
                run.trimmed = random.u64(run.trimmed..=u64::from(next));
                log.trim(run.trimmed, random.bool());
            }
        }
        log.close();
    }
    run
}

#[test]
fn no_record_that_was_answered_for_goes_and_none_comes_that_was_not_sent() {
    for seed in seeds(12) {
        let run = run(seed, if seed % 2 == 0 { 1_000 } else { 1 << 16 });
        for deeds in 0..=run.disk.deeds() {
            let mut random = fastrand::Rng::with_seed(seed << 32 | deeds as u64);
            let disk = run.disk.after_power_cut(deeds, &mut random);
            let answered = run.answered.range(..=deeds).next_back().map_or(0, |(_, next)| *next);
            check(disk, answered, &run);
        }
    }
}

fn check(disk: ModelDisk, answered: u32, run: &Run) {
    let (log, recovered) = open(disk.clone(), 1_000);
    let (found, _) = read_all(log.reader(0));
    assert!(found.is_sorted_by(|a, b| a < b), "{found:?}");
    assert!(found.iter().all(|number| *number < run.written));
    let kept: Vec<u32> = found.into_iter().filter(|&it| u64::from(it) >= run.trimmed && it < answered).collect();
    let expected: Vec<u32> = (u32::try_from(run.trimmed).unwrap()..answered).collect();
    assert_eq!(kept, expected);
    // It goes on from there, and that lasts as well.
    let next = recovered.next.max(u64::from(answered)) as u32;
    if u64::from(next) == recovered.next {
        append(&log, next..next + 5).unwrap();
        log.close();
        let (log, again) = open(disk, 1_000);
        assert_eq!(again.next, u64::from(next) + 5);
        assert_eq!(read_all(log.reader(u64::from(next))).0, (next..next + 5).collect::<Vec<_>>());
        log.close();
    }
}
