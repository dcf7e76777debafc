//! `POST /v1/records` of the running program: what it takes, and what it says of what it does not.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use support::metricast::Metricast;
use support::stub::{Answer, Stub};
use support::{http, ports};

pub(crate) const GOOD: &str =
    r#"{"event_name": "e", "start_time": 1795368571, "end_time": 1795368572, "status": "completed"}"#;

type Headers = &'static [(&'static str, &'static str)];

pub(crate) struct Running {
    pub(crate) metricast: Metricast,
    pub(crate) url: String,
    pub(crate) metrics: String,
}

/// A metricast with Prometheus.
pub(crate) fn running(ingest_keys: &str) -> Running {
    let (ingest, scrape) = (ports::free(), ports::free());
    let config = format!(
        "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n{ingest_keys}\n\
         [[publishers]]\nplugin = \"prometheus\"\n[publishers.config]\nport = {scrape}\n"
    );
    let metricast = Metricast::run(&config);
    let url = format!("http://127.0.0.1:{ingest}/v1/records");
    Running { metricast, url, metrics: format!("http://127.0.0.1:{scrape}/metrics") }
}

pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> http::Answer {
    let mut request = ::http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    http::send(&request.body(body).unwrap()).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_form_of_body_is_taken() {
    let running = running("");
    let lines = format!("{GOOD}\n{GOOD}\n");
    let array = format!("[{GOOD},\n{GOOD}]");
    let zstd = zstd::encode_all(lines.as_bytes(), 0).unwrap();
    let bodies: [(Headers, Vec<u8>); 6] = [
        (&[("content-type", "application/x-ndjson")], lines.clone().into()),
        (&[("content-type", "application/json")], array.clone().into()),
        (&[], array.into()),
        (&[("content-type", "application/x-www-form-urlencoded")], lines.clone().into()),
        (&[("content-type", "application/x-ndjson"), ("content-encoding", "gzip")], gzip(lines.as_bytes())),
        (&[("content-type", "application/x-ndjson"), ("content-encoding", "zstd")], zstd),
    ];
    let count = bodies.len();
    for (headers, body) in bodies {
        let answer = post(&running.url, headers, body);
        assert_eq!((answer.status, answer.json()), (200, json!({"accepted": 2, "refused": []})), "{headers:?}");
    }
    let series = format!("event_records_total{{event_name=\"e\",status=\"completed\"}} {}\n", 2 * count);
    support::wait::until("the records", Duration::from_secs(10), || {
        http::get(&running.metrics).unwrap().text().contains(&series).then_some(())
    });
    let (status, log) = running.metricast.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_bad_line_is_named_and_the_rest_is_stored() {
    let running = running("");
    let some = post(&running.url, &[], format!("{GOOD}\n{{\"event_name\": 7}}\n{GOOD}\n").into());
    assert_eq!(some.status, 200);
    let reason = "event_name: must be text, and this is the number 7";
    assert_eq!(some.json(), json!({"accepted": 2, "refused": [{"line": 2, "reason": reason}]}));
    let none = post(&running.url, &[], b"no JSON".to_vec());
    assert_eq!((none.status, &none.json()["accepted"]), (400, &Value::from(0)));
    let nothing = post(&running.url, &[], Vec::new());
    assert_eq!((nothing.status, nothing.json()), (200, json!({"accepted": 0, "refused": []})));
}

#[test]
fn what_cannot_be_read_is_a_problem_with_its_reason() {
    let running = running("max_body = \"1KiB\"\n");
    let problem = |headers: &[(&str, &str)], body: Vec<u8>| {
        let answer = post(&running.url, headers, body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let json = answer.json();
        assert_eq!(json["status"], answer.status);
        (answer.status, json["detail"].as_str().unwrap().to_owned())
    };
    let too_large = (413, "the body is larger than 1024 bytes (decompressed); send it in parts".to_owned());
    assert_eq!(problem(&[], vec![b' '; 1025]), too_large);
    let bomb = gzip(&vec![b' '; 1 << 20]);
    assert!(bomb.len() < 8 << 10);
    assert_eq!(problem(&[("content-encoding", "gzip")], bomb), too_large);
    let (status, detail) = problem(&[("content-encoding", "br")], b"x".to_vec());
    assert_eq!((status, detail.as_str()), (415, "content encoding \"br\" is not known: gzip, zstd and identity are"));
    let (status, detail) = problem(&[("content-type", "text/xml")], b"<x/>".to_vec());
    assert_eq!(status, 415);
    assert!(detail.contains("application/x-ndjson") && detail.contains("application/json"), "{detail}");
    let (status, detail) = problem(&[("content-encoding", "gzip")], b"no gzip".to_vec());
    assert_eq!(status, 400);
    assert!(detail.starts_with("the body cannot be unpacked as gzip, "), "{detail}");
    let elsewhere = http::get(running.url.trim_end_matches("/records")).unwrap();
    assert_eq!(elsewhere.status, 404);
    let got = http::get(&running.url).unwrap();
    assert_eq!((got.status, got.header("allow")), (405, "POST"));
    assert_eq!(got.json()["detail"], "GET gets nothing here: records come by POST");
    assert_eq!(post(&running.url, &[], GOOD.into()).json(), json!({"accepted": 1, "refused": []}));
}

#[test]
fn a_full_queue_says_when_to_come_again_and_loses_nothing() {
    let (ingest, stub) = (ports::free(), Stub::start(|_| Answer::empty(503).with_header("retry-after", "1")));
    let config = format!(
        "drain_timeout = \"1s\"\n[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n\
         [queue]\nmax_size = \"1KiB\"\nwhen_full = \"reject\"\n\
         [[publishers]]\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"{}\"]\nindex_prefix = \"x\"\n",
        stub.url()
    );
    let metricast = Metricast::run(&config);
    let url = format!("http://127.0.0.1:{ingest}/v1/records");
    let full = (0..100).find_map(|_| {
        let answer = post(&url, &[], format!("{GOOD}\n").repeat(5).into());
        (answer.status == 503).then_some(answer)
    });
    let full = full.expect("1 KiB is soon full");
    assert_eq!((full.header("retry-after"), full.json()["title"].as_str()), ("1", Some("no room")));
    thread::sleep(Duration::from_millis(100));
    let (status, log) = metricast.stop();
    assert_eq!(status.code(), Some(3), "{log}");
}
