//! Whether a receiver holds what the records say.

use std::collections::BTreeMap;
use std::time::Duration;

use support::promql::{Querier, Sample};
use support::wait;

use super::INSTANCE;
use crate::truth::{RECORDS, Truth, truth};

/// More than a test takes. The series end with the push of the last run: without a range there would be nothing.
const WHOLE: &str = "1h";

/// Values by the labels that tell them apart, in the order of the labels.
type Values = BTreeMap<Vec<String>, f64>;

/// One metric, of which a receiver should hold these values.
struct Expected {
    metric: &'static str,
    matcher: &'static str,
    labels: &'static [&'static str],
    values: Values,
}

/// Waits until `querier` finds all records counted, and compares each value.
pub(super) fn are_those_of_the_records(querier: impl Fn() -> Querier) {
    of_an_instance_are_those_of_the_records("instance", querier);
}

/// The same where the instance has a label with another name, which is written as a query has it.
pub(super) fn of_an_instance_are_those_of_the_records(label: &str, querier: impl Fn() -> Querier) {
    let whole =
        |metric: &str, matcher: &str| format!("last_over_time({metric}{{{label}=\"{INSTANCE}\"{matcher}}}[{WHOLE}])");
    let all = format!("sum({}) + sum({})", whole("event_records_total", ""), whole("network_operations_total", ""));
    wait_for(&querier, &all, RECORDS as f64);
    let querier = querier();
    for Expected { metric, matcher, labels, values } in expected(&truth()) {
        let expression = format!("sum by ({}) ({})", labels.join(", "), whole(metric, matcher));
        let found = querier.query(&expression);
        let found: Values = found.iter().map(|sample| (key(sample, labels), sample.value)).collect();
        assert_eq!(present(&found), present(&values), "{expression}");
        for (key, value) in &values {
            let found = found.get(key).copied().unwrap_or_default();
            assert!((found - value).abs() <= value.abs() * 1e-9, "{expression}, {key:?}: {found}, not {value}");
        }
    }
}

/// Waits until an expression gives this one value.
fn wait_for(querier: impl Fn() -> Querier, expression: &str, value: f64) {
    wait::until(&format!("{expression} = {value}"), Duration::from_secs(30), || {
        querier().value(expression).is_some_and(|found| (found - value).abs() < 0.5).then_some(())
    });
}

fn key(sample: &Sample, labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| sample.label(label).to_owned()).collect()
}

/// The keys of what is not 0: the plugin also has series at 0 for what has not happened.
fn present(values: &Values) -> Vec<&Vec<String>> {
    values.iter().filter(|(_, value)| **value > 0.0).map(|(key, _)| key).collect()
}

fn expected(truth: &Truth) -> Vec<Expected> {
    let mut all = events(truth);
    all.extend(networks(truth));
    all
}

fn events(truth: &Truth) -> Vec<Expected> {
    const LABELS: &[&str] = &["event_name", "status"];
    let pair = |(name, status): &(String, String)| vec![name.clone(), status.clone()];
    let durations = |value: fn(&(u64, f64)) -> f64| truth.durations.iter().map(|(k, v)| (pair(k), value(v))).collect();
    let statuses = truth.statuses.iter().map(|(k, v)| (pair(k), *v as f64)).collect();
    let retries = truth.retries.iter().map(|(k, v)| (vec![k.clone()], *v as f64)).collect();
    let count = |(count, _): &(u64, f64)| *count as f64;
    let seconds = |(_, seconds): &(u64, f64)| *seconds;
    vec![
        metric("event_records_total", "", LABELS, statuses),
        metric("event_duration_seconds_count", "", LABELS, durations(count)),
        metric("event_duration_seconds_bucket", ",le=\"+Inf\"", LABELS, durations(count)),
        metric("event_duration_seconds_sum", "", LABELS, durations(seconds)),
        metric("event_retries_total", "", &LABELS[..1], retries),
    ]
}

fn networks(truth: &Truth) -> Vec<Expected> {
    const LABELS: &[&str] = &["operation"];
    let latencies =
        |value: fn(&(u64, f64)) -> f64| truth.latencies.iter().map(|(k, v)| (vec![k.clone()], value(v))).collect();
    let failures = truth.failures.iter().map(|(k, v)| (vec![k.clone()], *v as f64)).collect();
    let bytes = truth.bytes.iter().flat_map(|(operation, (sent, received))| {
        [("sent", sent), ("received", received)].map(|(way, n)| (vec![operation.clone(), way.to_owned()], *n as f64))
    });
    vec![
        metric("network_bytes_total", "", &["operation", "direction"], bytes.collect()),
        metric("network_operations_total", ",outcome=\"failure\"", LABELS, failures),
        metric("network_latency_seconds_count", "", LABELS, latencies(|(count, _)| *count as f64)),
        metric("network_latency_seconds_sum", "", LABELS, latencies(|(_, seconds)| *seconds)),
    ]
}

fn metric(metric: &'static str, matcher: &'static str, labels: &'static [&'static str], values: Values) -> Expected {
    Expected { metric, matcher, labels, values }
}
