//! However it ends, what was acknowledged is delivered after the next start; a disk that is full takes nothing and harms
//! nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::metricast::Metricast;
use support::search::Node;
use support::{http as client, ports, wait};

const PATIENCE: Duration = Duration::from_secs(40);

fn config(queue: &Path, ingest: u16, host: &str, prefix: &str) -> String {
    format!(
        "drain_timeout = \"1s\"\n[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[queue]\npath = \"{}\"\nmax_size = \"16MiB\"\n\
         [[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\nretry = {{ max = \"1s\" }}\n[publishers.config]\n\
         hosts = [\"{host}\"]\nindex_prefix = \"{prefix}\"\nindices = \"daily\"\nmax_past = \"36500d\"\n",
        queue.display()
    )
}

fn send(ingest: u16, number: u64, padding: usize) -> u16 {
    let line = json!({"event_name": "Pack", "task_id": number.to_string(), "start_time": 1, "end_time": 2, "status": "completed", "note": "x".repeat(padding)});
    let url = format!("http://127.0.0.1:{ingest}/v1/records");
    client::post(&url, "application/json", line.to_string()).unwrap().status
}

fn documents(node: &Node, prefix: &str) -> u64 {
    let _ = client::post(&format!("{}/{prefix}-*/_refresh", node.url()), "application/json", "");
    let answer = client::get(&format!("{}/{prefix}-*/_count", node.url())).unwrap();
    answer.json()["count"].as_u64().unwrap_or(0)
}

fn prefix() -> String {
    format!("stopping{}", fastrand::u32(..))
}

#[test]
fn what_a_stop_leaves_is_delivered_after_the_next_start() {
    let Some(node) = Node::shared() else { return };
    let (folder, ingest, prefix) = (tempfile::tempdir().unwrap(), ports::free(), prefix());
    let queue = folder.path().join("queue");
    let away = format!("http://127.0.0.1:{}", ports::free());
    let mut sent = 0;
    for second_signal in [false, true] {
        let running = Metricast::run(&config(&queue, ingest, &away, &prefix));
        for _ in 0..20 {
            assert_eq!(send(ingest, sent, 0), 200);
            sent += 1;
        }
        if second_signal {
            assert!(Command::new("kill").arg(running.id().to_string()).status().unwrap().success());
            running.wait_for_line("stopping: ");
            // What comes sooner is the same signal once more.
            std::thread::sleep(Duration::from_millis(400));
        }
        let (status, log) = running.stop();
        assert_eq!(status.code(), Some(3), "{log}");
        assert_eq!(second_signal, log.contains("a second signal: what is not delivered is given up"), "{log}");
    }
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    wait::until("all is there", PATIENCE, || (documents(&node, &prefix) == sent).then_some(()));
    let (status, log) = running.stop();
    assert_eq!((status.code(), documents(&node, &prefix)), (Some(0), sent), "{log}");
}

#[test]
fn a_second_one_is_told_who_has_the_folder() {
    let (folder, ingest) = (tempfile::tempdir().unwrap(), ports::free());
    let queue = folder.path().join("queue");
    let running = Metricast::run(&config(&queue, ingest, "http://127.0.0.1:1", "x"));
    let second = Metricast::spawn(&config(&queue, ports::free(), "http://127.0.0.1:1", "x"), &[]);
    let (status, log) = second.wait();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains(&format!("in use by the metricast with process id {}", running.id())), "{log}");
}

#[test]
fn damage_costs_what_it_hit_and_is_named() {
    let Some(node) = Node::shared() else { return };
    let (folder, ingest, prefix) = (tempfile::tempdir().unwrap(), ports::free(), prefix());
    let queue = folder.path().join("queue");
    let running = Metricast::run(&config(&queue, ingest, "http://127.0.0.1:1", &prefix));
    for number in 0..100 {
        assert_eq!(send(ingest, number, 200), 200);
    }
    drop(running);
    let segment = fs::read_dir(queue.join("log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let text = b"\"57\"".as_slice();
    let hit = bytes.windows(4).position(|window| window == text).unwrap_or(10_000);
    bytes[hit + 1] ^= 0x40;
    fs::write(&segment, bytes).unwrap();
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    wait::until("the rest is there", PATIENCE, || (documents(&node, &prefix) == 99).then_some(()));
    running.wait_for_line("the queue is damaged: the records ");
    let (status, log) = running.stop();
    assert!(status.code() == Some(3) && log.contains("undelivered=1"), "what is lost is not delivered: {log}");
}

/// A small file system of its own; unmounted when it is dropped.
struct Small(tempfile::TempDir);

impl Small {
    /// None where none may be mounted.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("skipped: no small file system can be mounted here");
        }
        mounted.then(|| Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_takes_nothing_harms_nothing_and_is_got_over() {
    let Some(node) = Node::shared() else { return };
    let Some(small) = Small::mount("24m") else { return };
    let (ingest, prefix) = (ports::free(), prefix());
    let queue = small.0.path().join("queue");
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    assert_eq!(send(ingest, 0, 0), 200);
    let foreign = small.0.path().join("foreign");
    let _ = fs::write(&foreign, vec![1; 32 << 20]);
    let mut taken = 1;
    let refused = || {
        let status = send(ingest, taken, 50_000);
        taken += u64::from(status == 200);
        assert!([200, 503].contains(&status), "{status}");
        (status == 503).then_some(())
    };
    wait::until("the disk is full", PATIENCE, refused);
    wait::until("what was taken is delivered all the same", PATIENCE, || {
        (documents(&node, &prefix) == taken).then_some(())
    });
    fs::remove_file(foreign).unwrap();
    let mut more = 0;
    wait::until("it takes records again", PATIENCE, || {
        let again = send(ingest, 1_000_000, 50_000) == 200;
        more += u64::from(again);
        again.then_some(())
    });
    wait::until("and delivers them", PATIENCE, || (documents(&node, &prefix) == taken + more).then_some(()));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    assert_eq!(running.stop().0.code(), Some(0), "nothing is damaged");
    assert_eq!(documents(&node, &prefix), taken + more);
}
