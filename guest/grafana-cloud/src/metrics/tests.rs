use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use metricast_records::{BatchBuilder, input};
use metricast_series::Registry;
use serde_json::{Value, json};

use super::*;
use crate::options::{Config, Signal};
use crate::stub::{Asked, Stub, plain, stored};

/// The time of the first push, milliseconds.
const START: i64 = 1_795_400_000_000;

fn options(receiver: &Stub, changes: &Value) -> Options {
    let mut config = json!({
        "endpoint": format!("{}/api/v1/push", receiver.url), "api_key": "glc_token", "instance_id": 715_391,
        "service": "till", "namespace": "shop", "instance": "till-7",
    });
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let config: Config = serde_json::from_value(config).unwrap();
    config.options(Signal::Metrics).unwrap()
}

fn open(receiver: &Stub) -> Metrics {
    Metrics::open(options(receiver, &json!({})), None).unwrap()
}

/// A clock that is stepped by hand.
fn at(seconds: i64) -> Now {
    static BEGAN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let instant = *BEGAN + Duration::from_secs(seconds.unsigned_abs());
    Now { millis: START + seconds * 1000, instant }
}

pub(super) fn batch(names: &[&str], first_offset: u64) -> Batch {
    let mut builder = BatchBuilder::new();
    for name in names {
        let line =
            json!({ "event_name": name, "task_id": "1", "status": "completed", "start_time": 1, "end_time": 1.5 })
                .to_string();
        let record = input::parse_line(line.as_bytes()).unwrap().unwrap();
        builder.push(&record.as_ref(), START as f64 / 1000.0 - 1.0).unwrap();
    }
    builder.finish().placed("epoch", first_offset)
}

pub(super) fn flush(metrics: &mut Metrics, seconds: i64) -> Result<Flushed, PublishError> {
    metrics.flush_at(at(seconds), Deadline::new())
}

fn close(metrics: &mut Metrics, seconds: i64) -> Result<Flushed, PublishError> {
    metrics.close_at(at(seconds), Deadline::new())
}

fn text_in(asked: &Asked) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(&asked.body).unwrap()
}

fn has(asked: &Asked, text: &str) -> bool {
    text_in(asked).windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn records_are_counted_and_pushed_at_the_flush() {
    let receiver = Stub::new(|_| stored());
    let mut metrics = open(&receiver);
    assert_eq!(metrics.publish(&batch(&["Pack", "Ship"], 0)).accepted, 2);
    assert_eq!(receiver.asked().len(), 0, "publishing does no I/O");
    assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()));
    let [push] = receiver.pushes().try_into().unwrap();
    assert_eq!(push.what, "POST /api/v1/push");
    assert_eq!(push.header("authorization"), Some("Basic NzE1MzkxOmdsY190b2tlbg=="), "715391:glc_token");
    assert!(push.is_second());
    assert_eq!(push.header("content-encoding"), Some("snappy"));
    assert_eq!(push.header("x-prometheus-remote-write-version"), Some("2.0.0"));
    assert!(push.header("user-agent").unwrap().starts_with("metricast/"));
    for text in ["event_duration_seconds_bucket", "Pack", "Ship", "shop/till", "till-7"] {
        assert!(has(&push, text), "{text}");
    }
}

#[test]
fn all_series_are_pushed_when_the_interval_is_over_or_records_came() {
    let receiver = Stub::new(|_| stored());
    let mut metrics = open(&receiver);
    assert_eq!(metrics.profile().flush_interval_ms, Some(60_000));
    assert!(metrics.profile().stateful);
    metrics.publish(&batch(&["Pack"], 0));
    for (seconds, pushes) in [(0, 1), (10, 1), (60, 2)] {
        flush(&mut metrics, seconds).unwrap();
        assert_eq!(receiver.pushes().len(), pushes, "after {seconds} s");
    }
    metrics.publish(&batch(&["Pack"], 1));
    flush(&mut metrics, 61).unwrap();
    assert_eq!(receiver.pushes().len(), 3, "a host that waits for the records is not kept waiting");
}

