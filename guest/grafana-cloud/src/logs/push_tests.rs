use metricast_records::{BatchBuilder, EventMetrics, Metrics, NetworkMetrics, input};
use metricast_sdk::{Batch, dictionary};
use proptest::prelude::*;

use super::*;

/// An entry as Loki reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Read {
    pub(in super::super) nanos: i64,
    pub(in super::super) line: String,
    pub(in super::super) metadata: Vec<(String, String)>,
}

/// Labels and entries of a body.
pub(in super::super) fn read(body: &[u8]) -> (String, Vec<Read>) {
    let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    let [(1, Value::Bytes(stream))] = fields(&body)[..] else { panic!("one stream") };
    let mut labels = String::new();
    let mut entries = Vec::new();
    for field in fields(stream) {
        match field {
            (1, value) => labels = value.text(),
            (2, Value::Bytes(bytes)) => entries.push(entry(bytes)),
            _ => panic!("{field:?}"),
        }
    }
    (labels, entries)
}

fn entry(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    for field in fields(bytes) {
        match field {
            (1, Value::Bytes(time)) => {
                for (field, value) in fields(time) {
                    read.nanos += value.number() * if field == 1 { 1_000_000_000 } else { 1 };
                }
            }
            (2, value) => read.line = value.text(),
            (3, Value::Bytes(pair)) => {
                let [(1, name), (2, value)] = &fields(pair)[..] else { panic!("a name and a value") };
                read.metadata.push((name.text(), value.text()));
            }
            _ => panic!("{field:?}"),
        }
    }
    read
}

#[derive(Debug)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn text(&self) -> String {
        let Self::Bytes(bytes) = self else { panic!("a number") };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn number(&self) -> i64 {
        let Self::Number(number) = self else { panic!("bytes") };
        i64::try_from(*number).unwrap()
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let number = varint(&mut bytes);
        fields.push((
            tag >> 3,
            match tag & 7 {
                0 => Value::Number(number),
                2 => {
                    let (value, rest) = bytes.split_at(usize::try_from(number).unwrap());
                    bytes = rest;
                    Value::Bytes(value)
                }
                kind => panic!("kind {kind}"),
            },
        ));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

fn batch(records: &[Metrics]) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), 2.0).unwrap();
    }
    builder.finish()
}

fn all(batch: &Batch) -> Vec<Read> {
    let lines = Lines::of(batch);
    let entries: Vec<Entry> =
        batch.records().map(|record| Entry::new(record.index, record.metrics.start_time())).collect();
    read(&body("{}", &entries, &lines).unwrap()).1
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_line_is_the_dictionary_with_few_fields_beside_it() {
    let event = EventMetrics {
        event_name: "Pack".to_owned(),
        task_id: "7".to_owned(),
        status: "failed".to_owned(),
        error: Some("no \"box\"".to_owned()),
        start_time: 1.25,
        ..EventMetrics::default()
    };
    let network =
        NetworkMetrics { operation: "connect".to_owned(), host: "::1".to_owned(), ..NetworkMetrics::default() };
    let batch = batch(&[Metrics::Event(event), Metrics::Network(network)]);
    let [first, second] = all(&batch).try_into().unwrap();
    assert_eq!((first.nanos, second.nanos), (1_250_000_000, 0));
    assert_eq!(first.line, dictionary::to_string(&batch.record(0).metrics));
    let failed =
        [("event_name", "Pack"), ("task_id", "7"), ("status", "failed"), ("outcome", "failure"), ("level", "error")];
    assert_eq!(first.metadata, owned(&failed));
    assert_eq!(second.metadata, owned(&[("operation", "connect"), ("outcome", "success"), ("level", "info")]));
}

#[test]
fn labels_are_few_and_any_name_can_stand_in_them() {
    let who = Who {
        service: Some("a\"b\\c".to_owned()),
        namespace: Some("shop".to_owned()),
        environment: Some("production".to_owned()),
        ..Who::default()
    };
    let of = |is_network, by_arrival| Stream { is_network, by_arrival };
    assert_eq!(
        Labels::new(&who).of(of(true, true)),
        r#"{service_name="a\"b\\c", service_namespace="shop", environment="production", metric_type="network", time="arrival"}"#
    );
    let nameless = Labels::new(&Who::default());
    assert_eq!(nameless.of(of(false, false)), r#"{service_name="metricast", metric_type="event"}"#);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![8 => ".{1,12}", 1 => "[aä]{2000,3000}", 1 => "[\\x00-\\x1f\"\\\\]{1,9}"]
}

fn record() -> impl Strategy<Value = Metrics> {
    let attributes =
        || proptest::collection::btree_map(".{0,4}", ".{0,4}", 0..3).prop_map(|pairs| pairs.into_iter().collect());
    let event = (text(), ".{0,3}", text(), 0.0..2e9, proptest::option::of(".{0,9}"), attributes()).prop_map(
        |(event_name, task_id, status, start_time, error, attributes)| {
            Metrics::Event(EventMetrics {
                event_name,
                task_id,
                status,
                start_time,
                error,
                attributes,
                ..EventMetrics::default()
            })
        },
    );
    let network = (text(), proptest::option::of(".{0,3}"), text(), 0.0..2e9).prop_map(
        |(operation, task_id, host, start_time)| {
            Metrics::Network(NetworkMetrics { operation, task_id, host, start_time, ..NetworkMetrics::default() })
        },
    );
    prop_oneof![event, network]
}

proptest! {
    #[test]
    fn every_record_is_in_the_body_and_nothing_empty(records in proptest::collection::vec(record(), 0..12)) {
        let batch = batch(&records);
        let read = all(&batch);
        prop_assert_eq!(read.len(), records.len());
        for (read, record) in read.iter().zip(batch.records()) {
            prop_assert_eq!(&read.line, &dictionary::to_string(&record.metrics));
            prop_assert!(input::parse_line(read.line.as_bytes()).unwrap().is_some(), "it is input again");
            prop_assert!((read.nanos as f64 / 1e9 - record.metrics.start_time()).abs() < 2e-6);
            prop_assert!(read.metadata.iter().all(|(name, value)| !name.is_empty() && !value.is_empty() && value.len() <= 1024));
        }
    }
}
