use super::*;
use std::time::Duration;

use metricast_sdk::config;
use metricast_series::{Buckets, SeriesLimit};
use serde_json::Value;

fn parsed(config: &str) -> Result<Config, String> {
    config::parse::<crate::PrometheusPublisher>(config).map_err(|error| error.to_string())
}

#[test]
fn every_default_is_the_one_that_the_schema_states() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let properties = &schema["properties"];
    let stated = |key: &str| properties[key]["default"].clone();
    let lists = &properties["buckets"]["properties"];
    let written = serde_json::json!({
        "port": stated("port"),
        "histograms": stated("histograms"),
        "series_limit": stated("series_limit"),
        "extra_metrics": stated("extra_metrics"),
        "exemplars": stated("exemplars"),
        "buckets": { "events": lists["events"]["default"], "network": lists["network"]["default"] },
    });
    assert_eq!(parsed(&written.to_string()), Ok(Config::default()));
    assert_eq!(parsed("{}"), Ok(Config::default()));
    assert_eq!(properties["series_limit"]["maximum"], SeriesLimit::MAX);
    assert_eq!(lists["events"]["maxItems"], Buckets::MAX);
}

#[test]
fn what_is_written_is_taken() {
    let config = parsed(
        r#"{"port": 9999, "histograms": "both", "buckets": {"events": [1, 2.5]}, "series_limit": 5, "extra_metrics": false,
             "hold_new_series": "60s", "expire_after": 86400, "max_age": "1h 30m",
             "labels": {"region": "eu"}, "exemplars": false, "server": "http://127.0.0.1:9090/prefix/"}"#,
    );
    let expected = Config {
        port: 9999,
        histograms: Histograms::Both,
        buckets: BucketLists { events: vec![1.0, 2.5], ..BucketLists::default() },
        series_limit: 5,
        extra_metrics: false,
        hold_new_series: Some(Time(Duration::from_mins(1))),
        expire_after: Some(Time(Duration::from_hours(24))),
        max_age: Some(Time(Duration::from_mins(90))),
        labels: BTreeMap::from([("region".to_owned(), Label::Constant("eu".to_owned()))]),
        exemplars: false,
        server: Some("http://127.0.0.1:9090/prefix/".to_owned()),
        ..Config::default()
    };
    assert_eq!(config, Ok(expected));
}

#[test]
fn what_cannot_be_names_its_key() {
    for (config, expected) in [
        (r#"{"prot": 1}"#, "prot: unknown key; did you mean `port`?"),
        (r#"{"port": 65536}"#, "port: 65536 is out of range, the most is 65535"),
        (r#"{"buckets": {"event": [1]}}"#, "buckets.event: unknown key; did you mean `events`?"),
        (r#"{"buckets": {"events": []}}"#, "buckets.events: needs at least one bound"),
        (r#"{"buckets": {"events": [-1]}}"#, "buckets.events[0]: -1 is out of range, the least is 0"),
        (
            r#"{"buckets": {"network": [1, 0.5]}}"#,
            "buckets.network: bound 1 is 0.5, which is not above the one before it (1): bounds ascend",
        ),
        (r#"{"series_limit": 0}"#, "series_limit: 0 is out of range, the least is 1"),
        (r#"{"histograms": "sparse"}"#, r#"histograms: "sparse" is none of "classic" or "native" or "both""#),
        (
            r#"{"hold_new_series": -1}"#,
            "hold_new_series: -1 is no length of time: cannot convert float seconds to Duration: value is negative",
        ),
        (
            r#"{"hold_new_series": "60"}"#,
            "hold_new_series: `60` is no length of time such as 60s: time unit needed, for example 60sec or 60ms",
        ),
        (r#"{"hold_new_series": "2h"}"#, "hold_new_series: the most is 1h"),
        (r#"{"expire_after": "30m"}"#, "expire_after: the least is 1h"),
        (r#"{"max_age": "0s"}"#, "max_age: must be longer than 0s"),
        (r#"{"labels": "eu"}"#, "labels: a table is wanted, and this is text"),
        (r#"{"labels": {"job": "x"}}"#, "labels.job: this name is taken: by the metrics, or by Prometheus"),
        (r#"{"labels": {"tenant": {"allow": ["a"]}}}"#, "labels.tenant: missing field `attribute`"),
        (r#"{"service": ""}"#, "service: is empty: leave the key out"),
        (r#"{"server": "localhost:9090"}"#, "server: needs a scheme, such as http://127.0.0.1:9090"),
        (r#"{"server": "http://u:p@a"}"#, "server: has credentials in it: leave them out"),
        (r#"{"server": "http://a/?x"}"#, "server: has more in it than scheme, name, port and path: leave that out"),
        (r#"{"extra_metrics": "no"}"#, "extra_metrics: true or false is wanted, and this is text"),
    ] {
        assert_eq!(parsed(config), Err(expected.to_owned()), "{config}");
    }
}