#[test]
fn a_receiver_that_knows_no_second_version_gets_the_first_until_a_fresh_opening() {
    let answers: [fn(&Asked) -> crate::stub::Answer; 4] = [
        |asked| if asked.is_second() { plain(415, "no") } else { plain(204, "") },
        |asked| if asked.is_second() { plain(406, "no") } else { plain(204, "") },
        // As VictoriaMetrics does it: it says yes, and stores nothing.
        |_| plain(204, ""),
        // As older receivers do it: to them the body is a broken one.
        |asked| if asked.is_second() { plain(400, "proto: illegal wireType 7") } else { plain(204, "") },
    ];
    for answer in answers {
        let receiver = Stub::new(answer);
        let mut metrics = open(&receiver);
        metrics.publish(&batch(&["Pack"], 0));
        assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()));
        let versions = |receiver: &Stub| receiver.pushes().iter().map(Asked::is_second).collect::<Vec<_>>();
        assert_eq!(versions(&receiver), [true, false]);
        let first = receiver.pushes().pop().unwrap();
        assert_eq!(first.header("x-prometheus-remote-write-version"), Some("0.1.0"));
        assert!(has(&first, "Pack"), "the same values again");
        flush(&mut metrics, 60).unwrap();
        assert_eq!(versions(&receiver), [true, false, false]);

        let mut restarted = Metrics::open(options(&receiver, &json!({})), Some(&metrics.snapshot())).unwrap();
        flush(&mut restarted, 120).unwrap();
        assert_eq!(versions(&receiver), [true, false, false, true, false], "a receiver that was renewed may know it");
        let other = Stub::new(|_| stored());
        let mut moved = Metrics::open(options(&other, &json!({})), Some(&metrics.snapshot())).unwrap();
        flush(&mut moved, 120).unwrap();
        assert_eq!(versions(&other), [true], "another receiver is asked anew");
    }
}

#[test]
fn samples_that_are_refused_are_never_sent_again() {
    let refusing = Stub::new(|_| plain(400, "out of order sample"));
    let mut metrics = open(&refusing);
    metrics.publish(&batch(&["Pack"], 0));
    assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()), "2.0, then 1.0 on trial");
    assert_eq!(refusing.pushes().len(), 2);
    assert_eq!(metrics.pusher.dialect, Dialect::Second { confirmed: false }, "the version was not what was wrong");
    flush(&mut metrics, 10).unwrap();
    assert_eq!(refusing.pushes().len(), 2);

    // Mimir says how much it "wrote" with a 400 as well: that it knows 2.0 is all that this tells.
    let mimir = Stub::new(|_| (400, stored().1, b"err-mimir-max-label-value-length".to_vec()));
    let mut metrics = open(&mimir);
    metrics.publish(&batch(&["Pack"], 0));
    assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()));
    assert_eq!((mimir.pushes().len(), metrics.pusher.dialect), (1, Dialect::Second { confirmed: true }));
}

#[test]
fn a_body_without_an_answer_is_sent_again_as_it_is() {
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    let receiver = Stub::new(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => plain(0, ""),
        1 => plain(503, "unavailable"),
        2 => plain(502, "bad gateway"),
        _ => stored(),
    });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    for seconds in [0, 60, 120] {
        let error = flush(&mut metrics, seconds).unwrap_err();
        assert!(matches!(&error, PublishError::Unavailable { .. }), "{error:?}");
        metrics.publish(&batch(&["Ship"], seconds.unsigned_abs() + 1));
    }
    assert_eq!(flush(&mut metrics, 180), Ok(Flushed::default()));
    let pushes = receiver.pushes();
    assert_eq!(pushes.len(), 5, "four times the first, then one with what came since");
    assert!(pushes[..4].iter().all(|push| push.body == pushes[0].body));
    assert!(!has(&pushes[3], "Ship") && has(&pushes[4], "Ship"));
}

#[test]
fn a_receiver_that_asks_to_wait_is_not_asked_before() {
    let status = Arc::new(AtomicU16::new(429));
    let answered = Arc::clone(&status);
    let receiver = Stub::new(move |_| match answered.load(Ordering::Relaxed) {
        204 => stored(),
        status => (status, "Retry-After: 7\r\n".to_owned(), b"the request has been rejected: rate limit".to_vec()),
    });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    let error = flush(&mut metrics, 0).unwrap_err();
    assert!(
        matches!(&error, PublishError::Unavailable { reason, retry_after_ms: Some(7000) } if reason.contains("rate limit"))
    );
    status.store(204, Ordering::Relaxed);
    let error = flush(&mut metrics, 5).unwrap_err();
    assert!(matches!(error, PublishError::Unavailable { retry_after_ms: Some(2000), .. }), "{error:?}");
    assert_eq!(receiver.pushes().len(), 1);
    assert_eq!(flush(&mut metrics, 7), Ok(Flushed::default()));
    assert_eq!(receiver.pushes().len(), 2);
}

