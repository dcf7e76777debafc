//! The faults before a scripted server.

use super::*;
use crate::stub::{Answer, Stub};
use crate::{http as client, wait};

fn proxied() -> (Stub, FaultProxy) {
    let stub = Stub::start(|_| Answer::json(200, &json!({"items": [1, 2]})));
    let proxy = FaultProxy::start(&stub.url(), |path| path.contains("bulk"));
    (stub, proxy)
}

fn post(proxy: &FaultProxy) -> Result<client::Answer, String> {
    client::post(&format!("{}/_bulk", proxy.url()), "text/plain", "some body").map_err(|error| error.to_string())
}

#[test]
fn each_fault_is_what_it_is_called() {
    let (stub, proxy) = proxied();
    for (fault, arrives, is_answered) in [
        (Fault::SlowAnswer(Duration::ZERO), true, true),
        (Fault::SlowRequest(Duration::ZERO), true, true),
        (Fault::ResetInRequest, false, false),
        (Fault::ResetBeforeAnswer, true, false),
        (Fault::ResetInAnswer, true, false),
        (Fault::Truncated(true), true, false),
        (Fault::Truncated(false), false, false),
        (Fault::Malformed(true), true, true),
        (Fault::Malformed(false), false, true),
        (Fault::LateStatus(504), true, true),
        (Fault::Status(413, RetryAfter::Unsaid), false, true),
    ] {
        let before = stub.requests().len();
        proxy.then(fault);
        let answer = post(&proxy);
        assert_eq!((stub.requests().len() > before, answer.is_ok()), (arrives, is_answered), "{fault:?} {answer:?}");
        assert_eq!(fault.arrives(), arrives);
    }
    for (fault, items) in [
        (Fault::FewerItems, json!([1])),
        (Fault::MoreItems, json!([1, 2, 2])),
        (Fault::NoItems(false), json!([])),
        (Fault::NoItems(true), json!([])),
    ] {
        proxy.then(fault);
        assert_eq!(post(&proxy).unwrap().json()["items"], items);
    }
    proxy.then(Fault::ItemStatus(500));
    let items = post(&proxy).unwrap().json()["items"].clone();
    assert_eq!((&items[0], &items[1]["create"]["status"]), (&json!(1), &json!(500)));
}

#[test]
fn a_status_comes_with_the_time_to_wait_in_either_form() {
    let (_stub, proxy) = proxied();
    proxy.then(Fault::Status(503, RetryAfter::Seconds(7)));
    proxy.then(Fault::Status(429, RetryAfter::Date(7)));
    proxy.then(Fault::Status(429, RetryAfter::Unsaid));
    let answer = post(&proxy).unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, "7"));
    let answer = post(&proxy).unwrap();
    let time = |name| httpdate::parse_http_date(answer.header(name)).unwrap();
    assert_eq!(time("retry-after").duration_since(time("date")).unwrap(), Duration::from_secs(7));
    assert_eq!(post(&proxy).unwrap().header("retry-after"), "");
}

#[test]
fn who_comes_after_a_cut_waits_till_it_is_over() {
    let (stub, proxy) = proxied();
    proxy.then_cut(Fault::ResetBeforeAnswer);
    assert!(client::get(&proxy.url()).is_ok());
    assert!(post(&proxy).is_err() && post(&proxy).is_err() && client::get(&proxy.url()).is_err());
    assert_eq!((stub.requests().len(), proxy.sent().len()), (2, 1));
    proxy.serve();
    assert!(post(&proxy).is_ok());
}

#[test]
fn who_hangs_is_let_go_in_the_end() {
    let (stub, proxy) = proxied();
    proxy.then(Fault::Hang(true));
    thread::scope(|scope| {
        let asked = scope.spawn(|| post(&proxy));
        wait::until("a request", Duration::from_secs(5), || (stub.requests().len() == 1).then_some(()));
        assert!(!asked.is_finished());
        proxy.calm();
        assert!(asked.join().unwrap().is_err());
    });
}

#[test]
fn who_is_refused_cannot_connect_and_others_are_not_concerned() {
    let (stub, proxy) = proxied();
    proxy.then(Fault::Status(503, RetryAfter::Unsaid));
    assert_eq!(client::get(&proxy.url()).unwrap().status, 200);
    assert_eq!((stub.requests().len(), proxy.sent().len()), (1, 0));
    proxy.refuse();
    assert!(post(&proxy).is_err());
    proxy.accept();
    assert_eq!(post(&proxy).unwrap().status, 503);
}
