//! What is kept, and what a second delivery, another cut or a restart may change: nothing.

use std::time::Duration;

use metricast_prometheus::{AttributeLabel, BucketLists, Config, Histograms, Label, PrometheusPublisher, Time};
use metricast_records::BatchBuilder;
use metricast_sdk::{Batch, EventMetrics, Metrics, NetworkMetrics, PublishError, Publisher, Saved};
use proptest::prelude::*;

fn event(name: &str, status: &str, retries: u32, seconds: Option<f64>) -> Metrics {
    Metrics::Event(EventMetrics {
        event_name: name.to_owned(),
        task_id: "task".to_owned(),
        start_time: 1000.0,
        end_time: seconds.map(|seconds| 1000.0 + seconds),
        status: status.to_owned(),
        error: None,
        retry_count: retries,
        process_id: None,
        attributes: Vec::new(),
    })
}

fn network(operation: &str, error: Option<String>, bytes: u64, seconds: Option<f64>) -> Metrics {
    Metrics::Network(NetworkMetrics {
        operation: operation.to_owned(),
        task_id: None,
        host: "host".to_owned(),
        port: 80,
        start_time: 2000.0,
        end_time: seconds.map(|seconds| 2000.0 + seconds),
        bytes_sent: bytes,
        bytes_received: bytes / 2,
        error,
        attributes: Vec::new(),
    })
}

fn record() -> impl Strategy<Value = Metrics> {
    let seconds = || prop::option::of(0.0..100.0_f64);
    let status = prop_oneof![Just("completed"), Just("failed"), Just("pending"), Just("odd")];
    let record = prop_oneof![
        ("[a-e]", status, 0..4_u32, seconds()).prop_map(|(name, status, n, s)| event(&name, status, n, s)),
        ("[a-e]", prop::option::of("oops"), any::<u64>(), seconds())
            .prop_map(|(name, e, n, s)| network(&name, e, n, s)),
    ];
    (record, prop::option::of("[v-z]"), prop::option::of(any::<u16>())).prop_map(|(record, tenant, traced)| {
        let tenant = tenant.map(|tenant| ("tenant".to_owned(), tenant));
        let trace = traced.map(|trace| ("trace_id".to_owned(), trace.to_string()));
        with(record, tenant.into_iter().chain(trace).collect())
    })
}

fn with(mut record: Metrics, attributes: Vec<(String, String)>) -> Metrics {
    match &mut record {
        Metrics::Event(event) => event.attributes = attributes,
        Metrics::Network(network) => network.attributes = attributes,
    }
    record
}

/// Records, each with when it was received: mostly soon after the one before, now and then long after or before it.
fn received(most: usize) -> impl Strategy<Value = Vec<(Metrics, f64)>> {
    let later = prop_oneof![8 => 0.0..20.0_f64, 1 => 900.0..20_000.0_f64, 1 => -2000.0..0.0_f64];
    prop::collection::vec((record(), later), 1..most).prop_map(|records| {
        let mut now = 1_795_400_000.0;
        let at = |(record, later)| {
            now += later;
            (record, now)
        };
        records.into_iter().map(at).collect()
    })
}

fn batch_of(records: &[(Metrics, f64)]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (record, received) in records {
        builder.push(&record.as_ref(), *received).expect("there is room");
    }
    builder.finish()
}

fn batch(records: &[Metrics]) -> Batch {
    batch_of(&records.iter().map(|record| (record.clone(), 3000.0)).collect::<Vec<_>>())
}

fn opened(config: &Config, state: Option<Saved>) -> PrometheusPublisher {
    PrometheusPublisher::open(config.clone(), state).expect("opened")
}

fn page(publisher: &PrometheusPublisher) -> String {
    String::from_utf8(publisher.scrape("").expect("a page").body).expect("a page is UTF-8")
}

const PROTOBUF: &str = "application/vnd.google.protobuf";

/// What protobuf says: native buckets and starts too.
fn messages(publisher: &PrometheusPublisher) -> Vec<u8> {
    publisher.scrape(PROTOBUF).expect("a page").body
}

/// The page after these records in one batch.
fn at_once(config: &Config, records: &[Metrics]) -> String {
    let mut publisher = opened(config, None);
    publisher.publish(&batch(records).placed("epoch", 0)).expect("taken");
    page(&publisher)
}

fn limited(series_limit: u64) -> Config {
    Config { series_limit, ..Config::default() }
}

fn tenant(allow: Option<&[&str]>, max: Option<u32>) -> Label {
    let allow = allow.map(|allow| allow.iter().map(|value| (*value).to_owned()).collect());
    Label::Attribute(AttributeLabel { attribute: "tenant".to_owned(), allow, max })
}