#[test]
fn a_push_that_breaks_the_receiver_each_time_is_given_up_for_the_next() {
    let receiver = Stub::new(|asked| if has(asked, "Ship") { stored() } else { plain(500, "panic") });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    for seconds in [0, 60, 120] {
        assert!(flush(&mut metrics, seconds).is_err());
    }
    metrics.publish(&batch(&["Ship"], 1));
    assert_eq!(flush(&mut metrics, 180), Ok(Flushed::default()));
    let pushes = receiver.pushes();
    assert_eq!(pushes.len(), 4);
    assert!(has(&pushes[3], "Pack"), "with all values");
}

#[test]
fn records_of_a_push_that_was_given_up_are_not_said_to_be_there() {
    let faults = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&faults);
    let receiver =
        Stub::new(move |_| if counted.fetch_add(1, Ordering::Relaxed) < 5 { plain(500, "panic") } else { stored() });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    for seconds in 0..5 {
        assert!(flush(&mut metrics, seconds).is_err(), "at {seconds} s the receiver has nothing of it");
    }
    assert_eq!(close(&mut metrics, 5), Ok(Flushed::default()));
    let stored: Vec<_> = receiver.pushes().into_iter().skip(5).collect();
    assert_eq!(stored.len(), 2, "the values, then the markers");
    assert!(has(&stored[0], "Pack"));
}

#[test]
fn a_wish_to_wait_is_kept_within_reason() {
    let year = "Retry-After: 31536000\r\n".to_owned();
    let receiver = Stub::new(move |_| (429, year.clone(), b"too many".to_vec()));
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    for seconds in [0, 299, 301] {
        assert!(flush(&mut metrics, seconds).is_err());
    }
    assert_eq!(receiver.pushes().len(), 2, "not at 299 s, again at 301 s");
}

#[test]
fn a_body_that_is_too_large_is_halved() {
    let receiver = Stub::new(|asked| if text_in(asked).len() > 1500 { plain(413, "too large") } else { stored() });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack", "Ship", "Sort", "Wrap"], 0));
    assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()));
    let taken = receiver.pushes().iter().filter(|push| text_in(push).len() <= 1500).count();
    assert!(taken > 1, "{taken}");
    for name in ["Pack", "Ship", "Sort", "Wrap"] {
        assert!(receiver.pushes().iter().any(|push| text_in(push).len() <= 1500 && has(push, name)), "{name}");
    }
}

#[test]
fn a_refused_token_is_told_who_its_user_is() {
    let receiver = Stub::new(|_| plain(401, "no org id"));
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    let PublishError::Unauthorized(told) = flush(&mut metrics, 0).unwrap_err() else { panic!("not unauthorized") };
    for part in ["401 no org id", "user 715391", "not the number of the organisation", "metrics:write"] {
        assert!(told.contains(part), "{told}");
    }
    let nobody = options(&receiver, &json!({ "instance_id": null, "api_key": null }));
    let mut metrics = Metrics::open(nobody, None).unwrap();
    metrics.publish(&batch(&["Pack"], 0));
    let PublishError::Unauthorized(told) = flush(&mut metrics, 0).unwrap_err() else { panic!("not unauthorized") };
    assert!(told.contains("write api_key"), "{told}");
    assert_eq!(receiver.pushes().pop().unwrap().header("authorization"), None);
}

#[test]
fn a_wrong_path_is_told_which_would_be_right() {
    let receiver = Stub::new(|_| plain(404, "404 page not found"));
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    let told = flush(&mut metrics, 0).unwrap_err().to_string();
    assert!(told.contains("/api/v1/write at Prometheus (started with --web.enable-remote-write-receiver)"), "{told}");
}

#[test]
fn a_redirect_gets_neither_records_nor_token() {
    let elsewhere = Stub::new(|_| stored());
    let there = elsewhere.url.clone();
    let receiver = Stub::new(move |_| (307, format!("Location: {there}/api/v1/push\r\n"), Vec::new()));
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    let told = flush(&mut metrics, 0).unwrap_err().to_string();
    assert!(told.contains("redirects are not followed"), "{told}");
    assert_eq!((receiver.pushes().len(), elsewhere.asked().len()), (1, 0));
}

#[test]
fn closing_pushes_the_last_and_then_that_the_series_end() {
    let receiver = Stub::new(|_| stored());
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    flush(&mut metrics, 0).unwrap();
    metrics.publish(&batch(&["Ship"], 1));
    assert_eq!(close(&mut metrics, 5), Ok(Flushed::default()));
    let pushes = receiver.pushes();
    assert_eq!(pushes.len(), 3);
    assert!(has(&pushes[1], "Ship") && has(&pushes[2], "Ship"));
    // https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#staleness-markers
    let stale = 0x7ff0_0000_0000_0002_u64.to_le_bytes();
    let markers = |push: &Asked| text_in(push).windows(8).filter(|window| *window == stale).count();
    assert_eq!((markers(&pushes[1]), markers(&pushes[2]) > 10), (0, true));
}

