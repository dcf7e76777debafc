//! What real nodes do not do on demand: a scripted one does it.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::read::GzDecoder;
use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_records::{Batch, EventMetrics, Metrics};
use metricast_sdk::{PublishError, Publisher as _, Receipt};
use serde_json::{Value, json};
use support::stub::{Answer, Request, Stub};

use super::{batch, event, open};

const OPENSEARCH: &str = r#"{"version":{"distribution":"opensearch","number":"2.19.4"}}"#;

/// A node where all stands, and `_bulk` is answered by the script.
fn node(bulk: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| if is_bulk(request) { bulk(request) } else { stands(request) })
}

fn is_bulk(request: &Request) -> bool {
    request.path.contains("/_bulk?")
}

fn stands(request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => Answer::text(200, OPENSEARCH),
        ("PUT", _) => Answer::json(200, &json!({ "acknowledged": true })),
        ("GET", path) if path.starts_with("/_resolve/") => Answer::json(200, &json!({ "data_streams": [{}] })),
        _ => Answer::empty(404),
    }
}

fn all_taken(request: &Request) -> Answer {
    items(&vec![json!({ "create": { "status": 201 } }); documents(request)])
}

fn items(items: &[Value]) -> Answer {
    Answer::json(200, &json!({ "errors": false, "items": items }))
}

fn documents(request: &Request) -> usize {
    request.text().lines().count() / 2
}

fn opened(stub: &Stub) -> ElasticsearchPublisher {
    open(&[stub.url()], "shop", &json!({})).unwrap()
}

fn events(count: usize) -> Batch {
    batch(&vec![Metrics::Event(event()); count])
}

