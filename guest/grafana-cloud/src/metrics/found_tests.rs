//! Where metrics go when the API has to tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::json;

use super::tests::{batch, flush};
use super::*;
use crate::options::{Config, Protocol, Signal};
use crate::stub::{Stub, plain, stored};

/// An API and receiver in one: the place that it names is where `place` says.
fn cloud(place: Arc<AtomicU16>, refuses: u16) -> Stub {
    Stub::new(move |asked| {
        let host = asked.header("host").unwrap();
        let wanted = place.load(Ordering::Relaxed);
        match asked.what.as_str() {
            "GET /api/orgs/acme/instances" => {
                let stack = json!({ "slug": "shop", "status": "active", "hmInstancePromId": wanted,
                                    "hmInstancePromUrl": format!("http://{host}/{wanted}/push") });
                plain(200, &json!({ "items": [stack] }).to_string())
            }
            what if what == format!("POST /{wanted}/push") => stored(),
            _ => plain(refuses, "wrong place"),
        }
    })
}

fn found(cloud: &Stub) -> Options {
    let config =
        json!({ "api": format!("{}/api", cloud.url), "org_slug": "acme", "api_key": "glc_token", "instance": "a" });
    let config: Config = serde_json::from_value(config).unwrap();
    config.options(Signal::Metrics).unwrap()
}

#[test]
fn what_was_found_is_remembered_over_a_restart() {
    let cloud = cloud(Arc::new(AtomicU16::new(1)), 404);
    let mut metrics = Metrics::open(found(&cloud), None).unwrap();
    metrics.publish(&batch(&["Pack"], 0));
    flush(&mut metrics, 0).unwrap();
    assert_eq!(cloud.count("GET /api/"), 1);
    let saved = metrics.snapshot();
    let mut restarted = Metrics::open(found(&cloud), Some(&saved)).unwrap();
    flush(&mut restarted, 60).unwrap();
    assert_eq!((cloud.count("GET /api/"), cloud.pushes().len()), (1, 2));
    assert_eq!(restarted.snapshot().state.len(), saved.state.len());
    let another = Options { protocol: Protocol::Otlp, ..found(&cloud) };
    assert!(Metrics::open(another, Some(&saved)).is_err(), "another question is asked: this cloud has no OTLP");
    assert_eq!(cloud.count("GET /api/orgs"), 2);
}

#[test]
fn a_stack_that_moved_is_found_again() {
    for refuses in [401, 404] {
        let place = Arc::new(AtomicU16::new(1));
        let cloud = cloud(Arc::clone(&place), refuses);
        let mut metrics = Metrics::open(found(&cloud), None).unwrap();
        metrics.publish(&batch(&["Pack"], 0));
        flush(&mut metrics, 0).unwrap();
        place.store(2, Ordering::Relaxed);
        assert!(flush(&mut metrics, 60).is_err(), "the API was asked a minute ago");
        assert_eq!(cloud.count("GET /api/"), 1);
        assert_eq!(flush(&mut metrics, 400), Ok(Flushed::default()));
        assert_eq!((cloud.count("GET /api/"), cloud.count("POST /2/push") > 0), (2, true));
        place.store(3, Ordering::Relaxed);
        let saved = metrics.snapshot();
        let mut restarted = Metrics::open(found(&cloud), Some(&saved)).unwrap();
        assert_eq!(flush(&mut restarted, 460), Ok(Flushed::default()), "what an earlier run found is asked at once");
        assert_eq!(cloud.count("POST /3/push"), 1);
    }
}

#[test]
fn an_api_that_is_away_keeps_nothing_open_that_does_not_know_where_to_push() {
    let cloud = Stub::new(|_| plain(503, ""));
    assert!(matches!(Metrics::open(found(&cloud), None), Err(PublishError::Unavailable { .. })));
}
