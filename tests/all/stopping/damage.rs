//! What is damaged in the folder is named by its place and left out; the rest is delivered.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Metricast, Node, PATIENCE, config, documents, ports, prefix, send, wait};

const RECORDS: u64 = 100;

/// The one segment that 100 records, a write each, are in, of a metricast that was killed.
fn written(queue: &Path, ingest: u16, prefix: &str) -> PathBuf {
    let running = Metricast::run(&config(queue, ingest, "http://127.0.0.1:1", prefix));
    for number in 0..RECORDS {
        assert_eq!(send(ingest, number, 200), 200);
    }
    drop(running);
    let files: Vec<PathBuf> = fs::read_dir(queue.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Where the write with this number begins.
fn place(bytes: &[u8], number: usize) -> usize {
    let writes = bytes.windows(4).enumerate().filter(|(_, window)| window == b"mcf1");
    writes.map(|(place, _)| place).nth(number).expect("so many writes are there")
}

#[test]
fn a_flipped_bit_costs_the_write_that_it_hit_and_is_named() {
    let Some(node) = Node::shared() else { return };
    let (folder, ingest, prefix) = (tempfile::tempdir().unwrap(), ports::free(), prefix());
    let queue = folder.path().join("queue");
    let segment = written(&queue, ingest, &prefix);
    let mut bytes = fs::read(&segment).unwrap();
    let begin = place(&bytes, 57);
    bytes[begin + 100] ^= 0x40;
    fs::write(&segment, bytes).unwrap();
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    wait::until("the rest is there", PATIENCE, || (documents(&node, &prefix) == RECORDS - 1).then_some(()));
    let name = segment.file_name().unwrap().display();
    running.wait_for_line(&format!(
        "the queue is damaged: the records 57 to 57 are lost: {name} is damaged at byte {begin}"
    ));
    let (status, log) = running.stop();
    assert!(status.code() == Some(3) && log.contains("undelivered=1"), "what is lost is not delivered: {log}");
}

#[test]
fn a_file_cut_short_costs_what_stood_behind_the_cut_and_is_gone_on_with() {
    let Some(node) = Node::shared() else { return };
    let (folder, ingest, prefix) = (tempfile::tempdir().unwrap(), ports::free(), prefix());
    let queue = folder.path().join("queue");
    let segment = written(&queue, ingest, &prefix);
    let bytes = fs::read(&segment).unwrap();
    let begin = place(&bytes, 57);
    fs::write(&segment, &bytes[..begin + 100]).unwrap();
    let folder = queue.display().to_string();
    let verified = support::metricast::output(["queue", "verify", "--queue", &folder]);
    let told = String::from_utf8(verified.stdout).unwrap();
    let name = segment.file_name().unwrap().display();
    assert_eq!(verified.status.code(), Some(1), "{told}");
    assert!(told.starts_with(&format!("log/{name} at byte {begin}: ")), "{told}");
    assert!(told.contains(" bytes at its end are no whole write: "), "{told}");

    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    wait::until("the whole writes are there", PATIENCE, || (documents(&node, &prefix) == 57).then_some(()));
    assert_eq!(send(ingest, 1_000_000, 0), 200);
    wait::until("and what comes after", PATIENCE, || (documents(&node, &prefix) == 58).then_some(()));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let verified = support::metricast::output(["queue", "verify", "--queue", &folder]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
}