fn config() -> impl Strategy<Value = Config> {
    let limit = prop_oneof![1..8_u64, Just(10_000)];
    let hours = prop::option::of(1..3_u64);
    // Records ended up to 100 s after 1000 and 2000.
    let age = prop::option::of(1_795_398_000..1_795_400_500_u64);
    let tenants = prop::option::of(1..4_u32);
    (limit, hours, any::<bool>(), any::<bool>(), age, tenants).prop_map(
        |(series_limit, hours, extra_metrics, native, age, tenants)| Config {
            series_limit,
            extra_metrics,
            histograms: if native { Histograms::Both } else { Histograms::Classic },
            expire_after: hours.map(|hours| Time(Duration::from_hours(hours))),
            max_age: age.map(|seconds| Time(Duration::from_secs(seconds))),
            labels: tenants.map(|max| ("tenant".to_owned(), tenant(None, Some(max)))).into_iter().collect(),
            exemplars: false,
            ..Config::default()
        },
    )
}

/// A batch of the records from `start` to `end`, and what happens after it.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    SendAgain,
    Restart,
    /// The process dies: the state is that of an earlier snapshot, and all since then comes again.
    Crash,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![Just(Then::Nothing), Just(Then::SendAgain), Just(Then::Restart), Just(Then::Crash)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn however_it_is_cut_sent_again_or_restarted_the_page_is_the_same(
        records in received(60),
        steps in prop::collection::vec((1..20_usize, then()), 0..16),
        config in config(),
    ) {
        let mut publisher = opened(&config, None);
        let (mut kept, mut from) = (publisher.snapshot(), 0);
        for (size, then) in steps {
            let to = records.len().min(from + size);
            let batch = batch_of(&records[from..to]).placed("epoch", from as u64);
            publisher.publish(&batch).expect("taken");
            from = to;
            match then {
                Then::Nothing => {}
                Then::SendAgain => { publisher.publish(&batch.with_redelivered(true)).expect("taken"); }
                Then::Restart => {
                    kept = publisher.snapshot();
                    publisher = opened(&config, kept.clone());
                }
                Then::Crash => {
                    publisher = opened(&config, kept.clone());
                    from = kept.as_ref().map_or(0, |saved| saved.next_offset as usize);
                }
            }
        }
        publisher.publish(&batch_of(&records[from..]).placed("later epoch", from as u64)).expect("taken");
        let mut straight = opened(&config, None);
        straight.publish(&batch_of(&records).placed("epoch", 0)).expect("taken");
        prop_assert_eq!(page(&publisher), page(&straight));
        prop_assert_eq!(messages(&publisher), messages(&straight));
    }

    #[test]
    fn however_it_is_cut_the_exemplars_are_the_same(
        records in received(60),
        sizes in prop::collection::vec(1..20_usize, 0..16),
        config in config(),
    ) {
        let config = Config { exemplars: true, ..config };
        let (mut cut, mut straight) = (opened(&config, None), opened(&config, None));
        let mut from = 0;
        for size in sizes.into_iter().chain([records.len()]) {
            let to = records.len().min(from + size);
            cut.publish(&batch_of(&records[from..to]).placed("epoch", from as u64)).expect("taken");
            from = to;
        }
        straight.publish(&batch_of(&records).placed("epoch", 0)).expect("taken");
        prop_assert_eq!(messages(&cut), messages(&straight));
        let open_metrics = |publisher: &PrometheusPublisher| publisher.scrape("application/openmetrics-text");
        prop_assert_eq!(open_metrics(&cut), open_metrics(&straight));
    }

    #[test]
    fn in_another_order_the_samples_are_the_same(records in prop::collection::vec(record(), 1..60), turn: prop::sample::Index) {
        let config = limited(10_000);
        let (first, second) = records.split_at(turn.index(records.len()));
        let mut publisher = opened(&config, None);
        publisher.publish(&batch(second)).expect("taken");
        publisher.publish(&batch(first)).expect("taken");
        let (turned, straight) = (page(&publisher), at_once(&config, &records));
        prop_assert_eq!(sorted(&turned), sorted(&straight));
    }
}

