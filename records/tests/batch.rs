//! The packed batch against its owned records: what goes in comes out, and no bytes make reading one panic.

#![expect(clippy::unwrap_used, reason = "a test")]

use metricast_records::batch::{ABSENT, AttributeColumns, EventColumns, NetworkColumns};
use metricast_records::{
    Batch, BatchBuilder, BatchError, Columns, EventMetrics, Metrics, NetworkMetrics, dictionary, input,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("completed".to_owned()), "\\PC{0,12}", ".{0,3}"]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("QuerySqlite".to_owned()), ".{1,12}"]
}

fn times() -> impl Strategy<Value = (f64, Option<f64>)> {
    (0.0..4e9_f64, option::of(0.0..1e5_f64)).prop_map(|(start, took)| (start, took.map(|took| start + took)))
}

fn attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::btree_map("[a-c]{0,2}", text(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn event() -> impl Strategy<Value = Metrics> {
    let process = option::of(0..ABSENT);
    (name(), text(), times(), name(), option::of(text()), any::<u32>(), process, attributes()).prop_map(
        |(event_name, task_id, (start_time, end_time), status, error, retry_count, process_id, attributes)| {
            Metrics::Event(EventMetrics {
                event_name,
                task_id,
                start_time,
                end_time,
                status,
                error,
                retry_count,
                process_id,
                attributes,
            })
        },
    )
}

fn network() -> impl Strategy<Value = Metrics> {
    let bytes = (any::<u64>(), any::<u64>());
    (name(), option::of(text()), name(), any::<u16>(), times(), bytes, option::of(text()), attributes()).prop_map(
        |(operation, task_id, host, port, (start_time, end_time), (bytes_sent, bytes_received), error, attributes)| {
            Metrics::Network(NetworkMetrics {
                operation,
                task_id,
                host,
                port,
                start_time,
                end_time,
                bytes_sent,
                bytes_received,
                error,
                attributes,
            })
        },
    )
}

fn records() -> impl Strategy<Value = Vec<Metrics>> {
    vec(prop_oneof![event(), network()], 0..40)
}

fn pack(records: &[Metrics]) -> Batch {
    let mut builder = BatchBuilder::new();
    for (place, record) in records.iter().enumerate() {
        builder.push(&record.as_ref(), place as f64).unwrap();
    }
    builder.finish()
}

/// The records in the order of their arrival.
fn unpack(batch: &Batch) -> Vec<(u64, Metrics)> {
    let mut records: Vec<(u64, Metrics)> =
        batch.records().map(|record| (record.offset, record.metrics.to_owned())).collect();
    records.sort_by_key(|(offset, _)| *offset);
    records
}

proptest! {
    #[test]
    fn records_come_out_as_they_went_in(records in records(), first in 0..1_u64 << 60) {
        let batch = pack(&records).placed("epoch-1", first);
        let expected: Vec<(u64, Metrics)> = (first..).zip(records).collect();
        prop_assert_eq!(batch.epoch(), "epoch-1");
        let again = Batch::try_from(Columns::from(batch.clone()));
        let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(unpack(&again), expected.clone());
        prop_assert_eq!(unpack(&batch), expected);
    }

    #[test]
    fn a_batch_cut_and_joined_is_the_same_batch(records in records(), cuts in vec(any::<prop::sample::Index>(), 0..4)) {
        let whole = pack(&records).placed("e", 7);
        let mut builder = BatchBuilder::new();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(records.len() + 1)).collect();
        places.extend([0, records.len()]);
        places.sort_unstable();
        for pair in places.windows(2) {
            let part = pack(&records[pair[0]..pair[1]]).placed("e", 7 + pair[0] as u64);
            builder.append(&part, 0..part.len()).unwrap();
        }
        prop_assert_eq!(unpack(&builder.finish()), unpack(&whole));
    }

    #[test]
    fn a_selection_holds_the_selected_records(records in records(), keep in vec(any::<bool>(), 40)) {
        let batch = pack(&records);
        let indexes: Vec<u32> = (0..batch.len() as u32).filter(|&index| keep[index as usize]).collect();
        let selected = batch.select(&indexes);
        prop_assert_eq!(selected.len(), indexes.len());
        for (row, &index) in indexes.iter().enumerate() {
            let (left, right) = (selected.record(row), batch.record(index as usize));
            prop_assert_eq!(left.metrics, right.metrics);
            prop_assert_eq!((left.offset, left.received), (right.offset, right.received));
        }
    }

    #[test]
    fn the_dictionary_is_input_again(record in prop_oneof![event(), network()]) {
        let json = dictionary::to_string(&record.as_ref());
        let read = input::parse_line(json.as_bytes());
        let read = read.map_err(|refusal| TestCaseError::fail(format!("{json}: {refusal}")))?;
        prop_assert_eq!(read.expect("not blank").as_ref().to_owned(), record, "{}", json);
    }

    #[test]
    fn no_line_makes_the_parser_panic(line in vec(any::<u8>(), 0..80)) {
        let _ = input::parse_line(&line);
    }

    #[test]
    fn no_broken_json_makes_the_parser_panic(record in prop_oneof![event(), network()], at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = dictionary::to_string(&record.as_ref()).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        let _ = input::parse_line(&json);
    }

    #[test]
    fn a_batch_that_was_kept_as_bytes_is_the_same(
        records in records(),
        received in vec(0.0..4e9_f64, 0..3),
        (was, now) in (0..1_u64 << 60, 0..1_u64 << 60),
    ) {
        let mut builder = BatchBuilder::new();
        for (index, record) in records.iter().enumerate() {
            builder.push(&record.as_ref(), received.get(index % 3).copied().unwrap_or(7.0)).unwrap();
        }
        let batch = builder.finish().placed("before", was);
        let mut bytes = vec![1, 2, 3];
        batch.write_bytes(was, &mut bytes);
        let again = Batch::read_bytes(&bytes[3..], "epoch-1", now);
        let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(again.epoch(), "epoch-1");
        prop_assert_eq!(again.received(), batch.received());
        prop_assert_eq!(unpack(&again), (now..).zip(records).collect::<Vec<_>>());
    }

    #[test]
    fn bytes_that_are_spoilt_are_a_clear_error_or_a_batch_that_can_be_read(
        records in records(), hit in any::<(usize, u8)>(), length in any::<usize>(),
    ) {
        let mut bytes = Vec::new();
        pack(&records).write_bytes(0, &mut bytes);
        let whole = bytes.len();
        prop_assert!(Batch::read_bytes(&bytes[..length % whole], "e", 0).is_err());
        bytes[hit.0 % whole] ^= hit.1;
        match Batch::read_bytes(&bytes, "e", u64::MAX) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(batch) => prop_assert_eq!(unpack(&batch).len(), batch.len()),
        }
    }

    #[test]
    fn any_columns_are_a_clear_error_or_a_batch_that_can_be_read(columns in columns()) {
        match Batch::try_from(columns) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(batch) => prop_assert_eq!(unpack(&batch).len(), batch.len()),
        }
    }

    #[test]
    fn one_wrong_value_is_an_error_or_a_batch_that_can_be_read(records in records(), hit in any::<(u8, usize, u32)>()) {
        let mut columns = Columns::from(pack(&records));
        damage(&mut columns, hit);
        if let Ok(batch) = Batch::try_from(columns) {
            prop_assert_eq!(unpack(&batch).len(), batch.len());
        }
    }
}

