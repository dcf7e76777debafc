//! What a sender is answered, whatever becomes of its records.

use std::time::Duration;

use metricast_records::body;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::config::VARIABLE;
use crate::delivery::PATIENCE;
use crate::publisher::{Flushed, LateRejection, Profile, PublishError, Receipt};
use crate::request::Head;
use crate::service::{Next, Service};
use crate::stub::{Stub, away};

const GOOD: &str = r#"{"event_name":"e","start_time":1}"#;
const NETWORK: &str = r#"{"operation":"o","host":"h","start_time":1}"#;

fn post_with(service: &Service<&Stub>, headers: &[(&str, &str)], body: &str) -> Answer {
    let head = Head::new("POST", "/v1/records?x=1", headers);
    match service.begin(&head) {
        Next::Body(mut intake) => {
            intake.push(body.as_bytes()).unwrap();
            service.records(&head, intake.finish().unwrap())
        }
        Next::Answer(answer) => answer,
    }
}

fn post(service: &Service<&Stub>, body: &str) -> Answer {
    post_with(service, &[], body)
}

fn ask(service: &Service<&Stub>, method: &str, path: &str) -> Answer {
    let Next::Answer(answer) = service.begin(&Head::new(method, path, &[("Accept", "text/x")])) else {
        panic!("{method} {path} wants a body")
    };
    answer
}

