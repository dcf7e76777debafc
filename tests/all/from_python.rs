//! The class of `docs/from-python.md`, run as it stands there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use support::metricast::Metricast;
use support::ports;
use support::stub::{Answer, Stub};

/// The two blocks of the page: the class, and its use.
fn program() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-python.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    format!("{}\n\n{}\nprint(refused)\n", blocks[0], blocks[1])
}

fn run(url: &str, more: &str) -> Output {
    let program = program().replace("MetricastPublisher()", &format!("MetricastPublisher({url:?}{more})"));
    Command::new("python3").args(["-c", &program]).output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn its_records_arrive() {
    let ingest = ports::free();
    let scrape = ports::free();
    let metricast = Metricast::run(&format!(
        "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[[publishers]]\nname = \"scrape\"\nplugin = \"prometheus\"\n\
         [publishers.config]\nport = {scrape}\n"
    ));
    assert_eq!(out(&run(&format!("http://127.0.0.1:{ingest}"), "")), "[]");
    let page = support::wait::until("both records are counted", Duration::from_secs(10), || {
        let page =
            ureq::get(format!("http://127.0.0.1:{scrape}/metrics")).call().ok()?.body_mut().read_to_string().ok()?;
        page.contains("network_operations_total{operation=\"http_get\",outcome=\"success\"} 1").then_some(page)
    });
    assert!(page.contains("event_duration_seconds_sum{event_name=\"Pay\",status=\"completed\"} 0.25"), "{page}");
    drop(metricast);
}

#[test]
fn a_full_queue_is_waited_for_and_refused_lines_come_back() {
    let stub = Stub::start({
        let calls = AtomicU32::new(0);
        move |_| match calls.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::empty(503).with_header("retry-after", "0"),
            _ => Answer::json(400, &json!({ "accepted": 0, "refused": [{ "line": 1, "reason": "no record" }] })),
        }
    });
    assert_eq!(out(&run(&stub.url(), "")), "[{'line': 1, 'reason': 'no record'}]");
    let requests = stub.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].text(), requests[1].text(), "nothing is lost on the way");
    assert_eq!(requests[0].text().lines().count(), 2);
}

#[test]
fn where_nobody_takes_records_it_raises() {
    let output = run(&format!("http://127.0.0.1:{}", ports::free()), ", patience=0.5");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("urllib.error.URLError"));
}
