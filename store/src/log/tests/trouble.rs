use super::*;

#[test]
fn a_full_disk_is_told_and_it_goes_on_when_there_is_room() {
    for segment in [512, 1 << 16] {
        let disk = ModelDisk::default();
        let (log, _) = open(disk.clone(), segment);
        append(&log, 0..10).unwrap();
        let used: usize = disk.files().iter().map(|file| disk.open(file).unwrap().length().unwrap() as usize).sum();
        disk.set_room(Some(used + 300));
        let mut next = 10;
        let error = loop {
            match append(&log, next..next + 200) {
                Ok(_) => next += 200,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::DiskFull(_)), "{error}");
        assert!(matches!(append(&log, next..next + 200), Err(AppendError::DiskFull(_))));
        assert_eq!(read_all(log.reader(0)), ((0..next).collect(), vec![]));
        disk.set_room(None);
        append(&log, next..next + 3).unwrap();
        append(&log, next + 3..next + 300).unwrap();
        assert_eq!(read_all(log.reader(0)), ((0..next + 300).collect(), vec![]));
        log.close();
        let (log, recovered) = open(disk, segment);
        assert_eq!((read_all(log.reader(0)), recovered.damage), (((0..next + 300).collect(), vec![]), vec![]));
        log.close();
    }
}

#[test]
fn the_last_of_a_disk_is_left_to_the_database() {
    let disk = ModelDisk::default();
    let (log, _) = open(disk.clone(), 512);
    append(&log, 0..10).unwrap();
    disk.set_free(Some((8 << 20) + 400));
    let error = (1..100).find_map(|at| append(&log, at * 10..at * 10 + 10).err()).unwrap();
    assert_eq!(error.to_string(), "the disk is full: 8 MiB are free, of which the last 8 are the database's");
    disk.set_free(Some((8 << 20) + 600));
    append(&log, 5_000..5_010).unwrap();
    log.close();
}

#[test]
fn after_a_sync_that_failed_nothing_is_taken_before_the_log_is_opened_anew() {
    let disk = ModelDisk::default();
    let (log, _) = open(disk.clone(), 1 << 16);
    append(&log, 0..10).unwrap();
    disk.fail_syncs(1);
    for _ in 0..3 {
        let error = append(&log, 10..20).unwrap_err();
        assert_eq!(error.to_string(), "the disk failed, and nothing is taken before a restart: the disk went away");
    }
    assert_eq!(log.next(), 10, "what nobody was told of is not read");
    assert_eq!(read_all(log.reader(0)).0, (0..10).collect::<Vec<_>>());
    log.close();
    let (log, _) = open(disk, 1 << 16);
    assert!(append(&log, 500..510).is_ok());
}

#[test]
fn drafts_behind_one_that_finds_no_room_are_refused_with_it() {
    let disk = ModelDisk::default();
    disk.set_room(Some(100));
    let (log, _) = open(disk.clone(), 512);
    let (tell, told) = sync_channel(3);
    for number in 0..3 {
        let tell = tell.clone();
        log.append(draft(number..number + 1), move |answer| tell.send(answer).unwrap());
    }
    for _ in 0..3 {
        assert!(matches!(told.recv().unwrap(), Err(AppendError::DiskFull(_))));
    }
    disk.set_room(None);
    assert_eq!(append(&log, 0..1), Ok(Place { first: 0, next: 1 }));
}