/// Columns of small numbers, so that some of them are nearly right.
fn columns() -> impl Strategy<Value = Columns> {
    let index = || prop_oneof![0..4_u32, Just(ABSENT), any::<u32>()];
    let time = || prop_oneof![Just(f64::NAN), 0.0..10.0_f64, any::<f64>()];
    let column = move || vec(index(), 0..3);
    let times = move || vec(time(), 0..3);
    let events = (column(), column(), times(), times(), column(), column(), column(), column()).prop_map(
        |(event_name, task_id, start_time, end_time, status, error, retry_count, process_id)| EventColumns {
            event_name,
            task_id,
            start_time,
            end_time,
            status,
            error,
            retry_count,
            process_id,
        },
    );
    let attributes =
        (column(), column(), column()).prop_map(|(row_ends, keys, values)| AttributeColumns { row_ends, keys, values });
    let text = prop_oneof![vec(any::<u8>(), 0..6), Just("aü".as_bytes().to_vec())];
    let ends = prop_oneof![Just(vec![0, 1, 3]), vec(0..6_u32, 0..4)];
    (text, ends, events, attributes, vec(0..5_u64, 0..4), times()).prop_map(
        |(text, ends, events, attributes, offsets, received)| Columns {
            text,
            ends,
            events,
            networks: NetworkColumns::default(),
            attributes,
            offsets,
            received,
            ..Columns::default()
        },
    )
}

