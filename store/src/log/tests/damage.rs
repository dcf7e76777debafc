use super::*;
use crate::chance::seeds;

/// Five segments of several frames of ten records.
fn damaged(change: impl FnOnce(&ModelDisk, &[String])) -> ModelDisk {
    let disk = ModelDisk::default();
    let (log, _) = open(disk.clone(), 1_000);
    for number in 0..50 {
        append(&log, number * 10..number * 10 + 10).unwrap();
    }
    log.close();
    change(&disk, &disk.files());
    disk
}

/// Reads all anew: what is there and what is told as lost make up the whole, and what is lost is at most `most`.
fn check(disk: &ModelDisk, most: usize) -> usize {
    let (log, recovered) = open(disk.clone(), 1_000);
    let (found, lost) = read_all(log.reader(0));
    let told: Vec<u32> = lost.iter().flat_map(|range| range.start as u32..range.end as u32).collect();
    let cut = recovered.next as u32..500;
    let mut all: Vec<u32> = found.iter().copied().chain(told.iter().copied()).chain(cut).collect();
    all.sort_unstable();
    assert_eq!(all, (0..500).collect::<Vec<_>>(), "{lost:?}");
    let gone = 500 - found.len();
    assert!(gone <= most, "{gone} lost: {lost:?}");
    log.close();
    gone
}

#[test]
fn a_flipped_bit_costs_the_frame_that_it_hit() {
    for seed in seeds(300) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = damaged(|disk, files| {
            let file = &files[random.usize(..files.len())];
            disk.change(file, |bytes| {
                let bit = random.usize(..bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            });
        });
        check(&disk, 10);
    }
}

#[test]
fn a_wiped_stretch_costs_what_it_covered() {
    for seed in seeds(100) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = damaged(|disk, files| {
            let file = &files[random.usize(..files.len())];
            disk.change(file, |bytes| {
                let from = random.usize(..bytes.len());
                let to = (from + 200).min(bytes.len());
                bytes[from..to].fill_with(|| random.u8(..));
            });
        });
        check(&disk, 40);
    }
}

#[test]
fn a_file_that_is_cut_short_or_gone_costs_its_records() {
    for seed in seeds(100) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = damaged(|disk, files| {
            let file = &files[random.usize(..files.len())];
            disk.change(file, |bytes| bytes.truncate(random.usize(..bytes.len())));
        });
        check(&disk, 130);
    }
    let disk = damaged(|disk, files| disk.forget(&files[1]));
    assert!(check(&disk, 130) >= 50);
}

#[test]
fn damage_is_named_by_file_and_place() {
    let disk = damaged(|disk, files| disk.change(&files[0], |bytes| bytes[70] ^= 1));
    let (log, _) = open(disk.clone(), 1_000);
    let Some(Found::Damage(damage)) = log.reader(0).read().unwrap() else { panic!("the first frame is damaged") };
    assert_eq!(damage.to_string(), "the records 0 to 9 are lost: 00000000000000000000.log is damaged at byte 64");
}

#[test]
fn a_frame_in_somebodys_text_is_no_frame() {
    let disk = ModelDisk::default();
    let (log, _) = open(disk.clone(), 1 << 20);
    append(&log, 0..1).unwrap();
    let (tell, told) = sync_channel(1);
    let mut forged = Vec::new();
    draft(900..903).write(1, Epoch([0; EPOCH]), &mut forged);
    let text = Draft::new(1, b"note", |bytes| bytes.extend([vec![0; 4], forged].concat())).unwrap();
    log.append(text, move |answer| tell.send(answer).unwrap());
    told.recv().unwrap().unwrap();
    append(&log, 2..3).unwrap();
    log.close();
    let second = 64 + draft(0..1).length() as usize;
    disk.change(&disk.files()[0], |bytes| bytes[second] = 0);
    let (log, _) = open(disk, 1 << 20);
    assert_eq!(read_all(log.reader(0)), (vec![0, 2], std::iter::once(1..2).collect()));
}
