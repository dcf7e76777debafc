use super::{MAX_ATTRIBUTES, parse_line};
use crate::metrics::{EventMetrics, Metrics, NetworkMetrics};

fn record(line: &str) -> Metrics {
    parse_line(line.as_bytes()).expect(line).expect("not blank").as_ref().to_owned()
}

fn event(rest: &str) -> EventMetrics {
    match record(&format!(r#"{{"event_name": "e", "start_time": 100, {rest}}}"#)) {
        Metrics::Event(event) => event,
        Metrics::Network(network) => panic!("{network:?}"),
    }
}

fn network(rest: &str) -> NetworkMetrics {
    match record(&format!(r#"{{"operation": "o", "host": "h", {rest}}}"#)) {
        Metrics::Network(network) => network,
        Metrics::Event(event) => panic!("{event:?}"),
    }
}

fn refusal(line: &str) -> String {
    parse_line(line.as_bytes()).expect_err(line).to_string()
}

fn event_refusal(rest: &str) -> String {
    refusal(&format!(r#"{{"event_name": "e", "start_time": 100, {rest}}}"#))
}

fn network_refusal(rest: &str) -> String {
    refusal(&format!(r#"{{"operation": "o", "host": "h", "start_time": 100, {rest}}}"#))
}

#[test]
fn a_whole_event() {
    let read = record(
        r#"{"event_name": "QuerySqlite", "task_id": "t-1", "start_time": 1795368571.25, "end_time": 1795368571.5,
            "status": "failed", "error": "locked\n", "retry_count": 2, "process_id": 25331, "tenant": "shop",
            "timestamp": "2026-11-22T12:29:31.5", "metric_type": "event", "duration": 0.25}"#,
    );
    let expected = EventMetrics {
        event_name: "QuerySqlite".to_owned(),
        task_id: "t-1".to_owned(),
        start_time: 1_795_368_571.25,
        end_time: Some(1_795_368_571.5),
        status: "failed".to_owned(),
        error: Some("locked\n".to_owned()),
        retry_count: 2,
        process_id: Some(25331),
        attributes: vec![("tenant".to_owned(), "shop".to_owned())],
    };
    assert_eq!(read, Metrics::Event(expected));
}

#[test]
fn a_whole_network_record() {
    let read = record(
        r#"{"task_id": "t", "host": "::1", "port": 65535, "start_time": 5, "end_time": 6.5, "operation": "fetch partial",
            "bytes_sent": 18446744073709551615, "bytes_received": 7.0, "error": "", "metric_type": "network"}"#,
    );
    let expected = NetworkMetrics {
        operation: "fetch partial".to_owned(),
        task_id: Some("t".to_owned()),
        host: "::1".to_owned(),
        port: 65535,
        start_time: 5.0,
        end_time: Some(6.5),
        bytes_sent: u64::MAX,
        bytes_received: 7,
        error: Some(String::new()),
        attributes: vec![],
    };
    assert_eq!(read, Metrics::Network(expected));
}

#[test]
fn blank_lines_are_no_records() {
    for line in ["", " \t", "\r", "\u{feff}", "\u{feff} \r"] {
        assert!(parse_line(line.as_bytes()).unwrap().is_none(), "{line:?}");
    }
    assert!(parse_line("\u{feff}{\"event_name\":\"e\",\"start_time\":1}\r".as_bytes()).unwrap().is_some());
}

#[test]
fn the_kind_is_named_or_told_by_its_key() {
    assert_eq!(
        refusal(r#"{"event_name": "e", "operation": "o", "start_time": 1}"#),
        r#"event_name and operation are both there: metric_type must say whether it is an "event" or a "network" record"#
    );
    assert_eq!(
        refusal("{}"),
        "neither metric_type nor event_name nor operation is there: the kind of record is not known"
    );
    assert_eq!(
        refusal(r#"{"metric_type": "Event"}"#),
        r#"metric_type: "Event" is not known (did you mean "event"?); "event" and "network" are"#
    );
    assert_eq!(
        refusal(r#"{"metric_type": "gauge"}"#),
        r#"metric_type: "gauge" is not known; "event" and "network" are"#
    );
    assert_eq!(
        refusal(r#"{"metric_type": 7}"#),
        r#"metric_type: must be "event" or "network", and this is the number 7"#
    );
    let both = record(r#"{"metric_type": "event", "event_name": "e", "operation": "o", "host": "h", "start_time": 1}"#);
    let Metrics::Event(both) = both else { panic!("{both:?}") };
    assert_eq!(both.attributes, [("operation".to_owned(), "o".to_owned()), ("host".to_owned(), "h".to_owned())]);
}

#[test]
fn what_an_event_leaves_out() {
    let event = event(r#""end_time": null, "process_id": null, "error": null"#);
    assert_eq!((event.task_id.as_str(), event.status.as_str(), event.retry_count), ("", "pending", 0));
    assert_eq!((event.end_time, event.process_id, event.error), (None, None, None));
}

#[test]
fn names_are_text_that_is_not_empty() {
    assert_eq!(refusal(r#"{"metric_type": "event", "start_time": 1}"#), "event_name is missing: an event needs one");
    assert_eq!(refusal(r#"{"event_name": "", "start_time": 1}"#), "event_name: must not be empty");
    assert_eq!(refusal(r#"{"event_name": 7, "start_time": 1}"#), "event_name: must be text, and this is the number 7");
    assert_eq!(
        refusal(r#"{"metric_type": "event", "event_name": null, "start_time": 1}"#),
        "event_name: must be text, and this is null"
    );
    assert_eq!(refusal(r#"{"operation": "o", "start_time": 1}"#), "host is missing: a network record needs one");
    assert_eq!(refusal(r#"{"operation": "o", "host": "", "start_time": 1}"#), "host: must not be empty");
    assert_eq!(event_refusal(r#""status": """#), "status: must not be empty");
    assert_eq!(event_refusal(r#""task_id": [1]"#), "task_id: must be text, and this is an array");
}

#[test]
fn times_are_seconds_or_rfc_3339_with_a_zone() {
    let start = |text: &str| match record(&format!(r#"{{"event_name": "e", "start_time": "{text}"}}"#)) {
        Metrics::Event(event) => event.start_time,
        Metrics::Network(network) => panic!("{network:?}"),
    };
    let expected = 1_795_368_571.25;
    assert!((start("2026-11-22T17:29:31.25Z") - expected).abs() < 1e-9);
    assert!((start("2026-11-22t22:59:31.250000000+05:30") - expected).abs() < 1e-9);
    assert_eq!(
        event_refusal(r#""end_time": "2026-11-22T17:29:31""#),
        r#"end_time: "2026-11-22T17:29:31" has no zone; end it with Z or an offset such as +01:00"#
    );
    assert!(
        event_refusal(r#""end_time": "NaN""#)
            .starts_with(r#"end_time: "NaN" is neither a number of seconds nor RFC 3339"#)
    );
    assert_eq!(
        event_refusal(r#""end_time": "2026-02-30T00:00:00Z""#),
        r#"end_time: "2026-02-30T00:00:00Z": there is no such date or time"#
    );
    assert_eq!(
        event_refusal(r#""end_time": true"#),
        "end_time: must be a number of seconds or RFC 3339 text, and this is true"
    );
}

#[test]
fn times_out_of_range_are_named_with_what_they_look_like() {
    let end = |value: &str| event_refusal(&format!(r#""end_time": {value}"#));
    assert_eq!(end("-1"), "end_time: -1 s is out of range, times go from 1970 to 2262");
    assert_eq!(
        end("1795368571250"),
        "end_time: 1795368571250 s is out of range, times go from 1970 to 2262; it looks like milliseconds, and times are in seconds"
    );
    assert!(end("1795368571250000000").ends_with("; it looks like nanoseconds, and times are in seconds"));
    assert!(end("1e17").contains("out of range"));
    assert!(end("1e400").starts_with("a number out of range at column"), "{}", end("1e400"));
    assert!(end("1e308").starts_with("end_time: 1e308 s is out of range"), "{}", end("1e308"));
    assert_eq!(event_refusal(r#""end_time": 97.75"#), "end_time: 97.75 is before start_time, 100");
    assert_eq!(event(r#""end_time": 100"#).end_time, Some(100.0));
}

#[test]
fn a_network_record_takes_missing_times_from_latency() {
    let dated = network(r#""latency": 0.25, "timestamp": "2026-11-22T17:29:31.500000""#);
    assert_eq!((dated.start_time, dated.end_time), (1_795_368_571.25, Some(1_795_368_571.5)));
    let zoned = network(r#""latency": 0.25, "timestamp": "2026-11-22T18:29:31.5+01:00""#);
    assert_eq!(zoned.end_time, Some(1_795_368_571.5));
    let started = network(r#""latency": 0.25, "start_time": 10"#);
    assert_eq!((started.start_time, started.end_time), (10.0, Some(10.25)));
    let ended = network(r#""latency": 0.25, "end_time": 10"#);
    assert_eq!((ended.start_time, ended.end_time), (9.75, Some(10.0)));
    let all = network(r#""latency": 5, "start_time": 10, "end_time": 10.25"#);
    assert_eq!((all.start_time, all.end_time), (10.0, Some(10.25)));
    assert_eq!(network_refusal(r#""latency": -0.5"#), "latency: -0.5 s is negative");
    assert_eq!(
        refusal(r#"{"operation": "o", "host": "h", "latency": 1}"#),
        "latency needs start_time, end_time or timestamp beside it"
    );
    assert!(refusal(r#"{"operation": "o", "host": "h"}"#).starts_with("start_time is missing"));
}

#[test]
fn whole_numbers_are_exact_and_in_range() {
    assert_eq!(network_refusal(r#""bytes_sent": -1"#), "bytes_sent: -1 is negative, and 0 is the least");
    assert_eq!(
        network_refusal(r#""bytes_sent": 18446744073709551616"#),
        "bytes_sent: 1.8446744073709552e19 is above the largest, 18446744073709551615"
    );
    assert_eq!(network_refusal(r#""bytes_received": 1.5"#), "bytes_received: 1.5 is not a whole number");
    assert_eq!(network_refusal(r#""port": 65536"#), "port: 65536 is above the largest, 65535");
    assert_eq!(network_refusal(r#""port": "80""#), r#"port: must be a whole number, and this is the text "80""#);
    assert_eq!(
        event_refusal(r#""retry_count": 4294967296"#),
        "retry_count: 4294967296 is above the largest, 4294967295"
    );
    assert_eq!(event_refusal(r#""process_id": 4294967295"#), "process_id: 4294967295 is above the largest, 4294967294");
    assert_eq!(event(r#""retry_count": 1.0"#).retry_count, 1);
}

#[test]
fn unknown_keys_are_attributes() {
    let event = event(
        r#""text": "a", "number": 1.50, "whole": -3, "flag": true, "none": null, "": "empty", "list": [1, {"a": null}],
           "attributes": {"region": "eu", "nothing": null}"#,
    );
    let pairs: Vec<(&str, &str)> = event.attributes.iter().map(|(key, value)| (&**key, &**value)).collect();
    let expected = [
        ("text", "a"),
        ("number", "1.5"),
        ("whole", "-3"),
        ("flag", "true"),
        ("", "empty"),
        ("list", r#"[1,{"a":null}]"#),
        ("region", "eu"),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(event_refusal(r#""attributes": "a""#), r#"attributes: must be an object, and this is the text "a""#);
    assert!(event_refusal(r#""attributes": [1]"#).ends_with("this is an array"));
    let many: Vec<String> = (0..=MAX_ATTRIBUTES).map(|index| format!(r#""k{index}": 1"#)).collect();
    assert!(event_refusal(&many.join(",")).starts_with(r#""k256": one attribute (key"#));
}

#[test]
fn a_key_stands_once() {
    assert_eq!(event_refusal(r#""status": "a", "status": "b""#), r#""status": the key stands twice"#);
    assert_eq!(event_refusal(r#""x": 1, "x": 2"#), r#""x": the key stands twice"#);
    assert_eq!(event_refusal(r#""x": null, "x": 1"#), r#""x": the key stands twice"#);
    assert_eq!(event_refusal(r#""x": 1, "x": null"#), r#""x": the key stands twice"#);
    assert_eq!(event_refusal(r#""x": 1, "attributes": {"x": 2}"#), r#""x": the key stands twice"#);
    assert_eq!(event_refusal(r#""attributes": {}, "attributes": {}"#), "attributes: the key stands twice");
}

#[test]
fn errors_of_any_form_are_kept() {
    assert_eq!(event(r#""error": """#).error.as_deref(), Some(""));
    assert_eq!(event(r#""error": {"code": 7}"#).error.as_deref(), Some(r#"{"code":7}"#));
    assert_eq!(event(r#""error": 7"#).error.as_deref(), Some("7"));
}

#[test]
fn what_is_not_json_is_told_with_its_place() {
    assert_eq!(refusal(r#"{"event_name": "e", "#), "not JSON at column 19: it breaks off where a value should stand");
    assert_eq!(
        refusal("[1]"),
        "a record is one JSON object, and this is an array; the records of one stand on a line each"
    );
    assert_eq!(refusal("null"), "a record is one JSON object, and this is null");
    assert_eq!(refusal("\"a\""), "a record is one JSON object, and this is a string");
    assert!(refusal(r#"{"event_name": "e", "start_time": 1} {}"#).contains("column 38: something follows the record"));
    assert!(refusal("{\"event_name\": \"a\u{0}\"}").starts_with("not JSON at column 18: the control character U+0000"));
    assert!(event_refusal(r#""error": "\ud800""#).starts_with("not JSON at column"));
    assert_eq!(
        parse_line(b"{\"error\": \"f\xfcr\"}").unwrap_err().to_string(),
        "not UTF-8 at byte 13 of the record (0xFC): records are UTF-8"
    );
}

#[test]
fn what_other_languages_write_gets_a_hint() {
    assert!(event_refusal(r#""end_time": NaN"#).ends_with(": NaN is no JSON number; null says that there is none"));
    assert!(event_refusal(r#""end_time": Infinity"#).contains(": Infinity is no JSON number"));
    assert!(event_refusal(r#""end_time": -Infinity"#).contains(": -Infinity is no JSON number"));
    assert!(refusal("{'event_name': 'e'}").contains("json.dumps writes JSON"));
    assert!(event_refusal(r#""end_time": None"#).contains("json.dumps writes JSON"));
}

#[test]
fn depth_is_bounded() {
    let deep = format!(r#""x": {}{}"#, "[".repeat(10_000), "]".repeat(10_000));
    assert!(event_refusal(&deep).starts_with("nested deeper than 127 levels at column"));
    assert!(event_refusal(&format!(r#""attributes": {{{deep}}}"#)).starts_with("nested deeper than 127 levels"));
}
