use std::sync::Arc;

use metricast_records::input::MAX_LINE;
use metricast_records::{BatchBuilder, EventMetrics, MetricsRef};
use tracing::{error, info_span, instrument, warn};
use tracing_subscriber::prelude::*;

use super::*;
use crate::api::intake::Intake;

/// What is recorded of the spans that `work` makes.
fn recorded(layer: impl FnOnce(MetricsLayer) -> MetricsLayer, work: impl FnOnce()) -> Vec<EventMetrics> {
    let intake = Arc::new(Intake::default());
    let layer = layer(MetricsLayer::new(Recorder::new(Arc::clone(&intake))));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    let batch = intake.carry(BatchBuilder::new()).unwrap();
    batch
        .records()
        .map(|record| match record.metrics {
            MetricsRef::Event(event) => event.to_owned(),
            MetricsRef::Network(_) => panic!("spans are events"),
        })
        .collect()
}

#[test]
fn the_fields_of_a_span_are_those_of_its_record() {
    let events = recorded(
        |layer| layer,
        || {
            let span = info_span!(
                target: "shop",
                "Pay",
                metricast = true,
                task_id = "t",
                retry_count = 2,
                tenant = "a",
                n = 7,
                late = tracing::field::Empty
            );
            span.record("late", "x");
            span.record("tenant", "b");
        },
    );
    let [event] = events.as_slice() else { panic!("{events:?}") };
    let EventMetrics { event_name, task_id, status, error, retry_count, .. } = event.clone();
    assert_eq!(
        (event_name.as_str(), task_id.as_str(), status.as_str(), error, retry_count),
        ("Pay", "t", "completed", None, 2)
    );
    let attributes =
        [("tenant", "b"), ("n", "7"), ("late", "x")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(event.attributes, attributes);
    assert_eq!(event.process_id, Some(std::process::id()));
    assert!(event.end_time.unwrap() >= event.start_time && event.start_time > 1e9);
}

#[test]
fn a_span_that_is_no_record_is_told_with_its_name() {
    let intake = Arc::new(Intake::default());
    let layer = MetricsLayer::new(Recorder::new(Arc::clone(&intake)));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..2 {
            let _span = info_span!(target: "shop", "Pay", metricast = true, note = "x".repeat(MAX_LINE + 1));
        }
    });
    let invalid = intake.take_untaken().invalid.expect("it is counted");
    assert_eq!((invalid.count, invalid.example.as_str()), (2, "Pay"));
    assert!(invalid.text.contains("at most"), "{}", invalid.text);
    assert_eq!(intake.take_untaken().invalid, None, "it is told once");
}

#[test]
fn an_error_in_it_makes_it_failed_and_the_first_counts() {
    let events = recorded(
        |layer| layer,
        || {
            info_span!(target: "shop", "a", metricast = true).in_scope(|| {
                warn!("no error");
                info_span!(target: "shop", "unmarked").in_scope(|| error!(error = "first", "words"));
                error!("second");
            });
            info_span!(target: "shop", "b", metricast = true)
                .in_scope(|| info_span!(target: "shop", "c", metricast = true).in_scope(|| error!("only c")));
            info_span!(target: "shop", "d", metricast = true, status = "skipped").in_scope(|| error!("kept"));
        },
    );
    let told: Vec<_> =
        events.iter().map(|event| (event.event_name.as_str(), event.status.as_str(), event.error.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("a", "failed", Some("first")),
            ("c", "failed", Some("only c")),
            ("b", "completed", None),
            ("d", "skipped", Some("kept")),
        ]
    );
}

#[instrument(target = "shop", fields(metricast), err)]
fn instrumented(fail: bool) -> Result<(), String> {
    if fail { Err("broken".to_owned()) } else { Ok(()) }
}