impl Answer {
    fn value(&self) -> Value {
        assert!(self.body.ends_with(b"\n"));
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

fn again(retryable: &[u32], accepted: u32) -> Receipt {
    Receipt { accepted, retryable: retryable.to_vec(), ..Receipt::default() }
}

#[test]
fn what_the_backend_takes_is_answered_as_by_the_ingest() {
    let stub = Stub::default();
    let body = format!("{GOOD}\n\nno record\n{NETWORK}\n");
    let answer = post(&Service::new(&stub), &body);
    let ingest = body::take(body.as_bytes(), None, 5.0).unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (ingest.status(), Some("application/json")));
    assert_eq!(String::from_utf8(answer.body).unwrap(), ingest.answer());
    assert_eq!(*stub.calls.borrow(), [("1".to_owned(), vec![0, 1], false)]);
}

#[test]
fn where_no_line_is_a_record_the_publisher_is_not_asked() {
    let stub = Stub { opening: Some(away(None)), ..Stub::default() };
    let answer = post(&Service::new(&stub), "no record");
    assert_eq!((answer.status, &answer.value()["accepted"]), (400, &json!(0)));
    assert_eq!(post(&Service::new(&stub), "\n").status, 200);
    assert_eq!(stub.opened.get(), 0);
}

#[test]
fn records_that_the_backend_will_never_take_are_listed_by_line() {
    let stub = Stub::default();
    let receipt = Receipt { accepted: 1, rejected: vec![(1, "no host".to_owned())], ..Receipt::default() };
    stub.receipts.borrow_mut().push_back(Ok(receipt));
    let service = Service::new(&stub);
    // In a batch the events come first: index 1 is the first line.
    let answer = post(&service, &format!("{NETWORK}\n{GOOD}"));
    assert_eq!(
        (answer.status, answer.value()),
        (200, json!({ "accepted": 1, "refused": [], "rejected": [{ "line": 1, "reason": "no host" }] }))
    );
    stub.receipts.borrow_mut().push_back(Err(PublishError::Rejected("never".to_owned())));
    let answer = post(&service, GOOD);
    assert_eq!(
        (answer.status, answer.value()),
        (400, json!({ "accepted": 0, "refused": [], "rejected": [{ "line": 1, "reason": "never" }] }))
    );
    assert_eq!(stub.opened.get(), 1);
}

#[test]
fn what_is_to_be_sent_again_is_sent_again_under_its_names() {
    let stub = Stub::default();
    let receipt = Receipt { in_doubt: true, retry_after_ms: Some(900), ..again(&[1], 1) };
    stub.receipts.borrow_mut().extend([Err(away(None)), Ok(receipt)]);
    let answer = post(&Service::new(&stub), &format!("{GOOD}\n{GOOD}"));
    assert_eq!((answer.status, &answer.value()["accepted"]), (200, &json!(2)));
    let epoch = || "1".to_owned();
    assert_eq!(
        *stub.calls.borrow(),
        [(epoch(), vec![0, 1], false), (epoch(), vec![0, 1], false), (epoch(), vec![1], true)]
    );
    assert_eq!(stub.now.get(), Duration::from_millis(200 + 900));
}

#[test]
fn a_backend_that_stays_away_is_a_503_that_says_what_was_stored() {
    let stub = Stub::default();
    stub.receipts.borrow_mut().push_back(Ok(again(&[1], 1)));
    stub.receipts.borrow_mut().extend(std::iter::repeat_n(Err(away(Some(2_500))), 10));
    let service = Service::new(&stub);
    let answer = post(&service, &format!("{GOOD}\n{GOOD}\n{{}}"));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("3")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let told = answer.value();
    assert_eq!((&told["accepted"], &told["pending"], &told["refused"][0]["line"]), (&json!(1), &json!(1), &json!(3)));
    assert_eq!(
        told["detail"],
        "connect 127.0.0.1:9200: refused; records stored: 1, not or not for certain: 1; send the body again, and what was stored may come to stand twice"
    );
    assert!(stub.now.get() <= PATIENCE, "{:?}", stub.now.get());
    stub.receipts.borrow_mut().clear();
    assert_eq!(post(&service, GOOD).status, 200);
    assert_eq!(stub.opened.get(), 2);
}

#[test]
fn a_wish_that_is_longer_than_a_sender_waits_is_passed_on_at_once() {
    let stub = Stub { opening: Some(away(Some(60_000))), ..Stub::default() };
    let answer = post(&Service::new(&stub), GOOD);
    assert_eq!((answer.status, answer.header("retry-after"), stub.now.get()), (503, Some("60"), Duration::ZERO));
    let stub = Stub::default();
    stub.receipts.borrow_mut().push_back(Err(away(Some(60_000))));
    let answer = post(&Service::new(&stub), GOOD);
    assert_eq!((answer.status, answer.header("retry-after"), stub.now.get()), (503, Some("60"), Duration::ZERO));
    assert!(
        answer.value()["detail"]
            .as_str()
            .unwrap()
            .ends_with("nothing of the body is known to be stored: send it again")
    );
}

#[test]
fn there_is_no_200_while_something_is_pending() {
    let stub = Stub::default();
    let pending = |pending| Ok(Flushed { pending, ..Flushed::default() });
    stub.flushes.borrow_mut().extend([pending(2), pending(0)]);
    let service = Service::new(&stub);
    let both = format!("{GOOD}\n{GOOD}");
    assert_eq!(post(&service, &both).status, 200);
    stub.flushes.borrow_mut().extend(std::iter::repeat_with(|| pending(1)).take(9));
    let answer = post(&service, &both);
    assert_eq!((answer.status, &answer.value()["accepted"], &answer.value()["pending"]), (503, &json!(1), &json!(1)));
    stub.flushes.replace(std::iter::repeat_n(Err(away(None)), 9).collect());
    let answer = post(&service, &both);
    assert_eq!((answer.status, &answer.value()["accepted"], &answer.value()["pending"]), (503, &json!(0), &json!(2)));
}

#[test]
fn what_holds_records_back_is_named() {
    let stub = Stub { settings: Some(r#"{"token": "hunter2"}"#.to_owned()), ..Stub::default() };
    let reason = "publishers[1] (loki): records wait for it in memory (1): hunter2 is not let in".to_owned();
    let held = Flushed { pending: 1, reason, ..Flushed::default() };
    stub.flushes.borrow_mut().extend(std::iter::repeat_n(Ok(held), 9));
    let answer = post(&Service::new(&stub), GOOD);
    let detail = "records are taken and not yet at the backend: publishers[1] (loki): records wait for it in memory (1): \
                  *** is not let in; nothing of the body is known to be stored: send it again";
    assert_eq!((answer.status, &answer.value()["detail"]), (503, &json!(detail)));
}

#[test]
fn what_is_given_up_late_is_listed_once_a_line_and_leg() {
    let stub = Stub { settings: Some(r#"{"token": "hunter2"}"#.to_owned()), ..Stub::default() };
    let late = |epoch: &str, leg: &str| LateRejection {
        epoch: epoch.to_owned(),
        offset: 1,
        leg: leg.to_owned(),
        reason: "too old for hunter2".to_owned(),
    };
    let rejected = vec![late("1", "loki"), late("1", "elasticsearch"), late("before", "loki")];
    stub.flushes.borrow_mut().push_back(Ok(Flushed { rejected, ..Flushed::default() }));
    let answer = post(&Service::new(&stub), &format!("{GOOD}\n{GOOD}"));
    let rejected = json!([
        { "line": 2, "reason": "elasticsearch: too old for ***" },
        { "line": 2, "reason": "loki: too old for ***" },
    ]);
    assert_eq!((answer.status, answer.value()), (200, json!({ "accepted": 1, "refused": [], "rejected": rejected })));
    assert_eq!(*stub.logged.borrow(), ["warn: a record of an earlier request was given up: loki: too old for ***"]);
}

#[test]
fn what_is_given_up_at_no_place_is_none_of_the_lines() {
    for offset in [1, u64::MAX] {
        let stub = Stub::default();
        let late = LateRejection { epoch: "1".to_owned(), offset, leg: String::new(), reason: "bad".to_owned() };
        stub.flushes.borrow_mut().push_back(Ok(Flushed { rejected: vec![late], ..Flushed::default() }));
        let answer = post(&Service::new(&stub), GOOD);
        assert_eq!((answer.status, answer.value()), (200, json!({ "accepted": 1, "refused": [] })));
    }
}

#[test]
fn faults_that_only_a_person_puts_right_name_the_key_and_no_secret() {
    let variables = [(VARIABLE, r#"{"api_key": "hunter2"}"#.to_owned())].into();
    let mut stub = Stub { variables, ..Stub::default() };
    let text = "the cluster refuses hunter2";
    let (hidden, named) = ("the cluster refuses ***", "the cluster refuses ***; the credentials are those of api_key");
    for (error, status, told) in [
        (PublishError::Unauthorized(text.to_owned()), 502, named),
        (PublishError::Misconfigured(text.to_owned()), 500, hidden),
        (PublishError::Internal(text.to_owned()), 500, hidden),
    ] {
        stub.opening = Some(error.clone());
        let answer = post(&Service::new(&stub), GOOD);
        assert_eq!((answer.status, &answer.value()["detail"]), (status, &json!(told)));
        assert_eq!(ask(&Service::new(&stub), "GET", "/healthz").status, status);
        stub.opening = None;
        stub.receipts.replace(std::iter::repeat_n(Err(error), 9).collect());
        let answer = post(&Service::new(&stub), GOOD);
        let detail = format!("{told}; nothing of the body is known to be stored: send it again");
        assert_eq!((answer.status, &answer.value()["detail"]), (status, &json!(detail)));
        assert!(stub.logged.borrow().iter().all(|line| !line.contains("hunter2")));
    }
}

#[test]
fn without_a_config_a_plugin_that_needs_one_is_told_where_it_goes() {
    let needs = PublishError::Misconfigured("hosts: is missing".to_owned());
    let stub = Stub { opening: Some(needs), ..Stub::default() };
    let answer = ask(&Service::new(&stub), "GET", "/healthz");
    let detail = answer.value()["detail"].as_str().unwrap().to_owned();
    assert!(answer.status == 500 && detail.starts_with("no config is given: "), "{detail}");
    assert!(detail.ends_with("; the plugin says: hosts: is missing"), "{detail}");
    assert!(detail.contains("METRICAST_CONFIG") && detail.contains("metricast compose --serve"), "{detail}");
}

#[test]
fn a_repeat_with_the_same_key_has_the_same_names() {
    let stub = Stub::default();
    let service = Service::new(&stub);
    for (key, body) in [("k", GOOD), ("k", GOOD), ("k", NETWORK), ("l", GOOD)] {
        assert_eq!(post_with(&service, &[("Idempotency-Key", key)], body).status, 200);
    }
    let calls = stub.calls.borrow();
    let epochs: Vec<_> = calls.iter().map(|(epoch, ..)| epoch.as_str()).collect();
    assert_eq!(epochs[0], epochs[1]);
    assert!(epochs[2] != epochs[0] && epochs[3] != epochs[0] && epochs[2] != epochs[3], "{epochs:?}");
    assert!(calls.iter().all(|(_, offsets, redelivered)| offsets == &[0] && *redelivered));
}

#[test]
fn what_keeps_state_counts_by_one_run_of_offsets_and_is_closed_with_what_it_holds() {
    let stub = Stub { profile: Profile { stateful: true, scrapes: true }, ..Stub::default() };
    let service = Service::new(&stub);
    let keyed = |body| post_with(&service, &[("idempotency-key", "k")], body).status;
    assert_eq!((keyed(GOOD), keyed(GOOD)), (200, 200));
    stub.receipts.borrow_mut().extend(std::iter::repeat_n(Err(away(None)), 5));
    assert_eq!(keyed(GOOD), 503);
    assert_eq!(stub.opened.get(), 1, "it took nothing, and goes on");
    assert_eq!(keyed(GOOD), 200);
    let offsets: Vec<_> = stub.calls.borrow().iter().map(|(_, offsets, _)| offsets[0]).collect();
    assert_eq!(offsets, [0, 1, 2, 2, 2, 2, 2, 3]);
    stub.flushes.replace(std::iter::repeat_n(Err(away(None)), 5).collect());
    assert_eq!(keyed(GOOD), 503);
    assert_eq!(keyed(GOOD), 200);
    assert_eq!(stub.opened.get(), 2, "what it held is sent again by the sender");
}

#[test]
fn what_keeps_state_and_fails_by_its_own_fault_is_closed() {
    let stub = Stub { profile: Profile { stateful: true, scrapes: false }, ..Stub::default() };
    let service = Service::new(&stub);
    stub.receipts.borrow_mut().extend(std::iter::repeat_n(Err(PublishError::Internal("oops".to_owned())), 5));
    assert_eq!(post(&service, GOOD).status, 500);
    assert_eq!(post(&service, GOOD).status, 200, "as the sender is told to");
    assert_eq!(stub.opened.get(), 2, "nobody knows what of the records the one before had counted");
}

#[test]
fn a_large_body_goes_in_pieces_in_the_order_of_its_lines() {
    let stub = Stub::default();
    let lines: Vec<_> = (0..2_500).map(|line| if line % 3 == 0 { GOOD } else { NETWORK }).collect();
    let answer = post(&Service::new(&stub), &lines.join("\n"));
    assert_eq!((answer.status, &answer.value()["accepted"]), (200, &json!(2_500)));
    let calls = stub.calls.borrow();
    let pieces: Vec<_> = calls
        .iter()
        .map(|(_, offsets, _)| (offsets.len(), offsets.iter().min().copied(), offsets.iter().max().copied()))
        .collect();
    assert_eq!(pieces, [(1000, Some(0), Some(999)), (1000, Some(1000), Some(1999)), (500, Some(2000), Some(2499))]);
}

#[test]
fn time_is_lost_by_what_fails_and_not_by_what_takes_long() {
    let lines = vec![GOOD; 20_000].join("\n");
    let stub = Stub { takes: Duration::from_secs(3), ..Stub::default() };
    let receipts = (0..10).map(|_| Ok(again(&[], 1_000))).chain([Err(away(None))]);
    stub.receipts.borrow_mut().extend(receipts);
    assert_eq!(post(&Service::new(&stub), &lines).status, 200);
    assert_eq!(stub.calls.borrow().len(), 21);
    stub.calls.borrow_mut().clear();
    stub.receipts.borrow_mut().extend(std::iter::repeat_n(Err(away(None)), 9));
    assert_eq!(post(&Service::new(&stub), &lines).status, 503);
    assert_eq!(stub.calls.borrow().len(), 3, "three seconds each, and pauses");
}

#[test]
fn a_receipt_that_does_not_add_up_is_no_200() {
    for receipt in [again(&[], 2), again(&[0, 0], 0), again(&[7], 0), again(&[], 0)] {
        let stub = Stub::default();
        stub.receipts.borrow_mut().extend(std::iter::repeat_n(Ok(receipt), 5));
        let answer = post(&Service::new(&stub), GOOD);
        let detail = answer.value()["detail"].as_str().unwrap().to_owned();
        assert!(answer.status == 500 && detail.starts_with("the plugin's receipt does not add up"), "{detail}");
    }
}

#[test]
fn scrapes_get_what_there_is() {
    let mut stub = Stub { profile: Profile { stateful: true, scrapes: true }, ..Stub::default() };
    let answer = ask(&Service::new(&stub), "GET", "/metrics");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"up 1\n"[..]));
    assert_eq!(answer.header("content-type"), Some("text/plain; for=text/x"));
    stub.profile.scrapes = false;
    let answer = ask(&Service::new(&stub), "HEAD", "/metrics");
    assert_eq!(
        (answer.status, &answer.value()["detail"]),
        (404, &json!("stub sends its records on and has nothing to scrape"))
    );
}

#[test]
fn other_paths_and_methods_are_told_what_there_is() {
    let stub = Stub::default();
    let service = Service::new(&stub);
    let answer = ask(&service, "GET", "/v1/record");
    assert_eq!((answer.status, &answer.value()["title"]), (404, &json!("not found")));
    assert!(answer.value()["detail"].as_str().unwrap().contains("POST /v1/records"));
    let answer = ask(&service, "GET", "/v1/records");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    let answer = ask(&service, "POST", "/metrics");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    let answer = ask(&service, "GET", "/healthz");
    assert_eq!((answer.status, answer.value()), (200, json!({ "status": "ok", "plugin": "stub", "version": "1.2.3" })));
    assert_eq!(post_with(&service, &[("content-type", "text/xml")], "").status, 415);
    assert_eq!(stub.opened.get(), 0);
}