/// The lines in an order of their own, with sums rounded: floats add up a little differently in another order.
fn sorted(page: &str) -> Vec<String> {
    let mut lines: Vec<String> = page
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((series, value)) if series.contains("_sum") => {
                format!("{series} {:.9}", value.parse::<f64>().expect("a number"))
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

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

/// Records of event `a`, each with its seconds and when it was received.
fn events(records: &[(&str, &str, f64)]) -> Batch {
    let event = |(name, status, received): &(&str, &str, f64)| (event(name, status, 0, Some(0.25)), *received);
    batch_of(&records.iter().map(event).collect::<Vec<_>>())
}

fn line(publisher: &PrometheusPublisher, now: f64, series: &str) -> Option<String> {
    let page = String::from_utf8(publisher.scrape_at("", now).body).expect("a page is UTF-8");
    page.lines().find_map(|line| Some(line.strip_prefix(series)?.trim().to_owned()))
}

#[test]
fn a_new_series_is_held_at_zero_for_its_time_also_over_a_restart() {
    let config = Config { hold_new_series: Some(Time(Duration::from_mins(1))), ..Config::default() };
    let mut publisher = opened(&config, None);
    publisher.publish(&events(&[("a", "completed", 1000.0), ("a", "failed", 1030.0)]).placed("e", 0)).expect("taken");
    let completed = "event_duration_seconds_count{event_name=\"a\",status=\"completed\"}";
    let failed = "event_records_total{event_name=\"a\",status=\"failed\"}";
    let odd = "event_records_total{event_name=\"a\",status=\"odd\"}";
    let last = "event_last_completion_timestamp_seconds{event_name=\"a\",status=\"completed\"}";
    for publisher in [&publisher, &opened(&config, publisher.snapshot())] {
        let shown = |now| [completed, failed, last].map(|series| line(publisher, now, series).expect("a line"));
        assert_eq!(shown(1059.9), ["0", "0", "1000"]);
        assert_eq!(shown(1060.0), ["1", "1", "1000"]);
    }
    publisher.publish(&events(&[("a", "completed", 1100.0), ("a", "odd", 1100.0)]).placed("e", 2)).expect("taken");
    let shown = |now| [completed, odd].map(|series| line(&publisher, now, series).expect("a line"));
    assert_eq!(shown(1101.0), ["2", "0"]);
    assert_eq!(shown(1160.0), ["2", "1"]);
}

#[test]
fn an_idle_name_expires_whole_and_starts_anew() {
    let config = Config { expire_after: Some(Time(Duration::from_hours(1))), ..Config::default() };
    let mut publisher = opened(&config, None);
    let count = |publisher: &PrometheusPublisher, name: &str, status: &str| {
        line(publisher, 0.0, &format!("event_records_total{{event_name=\"{name}\",status=\"{status}\"}}"))
    };
    let mut at = 0;
    let mut publish = |publisher: &mut PrometheusPublisher, records: &[(&str, &str, f64)]| {
        publisher.publish(&events(records).placed("e", at)).expect("taken");
        at += records.len() as u64;
    };
    publish(&mut publisher, &[("a", "completed", 10.0), ("b", "completed", 20.0), ("b", "failed", 3600.0)]);
    assert_eq!(count(&publisher, "a", "completed").as_deref(), Some("1"), "within the hour");
    publish(&mut publisher, &[("b", "completed", 5500.0)]);
    assert_eq!(count(&publisher, "a", "completed"), None);
    assert_eq!(count(&publisher, "a", "failed"), None);
    publish(&mut publisher, &[("b", "completed", 9000.0), ("b", "completed", 12_000.0), ("a", "completed", 12_001.0)]);
    assert_eq!(count(&publisher, "b", "failed").as_deref(), Some("1"), "the name lives, and so does its failure");
    assert_eq!(count(&publisher, "b", "completed").as_deref(), Some("4"));
    assert_eq!(count(&publisher, "a", "completed").as_deref(), Some("1"), "anew");
}

fn tenants(records: &[(&str, Option<&str>)]) -> Batch {
    let records = records.iter().map(|(name, tenant)| {
        let attributes = tenant.map(|tenant| ("tenant".to_owned(), tenant.to_owned())).into_iter().collect();
        with(event(name, "completed", 1, Some(0.25)), attributes)
    });
    batch(&records.collect::<Vec<_>>())
}

#[test]
fn an_attribute_is_a_label_up_to_its_cap_and_a_constant_is_everywhere() {
    let labels =
        [("tenant".to_owned(), tenant(None, Some(2))), ("region".to_owned(), Label::Constant("eu".to_owned()))];
    let config = Config { labels: labels.into_iter().collect(), ..Config::default() };
    let mut publisher = opened(&config, None);
    let first = tenants(&[("a", Some("x")), ("a", Some("y")), ("a", Some("z")), ("a", None), ("b", Some("z"))]);
    publisher.publish(&first.placed("e", 0)).expect("taken");
    let mut publisher = opened(&config, publisher.snapshot());
    publisher.publish(&tenants(&[("a", Some("y")), ("b", Some("w")), ("b", Some("x"))]).placed("e", 5)).expect("taken");
    let page = page(&publisher);
    for line in [
        "event_retries_total{event_name=\"a\",tenant=\"x\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"a\",tenant=\"y\",region=\"eu\"} 2\n",
        "event_retries_total{event_name=\"a\",tenant=\"__other__\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"a\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"b\",tenant=\"__other__\",region=\"eu\"} 2\n",
        "event_retries_total{event_name=\"b\",tenant=\"x\",region=\"eu\"} 1\n",
        "event_duration_seconds_count{event_name=\"b\",status=\"failed\",tenant=\"x\",region=\"eu\"} 0\n",
        "metricast_unobserved_total{reason=\"no_end\",region=\"eu\"} 0\n",
        "metricast_series_overflow_total{family=\"event_retries\",region=\"eu\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

#[test]
fn values_that_are_not_allowed_are_others() {
    let labels = [("tenant".to_owned(), tenant(Some(&["y"]), None))];
    let config = Config { labels: labels.into_iter().collect(), ..Config::default() };
    let mut publisher = opened(&config, None);
    publisher.publish(&tenants(&[("a", Some("x")), ("a", Some("y")), ("a", Some(""))])).expect("taken");
    let page = page(&publisher);
    for labels in ["tenant=\"__other__\"", "tenant=\"y\""] {
        assert!(page.contains(&format!("event_retries_total{{event_name=\"a\",{labels}}} 1\n")), "{page}");
    }
    assert!(page.contains("event_retries_total{event_name=\"a\"} 1\n"), "{page}");
}

#[test]
fn what_is_too_old_when_it_comes_is_only_counted_as_that() {
    let config = Config { max_age: Some(Time(Duration::from_secs(100))), ..Config::default() };
    let mut publisher = opened(&config, None);
    let ended = event("a", "completed", 0, Some(50.0));
    let pending = event("a", "pending", 0, None);
    let records = [(ended.clone(), 1150.0), (ended, 1150.5), (pending.clone(), 1100.0), (pending, 1101.0)];
    publisher.publish(&batch_of(&records).placed("e", 0)).expect("taken");
    let page = page(&publisher);
    for line in [
        "event_records_total{event_name=\"a\",status=\"completed\"} 1\n",
        "event_records_total{event_name=\"a\",status=\"pending\"} 1\n",
        "metricast_unobserved_total{reason=\"no_end\"} 1\n",
        "metricast_unobserved_total{reason=\"too_old\"} 2\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

#[test]
fn exemplars_name_the_trace_or_the_task() {
    let mut publisher = opened(&Config::default(), None);
    let traced = with(event("a", "completed", 0, Some(0.25)), vec![("trace_id".to_owned(), "abc".to_owned())]);
    let records = [
        (event("a", "completed", 0, Some(0.001_953_125)), 1_795_400_000.5),
        (traced.clone(), 1_795_400_001.0),
        (with(traced, vec![("trace_id".to_owned(), "later".to_owned())]), 1_795_400_005.5),
        (network("get", None, 8, Some(40.0)), 1_795_400_002.0),
    ];
    publisher.publish(&batch_of(&records)).expect("taken");
    let page = publisher.scrape("application/openmetrics-text").expect("a page").body;
    let page = String::from_utf8(page).expect("a page is UTF-8");
    let event = "event_name=\"a\",status=\"completed\"";
    for line in [
        format!(
            "event_duration_seconds_bucket{{{event},le=\"0.0025\"}} 1 # {{task_id=\"task\"}} 0.001953125 1795400000.5\n"
        ),
        format!("event_duration_seconds_bucket{{{event},le=\"0.25\"}} 3 # {{trace_id=\"abc\"}} 0.25 1795400001\n"),
        format!("event_duration_seconds_bucket{{{event},le=\"+Inf\"}} 3\n"),
        format!("event_records_total{{{event}}} 3 # {{trace_id=\"later\"}} 1 1795400005.5\n"),
        "network_latency_seconds_bucket{operation=\"get\",le=\"+Inf\"} 1\n".to_owned(),
    ] {
        assert!(page.contains(&line), "{line}{page}");
    }
    assert!(!self::page(&publisher).contains("# {"));
    let config = Config { exemplars: false, ..Config::default() };
    let mut publisher = opened(&config, None);
    publisher.publish(&batch_of(&records)).expect("taken");
    let page = publisher.scrape("application/openmetrics-text").expect("a page").body;
    assert!(!String::from_utf8_lossy(&page).contains("# {"));
}

#[test]
fn an_end_that_is_still_to_come_does_not_pin_the_last_completion() {
    let mut publisher = opened(&Config::default(), None);
    let series = "event_last_completion_timestamp_seconds{event_name=\"a\",status=\"completed\"}";
    for (received, seconds, expected) in [(2000.0, 1e9, "2000"), (2500.0, 1400.0, "2400"), (2600.0, 1200.0, "2400")] {
        publisher.publish(&batch_of(&[(event("a", "completed", 0, Some(seconds)), received)])).expect("taken");
        assert_eq!(line(&publisher, received, series).as_deref(), Some(expected));
    }
}