/// What a batch of three records comes to.
fn outcome(bulk: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<Receipt, PublishError> {
    opened(&node(bulk)).publish(&events(3))
}

fn all_in_doubt() -> Receipt {
    Receipt { retryable: vec![0, 1, 2], in_doubt: vec![0, 1, 2], ..Receipt::default() }
}

#[test]
fn a_request_says_who_asks_and_what_the_answer_may_leave_out() {
    let stub = node(all_taken);
    let config = json!({ "api_key": "{placeholder:1}" });
    let mut publisher = open(&[format!("{}/behind/", stub.url())], "shop", &config);
    assert!(publisher.is_err(), "the stub stands at its root");
    publisher = open(&[format!("{}/", stub.url())], "shop", &config);
    assert_eq!(publisher.unwrap().publish(&events(1)).unwrap().accepted, 1);
    let requests = stub.requests();
    assert!(requests[0].path.starts_with("/behind/"), "{requests:?}");
    assert!(requests.iter().all(|request| request.header("authorization") == "ApiKey {placeholder:1}"));
    let bulk = requests.last().unwrap();
    assert_eq!((bulk.method.as_str(), bulk.header("content-type")), ("POST", "application/x-ndjson"));
    assert_eq!(bulk.path, "/_bulk?timeout=10s&filter_path=error,status,items.*.status,items.*.error");
}

#[test]
fn who_can_guard_data_streams_is_asked_to() {
    for (root, guarded) in [
        (r#"{"version":{"number":"8.19.0"}}"#, true),
        (r#"{"version":{"number":"8.12.2"}}"#, false),
        (OPENSEARCH, false),
        (r#"{"error":"no handler found for uri [/]"}"#, false),
    ] {
        let stub = Stub::start(move |request| match request.path.as_str() {
            "/" => Answer::text(if root.contains("error") { 400 } else { 200 }, root),
            _ if is_bulk(request) => all_taken(request),
            _ => stands(request),
        });
        opened(&stub).publish(&events(1)).unwrap();
        let path = stub.requests().last().unwrap().path.clone();
        assert_eq!(path.contains("require_data_stream=true"), guarded, "{root}");
    }
}

#[test]
fn an_empty_batch_asks_nobody() {
    let stub = node(all_taken);
    let mut publisher = opened(&stub);
    let before = stub.requests().len();
    assert_eq!(publisher.publish(&events(0)), Ok(Receipt::default()));
    assert_eq!(stub.requests().len(), before);
}

#[test]
fn an_answer_that_says_nothing_leaves_all_in_doubt() {
    let answers = [
        Answer::HangUp,
        Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"errors\":false".to_vec()),
        Answer::text(200, "<html>It works!</html>"),
        Answer::text(200, r#"{"errors":false,"items":[{"create":{"sta"#),
        items(&vec![json!({ "create": { "status": 201 } }); 2]),
        items(&vec![json!({ "create": { "status": 201 } }); 4]),
        Answer::empty(502),
        Answer::empty(504),
        Answer::text(500, "{}"),
    ];
    for answer in answers {
        let script = answer.clone();
        assert_eq!(outcome(move |_| script.clone()), Ok(all_in_doubt()), "{answer:?}");
    }
}

#[test]
fn a_request_that_nobody_took_is_not_in_doubt() {
    let date = "Sun, 22 Nov 2026 17:29:41 GMT";
    for (answer, reason, wait) in [
        (Answer::text(429, "slow down").with_header("retry-after", "7"), "POST /_bulk: 429 slow down", Some(7000)),
        (
            Answer::empty(503).with_header("date", "Sun, 22 Nov 2026 17:29:31 GMT").with_header("retry-after", date),
            "POST /_bulk: 503",
            Some(10_000),
        ),
        (Answer::empty(404), "POST /_bulk: 404", None),
        (
            Answer::empty(302).with_header("location", "https://login/"),
            "POST /_bulk: 302: it points to https://login/, and redirects are not followed",
            None,
        ),
    ] {
        let expected = PublishError::Unavailable { reason: reason.into(), retry_after_ms: wait };
        assert_eq!(outcome(move |_| answer.clone()), Err(expected));
    }
}

#[test]
fn credentials_that_are_refused_are_told_apart() {
    let body = json!({ "error": { "type": "security_exception", "reason": "no permissions" }, "status": 403 });
    let expected = PublishError::Unauthorized("POST /_bulk: 403 security_exception no permissions".into());
    assert_eq!(outcome(move |_| Answer::json(403, &body)), Err(expected));
    let told = Stub::start(|_| Answer::text(401, "Unauthorized"));
    let expected = PublishError::Unauthorized("GET /: 401 Unauthorized".into());
    assert_eq!(open(&[told.url()], "shop", &json!({})).unwrap_err(), expected);
}

#[test]
fn what_is_too_large_is_halved_down_to_one() {
    let stub =
        node(|request| if request.body.len() > 1000 { Answer::text(413, "too large") } else { all_taken(request) });
    let large = EventMetrics { task_id: "x".repeat(1000), ..event() };
    let mut records = vec![Metrics::Event(event()); 9];
    records[4] = Metrics::Event(large);
    let receipt = opened(&stub).publish(&batch(&records)).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (8, 0, 1), "{receipt:?}");
    assert_eq!(receipt.rejected[0].index, 4);
    let reason = &receipt.rejected[0].reason;
    assert!(reason.ends_with("is larger than the server takes: 413 too large"), "{reason}");
    let taken = stub.requests().iter().filter(|it| is_bulk(it) && it.body.len() <= 1000).map(documents).sum::<usize>();
    assert_eq!(taken, 8, "each was sent in one part that was taken");
}

#[test]
fn a_connection_that_breaks_between_two_halves_leaves_each_part_its_own_outcome() {
    let small = AtomicUsize::new(0);
    let receipt = opened(&node(move |request| match documents(request) {
        8 => Answer::empty(413),
        4 if small.fetch_add(1, Ordering::SeqCst) == 0 => Answer::empty(413),
        2 if small.fetch_add(1, Ordering::SeqCst) == 1 => all_taken(request),
        _ => Answer::HangUp,
    }))
    .publish(&events(8))
    .unwrap();
    let expected =
        Receipt { accepted: 2, retryable: vec![2, 3, 4, 5, 6, 7], in_doubt: vec![2, 3], ..Receipt::default() };
    assert_eq!(receipt, expected);
}

#[test]
fn the_next_host_stands_in_for_one_that_cannot_be_reached() {
    let stub = node(all_taken);
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let mut publisher = open(&[closed.clone(), stub.url()], "shop", &json!({})).unwrap();
    assert_eq!(publisher.publish(&events(1)).unwrap().accepted, 1);
    let told = open(std::slice::from_ref(&closed), "shop", &json!({})).unwrap_err();
    assert!(matches!(&told, PublishError::Unavailable { reason, .. } if reason.starts_with(&closed)), "{told}");
}

#[test]
fn a_stream_that_is_gone_is_made_anew_before_the_next_batch() {
    let gone = json!({ "create": { "status": 404, "error": { "type": "index_not_found_exception", "reason": "no such index" } } });
    let calls = AtomicUsize::new(0);
    let stub = node(move |request| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => items(std::slice::from_ref(&gone)),
        _ => all_taken(request),
    });
    let mut publisher = opened(&stub);
    let expected = PublishError::unavailable("404 index_not_found_exception no such index");
    assert_eq!(publisher.publish(&events(1)), Err(expected));
    assert_eq!(publisher.publish(&events(1)).unwrap().accepted, 1);
    let made = stub.requests().iter().filter(|it| it.method == "PUT" && it.path == "/_data_stream/shop-event").count();
    assert_eq!(made, 2);
}

#[test]
fn a_document_that_the_server_cannot_read_is_rejected_alone() {
    let malformed =
        json!({ "error": { "type": "illegal_argument_exception", "reason": "Malformed action" }, "status": 400 });
    let bad = move |request: &Request| {
        if request.text().contains("test-10\"") { Answer::json(400, &malformed) } else { all_taken(request) }
    };
    let receipt = outcome(bad).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len(), receipt.rejected.len()), (2, 0, 1), "{receipt:?}");
    assert!(receipt.rejected[0].reason.contains("400 illegal_argument_exception Malformed action"), "{receipt:?}");
}

#[test]
fn a_400_of_something_in_between_loses_nothing() {
    let told = outcome(|_| Answer::text(400, "<html>Request blocked</html>")).unwrap_err();
    let PublishError::Unavailable { reason, .. } = &told else { panic!("{told:?}") };
    assert!(reason.contains("400") && reason.contains("Request blocked"), "{reason}");
}

#[test]
fn a_compressed_body_says_so_and_is_smaller() {
    let sent = |compression: &str| {
        let stub = node(|_| items(&vec![json!({ "create": { "status": 201 } }); 100]));
        let mut publisher = open(&[stub.url()], "shop", &json!({ "compression": compression })).unwrap();
        assert_eq!(publisher.publish(&events(100)).unwrap().accepted, 100);
        stub.requests().pop().unwrap()
    };
    let (plain, gzip) = (sent("none"), sent("gzip"));
    assert_eq!((plain.header("content-encoding"), gzip.header("content-encoding")), ("", "gzip"));
    assert!(gzip.body.len() * 5 < plain.body.len(), "{} of {}", gzip.body.len(), plain.body.len());
    let mut text = String::new();
    GzDecoder::new(gzip.body.as_slice()).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
}
