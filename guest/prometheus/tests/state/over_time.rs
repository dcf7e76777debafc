//! What goes by when records were received.

use super::*;

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
fn an_end_that_is_still_to_come_does_not_pin_the_last_completion() {
    let mut publisher = opened(&Config::default(), None);
    let series = "event_last_completion_timestamp_seconds{event_name=\"a\",status=\"completed\"}";
    for (received, seconds, expected) in [(2000.0, 1e9, "2000"), (2500.0, 1400.0, "2400"), (2600.0, 1200.0, "2400")] {
        publisher.publish(&batch_of(&[(event("a", "completed", 0, Some(seconds)), received)])).expect("taken");
        assert_eq!(line(&publisher, received, series).as_deref(), Some(expected));
    }
}
