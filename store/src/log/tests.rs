use std::sync::mpsc::sync_channel;

use super::*;

mod damage;
mod model_disk;
mod plain;
mod power_cut;
mod trouble;

use model_disk::ModelDisk;

/// What frames hold in these tests: each record is a number of its own.
fn draft(numbers: Range<u32>) -> Draft {
    let body: Vec<u8> = numbers.clone().flat_map(u32::to_le_bytes).collect();
    Draft::new(numbers.len() as u32, b"note", |bytes| bytes.extend_from_slice(&body)).unwrap()
}

fn numbers(frame: &Frame) -> Vec<u32> {
    assert_eq!(frame.note(), b"note");
    frame.body().chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn options(segment: u64) -> Options {
    Options { segment, at_least: 0 }
}

fn open<D: Disk>(disk: D, segment: u64) -> (Log<D>, Recovered) {
    Log::open(disk, options(segment)).unwrap()
}

/// Appends and waits for the answer.
fn append<D: Disk>(log: &Log<D>, numbers: Range<u32>) -> Result<Place, AppendError> {
    let (tell, told) = sync_channel(1);
    log.append(draft(numbers), move |answer| tell.send(answer).unwrap());
    told.recv().unwrap()
}

/// All that a reader finds, and what it says is lost.
fn read_all<D: Disk>(mut reader: Reader<D>) -> (Vec<u32>, Vec<Range<u64>>) {
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    while let Some(next) = reader.read().unwrap() {
        match next {
            Found::Frame(frame) => {
                assert_eq!(frame.next - frame.first, numbers(&frame).len() as u64);
                found.extend(numbers(&frame));
            }
            Found::Damage(damage) => lost.push(damage.offsets),
        }
    }
    (found, lost)
}
