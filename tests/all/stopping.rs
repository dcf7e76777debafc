//! However it ends, what was acknowledged is delivered after the next start; damage costs what it hit, and a full disk
//! nothing.

mod damage;
mod full_disk;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

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
    post(ingest, number, padding).status
}

fn post(ingest: u16, number: u64, padding: usize) -> client::Answer {
    let line = json!({"event_name": "Pack", "task_id": number.to_string(), "start_time": 1, "end_time": 2, "status": "completed", "note": "x".repeat(padding)});
    let url = format!("http://127.0.0.1:{ingest}/v1/records");
    client::post(&url, "application/json", line.to_string()).unwrap()
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
            begin_stop(&running);
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
    running.wait_for_line("the queue is open");
    let second = Metricast::spawn(&config(&queue, ports::free(), "http://127.0.0.1:1", "x"), &[]);
    let (status, log) = second.wait();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains(&format!("in use by the metricast with process id {}", running.id())), "{log}");
}

/// Sends SIGTERM, and waits till another one is a second.
fn begin_stop(running: &Metricast) {
    assert!(Command::new("kill").arg(running.id().to_string()).status().unwrap().success());
    running.wait_for_line("stopping: ");
    // What comes sooner is the same signal once more.
    std::thread::sleep(Duration::from_millis(400));
}

#[test]
fn a_second_signal_ends_a_long_wait_for_a_hung_backend_and_loses_nothing() {
    let Some(node) = Node::shared() else { return };
    let (folder, ingest, prefix) = (tempfile::tempdir().unwrap(), ports::free(), prefix());
    let queue = folder.path().join("queue");
    // Who connects gets no answer, ever.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("http://{}", hung.local_addr().unwrap());
    let patient =
        config(&queue, ingest, &backend, &prefix).replace("drain_timeout = \"1s\"", "drain_timeout = \"60s\"");
    let running = Metricast::run(&patient);
    for number in 0..20 {
        assert_eq!(send(ingest, number, 0), 200);
    }
    let began = Instant::now();
    begin_stop(&running);
    let (status, log) = running.stop();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}: {log}", began.elapsed());
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("a second signal: what is not delivered is given up"), "{log}");
    let running = Metricast::run(&config(&queue, ingest, &node.url(), &prefix));
    wait::until("all is there", PATIENCE, || (documents(&node, &prefix) == 20).then_some(()));
    let (status, log) = running.stop();
    assert_eq!((status.code(), documents(&node, &prefix)), (Some(0), 20), "{log}");
}
