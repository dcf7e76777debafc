//! What documents say, and that whatever a record says there is one.

use metricast_records::{EventMetrics, Metrics, NetworkMetrics};
use metricast_sdk::Publisher as _;
use serde_json::{Value, json};

use super::engines::Engine;
use super::{END, attributes, batch, event, network};

/// Publishes records that the server must take, all of them.
fn publish(engine: &Engine, prefix: &str, more: &Value, records: &[Metrics]) {
    let receipt = engine.open(prefix, more).unwrap().publish(&batch(records)).unwrap();
    assert_eq!(receipt.accepted as usize, records.len(), "{receipt:?}");
}

pub(super) fn a_count_of_bytes_beyond_63_bits_is_kept_and_fails_nothing(engine: &Engine) {
    let large = NetworkMetrics { bytes_sent: u64::MAX, bytes_received: i64::MAX as u64, ..network() };
    let small = NetworkMetrics { bytes_sent: 7, ..network() };
    publish(engine, "large", &json!({}), &[Metrics::Network(large), Metrics::Network(small)]);
    let exact = |field: &str, value: u64| engine.hits("large-network*", &json!({ "term": { field: value } }));
    assert_eq!((exact("destination.bytes", i64::MAX as u64), exact("source.bytes", 7)), (1, 1));
    let ignored = json!({ "query": { "term": { "_ignored": "source.bytes" } } });
    let found = engine.search("large-network*", &ignored);
    assert_eq!(found["hits"]["hits"][0]["_source"]["source"]["bytes"], u64::MAX, "kept, and marked as not indexed");
}

pub(super) fn a_host_is_an_ip_only_where_it_is_a_literal_address(engine: &Engine) {
    let literal = ["127.0.0.1", "::1", "2001:db8::7", "::ffff:10.0.0.7"];
    let other =
        ["localhost", "shop.example", "256.0.0.1", "1.2.3", "127.1", "[::1]", "fe80::1%eth0", "10.0.0.1:80", "0x7f.1"];
    let hosts = literal.iter().chain(&other);
    let records: Vec<_> =
        hosts.map(|host| Metrics::Network(NetworkMetrics { host: (*host).into(), ..network() })).collect();
    publish(engine, "hosts", &json!({}), &records);
    let hits = |query: Value| engine.hits("hosts-network*", &query);
    assert_eq!(hits(json!({ "exists": { "field": "destination.ip" } })), literal.len() as u64);
    assert_eq!(hits(json!({ "term": { "destination.ip": "2001:db8::/32" } })), 1);
    assert_eq!(hits(json!({ "term": { "destination.address": "localhost" } })), 1);
    assert_eq!(hits(json!({ "exists": { "field": "destination.address" } })), records.len() as u64);
}

pub(super) fn a_record_without_an_end_has_no_duration_and_the_time_of_its_start(engine: &Engine) {
    let running = EventMetrics { end_time: None, status: "running".into(), ..event() };
    let open = NetworkMetrics { end_time: None, ..network() };
    publish(engine, "open", &json!({}), &[Metrics::Event(running), Metrics::Network(open)]);
    for (index, outcome) in [("open-event*", "unknown"), ("open-network*", "success")] {
        let expected = json!({
            "kind": "event",
            "action": if outcome == "unknown" { "Pay" } else { "http_get" },
            "start": "2026-11-22T17:29:31.250000Z",
            "outcome": outcome,
        });
        let document = &engine.only(index)["_source"];
        assert_eq!((&document["event"], &document["@timestamp"]), (&expected, &expected["start"]));
    }
}

