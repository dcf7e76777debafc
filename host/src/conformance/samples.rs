//! Records to judge plugins by: usual ones, many, and those that break what is put together from texts.

use std::sync::Arc;

use metricast_records::{Batch, BatchBuilder, EventMetrics, Metrics, NetworkMetrics, time};

use crate::clock::now;

/// Names what the records are of, for who finds them in a backend.
const NAME: &str = "metricast_conformance";

/// The opening of a queue that they are of.
pub(super) const EPOCH: &str = "metricast-conformance";

/// Records of a large batch.
pub(super) const MANY: usize = 10_000;

fn event() -> EventMetrics {
    let start_time = now() - 1.0;
    EventMetrics {
        event_name: NAME.to_owned(),
        task_id: "task-1".to_owned(),
        start_time,
        end_time: Some(start_time + 0.25),
        status: "completed".to_owned(),
        process_id: Some(4242),
        attributes: vec![("tenant".to_owned(), "a".to_owned())],
        ..EventMetrics::default()
    }
}

fn network() -> NetworkMetrics {
    let start_time = now() - 1.0;
    NetworkMetrics {
        operation: NAME.to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 443,
        start_time,
        end_time: Some(start_time + 0.125),
        bytes_sent: 512,
        bytes_received: 2048,
        ..NetworkMetrics::default()
    }
}

/// One of each kind and of each way to end.
pub(super) fn usual() -> Vec<Metrics> {
    let failed = EventMetrics {
        status: "failed".to_owned(),
        error: Some("oops".to_owned()),
        retry_count: 3,
        attributes: Vec::new(),
        ..event()
    };
    let running = EventMetrics { status: "running".to_owned(), end_time: None, process_id: None, ..event() };
    let refused = NetworkMetrics { error: Some(String::new()), task_id: Some("task-1".to_owned()), ..network() };
    let under_way = NetworkMetrics { end_time: None, port: 0, ..network() };
    let events = [event(), failed, running].map(Metrics::Event);
    events.into_iter().chain([network(), refused, under_way].map(Metrics::Network)).collect()
}

/// As many as a host hands over at once, of a hundred names.
pub(super) fn many() -> Vec<Metrics> {
    let of = |index: usize| {
        let name = format!("{NAME}_{}", index % 100);
        if index.is_multiple_of(3) {
            Metrics::Network(NetworkMetrics { operation: name, ..network() })
        } else {
            Metrics::Event(EventMetrics { event_name: name, task_id: format!("task-{index}"), ..event() })
        }
    };
    (0..MANY).map(of).collect()
}

/// Texts that end strings, lines and frames early, or are longer than anybody expects.
pub(super) fn hostile() -> Vec<Metrics> {
    let texts = [
        "\"}\n{\"index\":{}}".to_owned(),
        "a\\\"b\\".to_owned(),
        "\u{0}\u{1}\u{7f}\u{85}".to_owned(),
        "line\nbreak\r\n".to_owned(),
        "\u{202e}right to left \u{1f469}\u{200d}\u{1f4bb}".to_owned(),
        "${jndi:ldap://127.0.0.1/x} %s {{.}} '; --".to_owned(),
        "x".repeat(100_000),
        " ".to_owned(),
    ];
    let of = |text: &String| {
        let attributes =
            vec![(text.clone(), text.clone()), (String::new(), text.clone()), ("a.b".to_owned(), String::new())];
        let event = EventMetrics {
            event_name: text.clone(),
            task_id: text.clone(),
            status: text.clone(),
            error: Some(text.clone()),
            attributes: attributes.clone(),
            ..event()
        };
        let network = NetworkMetrics {
            operation: text.clone(),
            task_id: Some(text.clone()),
            host: text.clone(),
            error: Some(text.clone()),
            attributes,
            ..network()
        };
        [Metrics::Event(event), Metrics::Network(network)]
    };
    let thousand = (0..1000).map(|index| (format!("key_{index}"), format!("value {index}"))).collect();
    let many_attributes = Metrics::Event(EventMetrics { attributes: thousand, ..event() });
    texts.iter().flat_map(of).chain([many_attributes]).collect()
}

/// The first and last of every number's range.
pub(super) fn extreme() -> Vec<Metrics> {
    let (first, last) = (*time::RANGE.start(), *time::RANGE.end());
    let times = [(first, Some(first)), (first, Some(last)), (last, Some(last)), (first, None)];
    let of = |(start_time, end_time): (f64, Option<f64>)| {
        let event =
            EventMetrics { start_time, end_time, retry_count: u32::MAX, process_id: Some(u32::MAX - 1), ..event() };
        let network = NetworkMetrics {
            start_time,
            end_time,
            port: u16::MAX,
            bytes_sent: u64::MAX,
            bytes_received: u64::MAX,
            ..network()
        };
        [Metrics::Event(event), Metrics::Network(network)]
    };
    times.into_iter().flat_map(of).collect()
}

/// A batch of records, from this place in the queue on.
pub(super) fn batch(records: &[Metrics], offset: u64) -> Arc<Batch> {
    let received = now();
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), received).expect("samples are far from 4 GiB");
    }
    Arc::new(builder.finish().placed(EPOCH, offset))
}
