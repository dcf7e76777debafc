//! What is shown at first sight, what shares a series, which states are taken.

use super::*;

#[test]
fn names_that_share_the_overflow_series_share_its_exemplar() {
    let config = Config { exemplars: true, ..limited(1) };
    let of = |name, task: &str, received| match event(name, "completed", 0, None) {
        Metrics::Event(event) => (Metrics::Event(EventMetrics { task_id: task.to_owned(), ..event }), received),
        Metrics::Network(_) => unreachable!("an event"),
    };
    let sent = |operation, trace: &str, received| {
        (with(network(operation, None, 8, None), vec![("trace_id".to_owned(), trace.to_owned())]), received)
    };
    for records in [
        vec![
            of("a", "t1", 3000.0),
            of("b", "t2", 3000.0),
            of("c", "t3", 3000.0),
            of("b", "t4", 3006.0),
            of("c", "t5", 3007.0),
        ],
        vec![
            sent("a", "t1", 3000.0),
            sent("b", "t2", 3000.0),
            sent("c", "t3", 3000.0),
            sent("b", "t4", 3006.0),
            sent("c", "t5", 3007.0),
        ],
    ] {
        let mut publisher = opened(&config, None);
        publisher.publish(&batch_of(&records).placed("epoch", 0)).expect("taken");
        let page = publisher.scrape("application/openmetrics-text").expect("a page").body;
        let page = String::from_utf8(page).expect("a page is UTF-8");
        assert!(page.contains("_id=\"t4\""), "{page}");
        assert!(!page.contains("_id=\"t5\""), "{page}");
    }
}

#[test]
fn records_without_a_place_count_each_time_and_move_no_watermark() {
    let mut publisher = opened(&Config::default(), None);
    let batch = batch(&[event("a", "completed", 0, Some(0.5))]);
    publisher.publish(&batch).expect("taken");
    publisher.publish(&batch).expect("taken");
    assert!(page(&publisher).contains("event_records_total{event_name=\"a\",status=\"completed\"} 2\n"));
    assert_eq!(publisher.snapshot().map(|saved| saved.next_offset), Some(0));
}

#[test]
fn the_first_sight_of_a_name_shows_its_usual_ends_at_zero() {
    let page = at_once(&Config::default(), &[event("a", "pending", 0, None), network("get", None, 8, None)]);
    for line in [
        "event_duration_seconds_count{event_name=\"a\",status=\"completed\"} 0\n",
        "event_duration_seconds_bucket{event_name=\"a\",status=\"failed\",le=\"+Inf\"} 0\n",
        "event_records_total{event_name=\"a\",status=\"pending\"} 1\n",
        "event_records_total{event_name=\"a\",status=\"failed\"} 0\n",
        "network_operations_total{operation=\"get\",outcome=\"success\"} 1\n",
        "network_operations_total{operation=\"get\",outcome=\"failure\"} 0\n",
        "network_bytes_total{operation=\"get\",direction=\"received\"} 4\n",
        "network_latency_seconds_count{operation=\"get\"} 0\n",
        "metricast_unobserved_total{reason=\"no_end\"} 2\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
    assert!(!page.contains("event_duration_seconds_count{event_name=\"a\",status=\"pending\"}"), "{page}");
    assert!(!page.contains("event_last_completion_timestamp_seconds{"), "{page}");
}

#[test]
fn a_state_of_another_kind_is_refused_by_its_own_error() {
    let mut publisher = opened(&Config::default(), None);
    publisher.publish(&batch(&[event("a", "completed", 0, None)]).placed("epoch", 41)).expect("taken");
    let good = publisher.snapshot().expect("state");
    assert_eq!(good.next_offset, 42);
    let refused = |saved: Saved| match PrometheusPublisher::open(Config::default(), Some(saved)) {
        Err(PublishError::StateIncompatible(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Saved { version: 9, ..good.clone() }), "the state has version 9, this plugin's is 1");
    assert_eq!(
        refused(Saved { next_offset: 50, ..good.clone() }),
        "the state is of the records before offset 42, and it was saved as if before 50"
    );
    assert_eq!(refused(Saved { state: Vec::new(), ..good.clone() }), "these bytes are no snapshot of metrics");
    let mut damaged = good;
    damaged.state[34] ^= 1;
    assert_eq!(refused(damaged), "the snapshot is damaged: its checksum does not fit");
}

#[test]
fn other_buckets_start_their_histogram_anew_and_nothing_else() {
    let mut publisher = opened(&Config::default(), None);
    publisher.publish(&batch(&[event("a", "completed", 3, Some(0.5))]).placed("epoch", 0)).expect("taken");
    let buckets = BucketLists { events: vec![1.0], ..BucketLists::default() };
    let page = page(&opened(&Config { buckets, ..Config::default() }, publisher.snapshot()));
    assert!(!page.contains("event_duration_seconds_count"), "{page}");
    assert!(page.contains("event_retries_total{event_name=\"a\"} 3\n"), "{page}");
}