pub(super) fn times_from_1970_to_2262_are_found_as_they_are(engine: &Engine) {
    let at = |start_time, end_time| Metrics::Event(EventMetrics { start_time, end_time, ..event() });
    let (first, last) = (0.0, 9_223_372_036.0);
    let records = [at(first, Some(first)), at(first, Some(last)), at(last, None), at(END - 1.0, Some(END))];
    // Far more days than plain indices are made for by default.
    let window = json!({ "max_past": "30000d", "max_future": "100000d" });
    publish(engine, "times", &window, &records);
    let between = |field: &str, from: &str, to: &str| {
        engine.hits("times-event*", &json!({ "range": { field: { "gte": from, "lte": to } } }))
    };
    assert_eq!(between("@timestamp", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.001Z"), 1);
    assert_eq!(between("@timestamp", "2262-04-11T23:47:16.000Z", "2262-04-11T23:47:16.001Z"), 2);
    assert_eq!(between("event.end", "2026-11-22T17:29:31.75Z", "2026-11-22T17:29:31.750000Z"), 1);
    let longest = json!({ "term": { "event.duration": 9_223_372_036_000_000_000_u64 } });
    assert_eq!(engine.hits("times-event*", &longest), 1, "292 years are a count of nanoseconds that fits");
}

pub(super) fn no_record_is_of_a_wrong_type(engine: &Engine) {
    let mut random = fastrand::Rng::with_seed(2026);
    let records: Vec<_> = (0..600)
        .map(|_| {
            if random.bool() {
                Metrics::Event(any_event(&mut random))
            } else {
                Metrics::Network(any_network(&mut random))
            }
        })
        .collect();
    publish(engine, "any", &json!({ "service": "\u{0}\"\\", "host": "10" }), &records);
    assert_eq!(engine.count("any-*"), 600);
}

/// Texts that look like other things, or like nothing.
fn any_text(random: &mut fastrand::Rng) -> String {
    const TEXTS: [&str; 16] = [
        "12",
        "-1.5e400",
        "true",
        "null",
        "[]",
        "{}",
        "{\"a\":1}",
        "2026-11-22",
        "NaN",
        "\u{0}",
        "\u{feff}\u{202e}x",
        "\u{2028}\r\n",
        "\"",
        "\\",
        "a.b..c.",
        "\u{1f980}",
    ];
    let text = TEXTS[random.usize(..TEXTS.len())];
    if random.u8(..40) == 0 { text.repeat(40_000 / text.len()) } else { text.to_owned() }
}

fn maybe<T>(random: &mut fastrand::Rng, of: impl FnOnce(&mut fastrand::Rng) -> T) -> Option<T> {
    random.bool().then(|| of(random))
}

fn any_times(random: &mut fastrand::Rng) -> (f64, Option<f64>) {
    let mut time = || random.f64() * 9_223_372_036.0;
    let (one, other) = (time(), time());
    // Plain indices are one a day: two days, and not as many as there are records.
    let day = |time: f64| 1_795_300_000.0 + time % 86_400.0;
    let (start, end) = (day(one.min(other)), day(one.max(other)));
    (start.min(end), maybe(random, |_| start.max(end)))
}

fn any_attributes(random: &mut fastrand::Rng) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = (0..random.usize(..5)).map(|_| (any_text(random), any_text(random))).collect();
    pairs.sort();
    pairs.dedup_by(|one, other| one.0 == other.0);
    pairs
}

fn any_event(random: &mut fastrand::Rng) -> EventMetrics {
    let (start_time, end_time) = any_times(random);
    EventMetrics {
        event_name: any_text(random),
        task_id: maybe(random, any_text).unwrap_or_default(),
        start_time,
        end_time,
        status: any_text(random),
        error: maybe(random, any_text),
        retry_count: random.u32(..),
        process_id: maybe(random, |random| random.u32(..u32::MAX)),
        attributes: any_attributes(random),
    }
}

fn any_network(random: &mut fastrand::Rng) -> NetworkMetrics {
    let (start_time, end_time) = any_times(random);
    NetworkMetrics {
        operation: any_text(random),
        task_id: maybe(random, any_text),
        host: any_text(random),
        port: random.u16(..),
        start_time,
        end_time,
        bytes_sent: random.u64(..),
        bytes_received: random.u64(..),
        error: maybe(random, any_text),
        attributes: any_attributes(random),
    }
}

pub(super) fn service_and_host_can_be_asked_for(engine: &Engine) {
    let records = [Metrics::Event(event()), Metrics::Network(network())];
    publish(engine, "who", &json!({ "service": "checkout", "host": "web-1" }), &records);
    let both = json!({ "bool": { "filter": [
        { "term": { "service.name": "checkout" } },
        { "term": { "host.name": "web-1" } },
        { "exists": { "field": "ecs.version" } },
    ] } });
    assert_eq!((engine.hits("who-event*", &both), engine.hits("who-network*", &both)), (1, 1));
    publish(engine, "nobody", &json!({}), &[Metrics::Event(EventMetrics { attributes: attributes(&[]), ..event() })]);
    let document = &engine.only("nobody-event*")["_source"];
    assert!(document.get("service").is_none() && document.get("host").is_none(), "{document}");
}