#[test]
fn a_close_that_fails_can_be_repeated() {
    let away = Arc::new(AtomicUsize::new(3));
    let left = Arc::clone(&away);
    let receiver = Stub::new(move |_| {
        let left = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.wrapping_sub(1)));
        if left == Ok(2) {
            stored()
        } else if left.is_ok_and(|left| (1..=3).contains(&left)) {
            plain(503, "")
        } else {
            stored()
        }
    });
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    assert!(close(&mut metrics, 0).is_err(), "the values");
    assert!(close(&mut metrics, 1).is_err(), "the markers");
    assert_eq!(close(&mut metrics, 2), Ok(Flushed::default()));
    let pushes = receiver.pushes();
    assert_eq!(pushes.len(), 4);
    assert_eq!((&pushes[0].body, &pushes[2].body), (&pushes[1].body, &pushes[3].body));
}

#[test]
fn a_snapshot_goes_on_where_it_was_taken() {
    let receiver = Stub::new(|_| stored());
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack", "Ship"], 0));
    flush(&mut metrics, 0).unwrap();
    metrics.publish(&batch(&["Pack"], 2));
    let saved = metrics.snapshot();
    assert_eq!((saved.version, saved.next_offset), (state::VERSION, 3));
    let mut restored = Metrics::open(options(&receiver, &json!({})), Some(&saved)).unwrap();
    assert_eq!(restored.snapshot(), saved);
    restored.publish(&batch(&["Pack", "Ship", "Pack"], 0));
    assert_eq!(restored.snapshot().state, saved.state, "what comes again counts once");
    for metrics in [&mut metrics, &mut restored] {
        flush(metrics, 60).unwrap();
    }
    let pushes = receiver.pushes();
    assert_eq!(pushes.len(), 3);
    assert_eq!(pushes[1].body, pushes[2].body, "the same push, without a second 0");
    let error = Metrics::open(options(&receiver, &json!({})), Some(&Saved { version: 9, ..saved })).unwrap_err();
    assert!(matches!(error, PublishError::StateIncompatible(_)));
}

#[test]
fn a_clock_that_was_set_back_is_told_and_nothing_is_lost() {
    let receiver = Stub::new(|_| stored());
    let mut metrics = open(&receiver);
    metrics.publish(&batch(&["Pack"], 0));
    flush(&mut metrics, 100).unwrap();
    metrics.publish(&batch(&["Ship"], 1));
    let told = flush(&mut metrics, 40).unwrap_err().to_string();
    assert!(told.contains("the clock was set back"), "{told}");
    assert_eq!(flush(&mut metrics, 101), Ok(Flushed::default()));
    assert!(has(&receiver.pushes()[1], "Ship"));
}

#[test]
fn otlp_is_pushed_whole_and_what_it_takes_in_part_is_told() {
    let receiver = Stub::new(|_| plain(200, "\n\u{7}\u{12}\u{5}limit"));
    let mut metrics = Metrics::open(options(&receiver, &json!({ "protocol": "otlp" })), None).unwrap();
    metrics.publish(&batch(&["Pack"], 0));
    assert_eq!(flush(&mut metrics, 0), Ok(Flushed::default()));
    let [push] = receiver.pushes().try_into().unwrap();
    assert_eq!(push.what, "POST /api/v1/push/v1/metrics");
    assert_eq!(push.header("content-type"), Some("application/x-protobuf"));
    assert_eq!((push.header("content-encoding"), push.header("x-prometheus-remote-write-version")), (None, None));
    let text = String::from_utf8_lossy(&push.body);
    for part in ["service.namespace", "shop", "service.instance.id", "till-7", "event_duration_seconds"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn series_that_nobody_named_are_pushed_with_what_all_have() {
    let receiver = Stub::new(|_| stored());
    let metrics = open(&receiver);
    let registry: &Registry = metrics.aggregator.registry();
    let stamp = stamp(&metrics.options, &metrics.aggregator).unwrap();
    let mut sent = Sent::default();
    let push = sent.begin(registry, START).unwrap();
    let format = Dialect::Second { confirmed: true }.format(&stamp.labels, &stamp.resource);
    assert!(push.bodies(format, metricast_series::push::Limits::default()).next().is_some());
}
