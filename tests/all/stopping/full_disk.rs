//! A disk that is full takes nothing and harms nothing, and is got over by itself, or by the next start.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Command, Metricast, Node, PATIENCE, client, config, documents, ports, post, prefix, send, wait};

/// A small file system of its own; unmounted when it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// None where none may be mounted: the test is skipped.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        if !mounted {
            support::skipped("no small file system can be mounted here");
        }
        mounted.then(|| Self(folder))
    }

    fn queue(&self) -> PathBuf {
        self.0.path().join("queue")
    }

    fn foreign(&self) -> PathBuf {
        self.0.path().join("foreign")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let written = fs::write(self.foreign(), vec![1; 32 << 20]);
        assert!(written.is_err(), "there is more space than was asked for");
    }

    fn free(&self) {
        fs::remove_file(self.foreign()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Sends until the disk takes no more: how many were taken, and the answer to the first that was not.
fn send_until_full(ingest: u16, mut taken: u64) -> (u64, client::Answer) {
    let refused = wait::until("the disk is full", PATIENCE, || {
        let answer = post(ingest, taken, 50_000);
        taken += u64::from(answer.status == 200);
        assert!([200, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
        (answer.status == 503).then_some(answer)
    });
    (taken, refused)
}

/// Sends the same until it is taken.
fn send_until_taken(ingest: u16) {
    wait::until("it takes records again", PATIENCE, || (send(ingest, 1_000_000, 50_000) == 200).then_some(()));
}

fn expect_documents(node: &Node, prefix: &str, number: u64) {
    wait::until("all that was taken is there", PATIENCE, || (documents(node, prefix) == number).then_some(()));
}

#[test]
fn a_full_disk_takes_nothing_harms_nothing_and_is_got_over() {
    let Some(node) = Node::shared() else { return };
    let Some(small) = Small::mount() else { return };
    let (ingest, prefix) = (ports::free(), prefix());
    let running = Metricast::run(&config(&small.queue(), ingest, &node.url(), &prefix));
    assert_eq!(send(ingest, 0, 0), 200);
    small.fill();
    let (taken, refused) = send_until_full(ingest, 1);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{:?}", refused.headers);
    assert!(refused.text().contains("the disk is full"), "{}", refused.text());
    expect_documents(&node, &prefix, taken);
    small.free();
    send_until_taken(ingest);
    expect_documents(&node, &prefix, taken + 1);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let running = Metricast::run(&config(&small.queue(), ingest, &node.url(), &prefix));
    assert_eq!(running.stop().0.code(), Some(0), "nothing is damaged");
    assert_eq!(documents(&node, &prefix), taken + 1);
}

#[test]
fn killed_on_a_full_disk_it_loses_nothing_and_goes_on_when_there_is_space() {
    let Some(node) = Node::shared() else { return };
    let Some(small) = Small::mount() else { return };
    let (ingest, prefix) = (ports::free(), prefix());
    let running = Metricast::run(&config(&small.queue(), ingest, "http://127.0.0.1:1", &prefix));
    assert_eq!(send(ingest, 0, 0), 200);
    small.fill();
    let (taken, _) = send_until_full(ingest, 1);
    drop(running);
    small.free();
    let running = Metricast::run(&config(&small.queue(), ingest, &node.url(), &prefix));
    expect_documents(&node, &prefix, taken);
    send_until_taken(ingest);
    expect_documents(&node, &prefix, taken + 1);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn what_is_rejected_while_the_disk_is_full_is_one_dead_letter_each() {
    let Some(node) = Node::shared() else { return };
    let Some(small) = Small::mount() else { return };
    let (ingest, prefix) = (ports::free(), prefix());
    // Records of 1970 are too old for it by its own rule.
    let config =
        config(&small.queue(), ingest, &node.url(), &prefix).replace("max_past = \"36500d\"", "max_past = \"1d\"");
    let running = Metricast::run(&config);
    assert_eq!(send(ingest, 0, 0), 200);
    running.wait_for_line("a record was rejected");
    small.fill();
    let (taken, _) = send_until_full(ingest, 1);
    drop(running);
    small.free();
    let running = Metricast::run(&config);
    running.wait_for_line("records at http://");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let queue = small.queue().display().to_string();
    let listed = support::metricast::output(["dead-letters", "list", "--queue", &queue, "--each", "--json"]);
    let told = String::from_utf8(listed.stdout).unwrap();
    let letter = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let mut offsets: Vec<u64> = told.lines().map(|line| letter(line)["offset"].as_u64().unwrap()).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, (0..taken).collect::<Vec<_>>(), "{}", String::from_utf8_lossy(&listed.stderr));
}