#[test]
fn instrumented_functions_are_marked_by_a_field_without_a_value() {
    let events = recorded(
        |layer| layer,
        || {
            instrumented(false).unwrap();
            instrumented(true).unwrap_err();
        },
    );
    let told: Vec<_> = events.iter().map(|event| (event.event_name.as_str(), event.error.as_deref())).collect();
    assert_eq!(told, [("instrumented", None), ("instrumented", Some("broken"))]);
}

#[test]
fn only_what_is_marked_or_filtered_is_taken_and_nothing_of_this_crate() {
    let spans = || {
        drop(info_span!(target: "other", "unmarked"));
        drop(info_span!(target: "shop", "off", metricast = false));
        drop(info_span!(target: "metricast::delivery", "own", metricast = true));
        drop(info_span!(target: "metricaster", "near", metricast = true));
        drop(info_span!(target: "shop", "shop"));
        std::thread::scope(|scope| {
            let subscriber = tracing::dispatcher::get_default(Clone::clone);
            let ours = move || {
                threads::mark();
                tracing::dispatcher::with_default(&subscriber, || drop(info_span!(target: "shop", "our own request")));
            };
            scope.spawn(ours);
        });
    };
    let names = |events: Vec<EventMetrics>| events.into_iter().map(|event| event.event_name).collect::<Vec<_>>();
    assert_eq!(names(recorded(|layer| layer, spans)), ["near"]);
    assert_eq!(names(recorded(|layer| layer.filter(|span| span.target() == "shop"), spans)), ["near", "shop"]);
}

#[test]
fn a_panic_is_a_failure() {
    let events = recorded(
        |layer| layer,
        || {
            let panicked = std::panic::catch_unwind(|| {
                let _span = info_span!(target: "shop", "Pay", metricast = true).entered();
                panic!("on purpose");
            });
            assert!(panicked.is_err());
        },
    );
    assert_eq!((events[0].status.as_str(), events[0].error.as_deref()), ("failed", Some("panicked")));
}

#[test]
fn two_publishers_measure_the_same_spans() {
    let intakes = [Arc::new(Intake::default()), Arc::new(Intake::default())];
    let [first, second] = intakes.each_ref().map(|intake| MetricsLayer::new(Recorder::new(Arc::clone(intake))));
    let second = second.filter(|span| span.name() == "also");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(first).with(second), || {
        info_span!(target: "shop", "Pay", metricast = true).in_scope(|| {
            info_span!(target: "shop", "also").in_scope(|| error!("only the second takes the inner span"));
        });
    });
    let told = intakes.map(|intake| {
        let batch = intake.carry(BatchBuilder::new()).unwrap();
        batch
            .records()
            .map(|record| record.metrics.to_owned())
            .map(|metrics| name_and_status(&metrics))
            .collect::<Vec<_>>()
    });
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, status)| ((*name).to_owned(), (*status).to_owned())).collect()
    };
    assert_eq!(told, [pairs(&[("Pay", "failed")]), pairs(&[("also", "failed"), ("Pay", "completed")])]);
}

fn name_and_status(metrics: &metricast_records::Metrics) -> (String, String) {
    match metrics {
        metricast_records::Metrics::Event(event) => (event.event_name.clone(), event.status.clone()),
        metricast_records::Metrics::Network(_) => panic!("spans are events"),
    }
}

/// Says something while it is shown.
struct Talking;

impl std::fmt::Debug for Talking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        error!(target: "shop", "talks");
        f.write_str("talking")
    }
}

#[test]
fn a_value_that_logs_while_it_is_shown_holds_nothing_up() {
    let (tell, done) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let events = recorded(
            |layer| layer,
            || {
                let span = info_span!(target: "shop", "Pay", metricast = true, late = tracing::field::Empty);
                span.in_scope(|| _ = span.record("late", tracing::field::debug(Talking)));
            },
        );
        tell.send(events).unwrap();
    });
    let events = done.recv_timeout(std::time::Duration::from_secs(30)).expect("it ends");
    assert_eq!(events[0].status, "failed");
    assert_eq!(events[0].attributes, [("late".to_owned(), "talking".to_owned())]);
}