fn damage(columns: &mut Columns, (what, at, value): (u8, usize, u32)) {
    fn set<T>(column: &mut [T], at: usize, value: T) {
        if !column.is_empty() {
            let at = at % column.len();
            column[at] = value;
        }
    }
    match what % 12 {
        0 => set(&mut columns.text, at, value as u8),
        1 => set(&mut columns.ends, at, value % 64),
        2 => set(&mut columns.events.event_name, at, value),
        3 => set(&mut columns.events.error, at, value),
        4 => set(&mut columns.networks.host, at, value % 8),
        5 => set(&mut columns.attributes.row_ends, at, value % 8),
        6 => set(&mut columns.attributes.keys, at, value),
        7 => set(&mut columns.offsets, at, u64::from(value)),
        8 => set(&mut columns.received, at, -f64::from(value)),
        9 => set(&mut columns.events.end_time, at, f64::from(value % 2)),
        10 => columns.events.status.truncate(at % 4),
        _ => columns.text.truncate(at % 16),
    }
}

fn fault(change: impl FnOnce(&mut Columns)) -> String {
    let event = EventMetrics {
        event_name: "tü".to_owned(),
        status: "completed".to_owned(),
        start_time: 2.0,
        attributes: vec![("a".to_owned(), "b".to_owned())],
        ..EventMetrics::default()
    };
    let mut columns = Columns::from(pack(&[Metrics::Event(event)]));
    change(&mut columns);
    Batch::try_from(columns).map_err(|error: BatchError| error.to_string()).unwrap_err()
}

#[test]
fn what_is_wrong_with_columns_is_named() {
    assert_eq!(fault(|columns| columns.text[1] = 0xff), "text is not UTF-8 from byte 1 on");
    assert_eq!(
        fault(|columns| columns.text.push(b'"')),
        "the last string ends at byte 14 of the text's 15: all of the text belongs to strings"
    );
    assert!(fault(|columns| columns.ends[1] = 2).starts_with("string 1 ends at byte 2"));
    assert!(fault(|columns| columns.ends[2] = 1).starts_with("string 2 ends at byte 1"));
    assert_eq!(fault(|columns| columns.ends.clear()), "string 0 must be there and empty");
    assert_eq!(
        fault(|columns| columns.events.status.push(0)),
        "column events.status has 2 values where there are 1 records"
    );
    assert_eq!(
        fault(|columns| columns.events.event_name[0] = 0),
        "events.event-name[0] is 0: the index of a string that is not empty"
    );
    assert_eq!(
        fault(|columns| columns.events.error[0] = 99),
        "events.error[0] is 99: the index of a string or 0xffffffff"
    );
    assert_eq!(
        fault(|columns| columns.events.end_time[0] = 1.5),
        "events.end-time[0] is 1.5: NaN or a time in range that is not before the start"
    );
    assert_eq!(
        fault(|columns| columns.events.start_time[0] = f64::INFINITY),
        "events.start-time[0] is inf: seconds since 1970 up to the year 2262"
    );
    assert_eq!(
        fault(|columns| columns.attributes.row_ends[0] = 2),
        "attributes.row-ends[0] is 2: row ends ascend up to the number of keys"
    );
}
