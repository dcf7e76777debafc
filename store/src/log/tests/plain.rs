use super::*;

#[test]
fn what_was_appended_is_read_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (log, recovered) = open(Folder::new(folder.path()), 1 << 20);
    assert_eq!((recovered.first, recovered.next, recovered.damage), (0, 0, vec![]));
    assert_eq!(append(&log, 0..3), Ok(Place { first: 0, next: 3 }));
    assert_eq!(append(&log, 3..5), Ok(Place { first: 3, next: 5 }));
    assert_eq!(read_all(log.reader(0)), ((0..5).collect(), vec![]));
    assert_eq!(read_all(log.reader(3)), (vec![3, 4], vec![]));
    assert_eq!((log.first(), log.next()), (0, 5));
}

#[test]
fn a_reader_goes_on_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(Folder::new(folder.path()), 256);
    let mut reader = log.reader(0);
    for number in 0..50 {
        assert!(reader.read().unwrap().is_none());
        append(&log, number..number + 1).unwrap();
        let Some(Found::Frame(frame)) = reader.read().unwrap() else { panic!("it was appended") };
        assert_eq!((numbers(&frame), frame.epoch), (vec![number], log.epoch()));
    }
}

#[test]
fn each_opening_goes_on_behind_the_last_in_an_epoch_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut epochs = Vec::new();
    for opening in 0..4 {
        let (log, recovered) = open(Folder::new(folder.path()), 1 << 20);
        assert_eq!(recovered.next, u64::from(opening) * 10);
        append(&log, opening * 10..opening * 10 + 10).unwrap();
        epochs.push(log.epoch());
        log.close();
        assert_eq!(append(&log, 0..1), Err(AppendError::Closed));
    }
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 4);
    let (log, _) = open(Folder::new(folder.path()), 1 << 20);
    assert_eq!(read_all(log.reader(0)), ((0..40).collect(), vec![]));
    assert_eq!(read_all(Log::look(&Folder::new(folder.path())).unwrap()), ((0..40).collect(), vec![]));
}

#[test]
fn offsets_begin_above_what_anybody_has_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(Folder::new(folder.path()), 1 << 20);
    append(&log, 0..10).unwrap();
    log.close();
    let (log, recovered) = Log::open(Folder::new(folder.path()), Options { segment: 1 << 20, at_least: 25 }).unwrap();
    assert_eq!((recovered.next, log.next()), (25, 25));
    assert_eq!(append(&log, 25..30), Ok(Place { first: 25, next: 30 }));
    let seen: Vec<u32> = (0..10).chain(25..30).collect();
    assert_eq!(
        read_all(log.reader(0)),
        (seen, std::iter::once(10..25).collect()),
        "a reader that had not come so far is told of the gap"
    );
    assert_eq!(read_all(log.reader(25)), ((25..30).collect(), vec![]));
}

#[test]
fn segments_that_nobody_needs_go() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Folder::new(folder.path());
    let (log, _) = open(disk.clone(), 1_000);
    for number in 0..60 {
        append(&log, number * 10..number * 10 + 10).unwrap();
    }
    let (before, boundaries) = (log.bytes(), log.boundaries());
    assert!(boundaries.len() > 3, "{boundaries:?}");
    let wait_for = |log: &Log, eager, below| {
        log.trim(below, eager);
        append(log, 0..0).unwrap();
    };
    wait_for(&log, false, boundaries[2] + 1);
    assert_eq!(log.boundaries()[0], boundaries[2]);
    assert_eq!((log.first(), log.bytes() < before), (boundaries[2], true));
    wait_for(&log, false, 600);
    assert_eq!(log.boundaries().len(), 1, "the one in use stays");
    assert_eq!(disk.names().unwrap().len(), 1);
    log.trim(600, true);
    assert_eq!(append(&log, 600..610), Ok(Place { first: 600, next: 610 }));
    assert_eq!((log.first(), disk.names().unwrap().len()), (600, 1));
    assert_eq!(read_all(log.reader(0)), ((600..610).collect(), vec![]));
}

#[test]
fn a_batch_that_is_larger_than_a_segment_has_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(Folder::new(folder.path()), 256);
    for start in [0, 1_000, 2_000] {
        append(&log, start..start + 1_000).unwrap();
    }
    assert_eq!(log.boundaries(), [0, 1_000, 2_000]);
    assert_eq!(read_all(log.reader(0)), ((0..3_000).collect(), vec![]));
}

#[test]
fn a_folder_of_a_newer_format_is_left_as_it_is() {
    let disk = ModelDisk::default();
    let (log, _) = open(disk.clone(), 256);
    append(&log, 0..1).unwrap();
    log.close();
    let file = disk.files().remove(0);
    disk.change(&file, |bytes| {
        bytes[8] = 2;
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    });
    let error = Log::open(disk.clone(), options(256)).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "00000000000000000000.log has format 2, and this metricast knows format 1: a newer one wrote it"
    );
    assert_eq!(disk.files(), [file]);
}

#[test]
fn many_senders_share_syncs() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = open(Folder::new(folder.path()), 1 << 20);
    let (tell, told) = sync_channel(1_000);
    for number in 0..1_000 {
        let tell = tell.clone();
        log.append(draft(number..number + 1), move |answer| tell.send((number, answer)).unwrap());
    }
    for expected in 0..1_000 {
        let (number, answer) = told.recv().unwrap();
        assert_eq!((number, answer.unwrap().first), (expected, u64::from(expected)));
    }
    let (_, syncs) = *log.times().buckets().last().unwrap();
    assert!(syncs < 900, "{syncs} syncs for 1,000 drafts");
}
