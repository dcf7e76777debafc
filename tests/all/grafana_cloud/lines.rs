//! The real records as lines of a real Loki, moved to the present: Loki takes no line of last week.

use std::fs;

use serde_json::Value;
use support::data;
use support::grafana::{Limits, Loki, gateway, now};

use super::{Done, Program};
use crate::truth::{FILE, RECORDS, truth};

const USER: &str = "123456";
/// What has no end may have begun after the last end.
const HOUR: i64 = 3_600_000_000_000;
const QUERY: &str = "{service_name=\"shop\"}";

/// Publishes the real records as lines through a gateway of `loki`.
fn published(loki: &Loki) -> Done {
    let gateway = gateway(loki.url());
    let settings = format!(
        "signals = [\"logs\"]\nservice = \"shop\"\napi_key = {{ secret = \"env:SECRET\" }}\n\
         logs = {{ endpoint = \"{}\", instance_id = {USER}, late = \"arrival_time\" }}\n",
        gateway.url()
    );
    let program = Program::at("http://127.0.0.1:9/unused", &settings);
    let file = program.0.path().join("records.ndjson");
    fs::write(&file, of_now()).unwrap();
    program.run("publish", &[&file], "token")
}

/// The records with the last of them ending now.
fn of_now() -> String {
    let text = fs::read_to_string(data(FILE)).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = records.iter().filter_map(|record| record["end_time"].as_f64()).fold(0.0, f64::max);
    let moved = now() as f64 / 1e9 - last;
    let lines = records.into_iter().map(|mut record| {
        for key in ["start_time", "end_time"] {
            if let Some(time) = record[key].as_f64() {
                record[key] = (time + moved).into();
            }
        }
        format!("{record}\n")
    });
    lines.collect()
}

fn count(loki: &Loki, query: &str) -> u64 {
    loki.count(USER, query, "48h", now() + HOUR)
}

/// Each record is a line, and can be found by its event's name.
fn has_all(loki: &Loki) {
    assert_eq!(count(loki, QUERY), RECORDS);
    let truth = truth();
    for name in truth.retries.keys() {
        let of_name = truth.statuses.iter().filter(|((event, _), _)| event == name).map(|(_, count)| count);
        assert_eq!(count(loki, &format!("{QUERY} | event_name=`{name}`")), of_name.sum::<u64>(), "{name}");
    }
}

/// A megabyte a second: the lines are sent again till all are there, and each is there once.
#[test]
fn a_rate_that_is_too_high_loses_and_doubles_nothing() {
    let Some(loki) = Loki::start(Limits::Tight) else { return };
    let done = published(&loki);
    assert_eq!(done.code, Some(0), "{}", done.said);
    assert!(done.said.contains("429"), "{}", done.said);
    has_all(&loki);
}
