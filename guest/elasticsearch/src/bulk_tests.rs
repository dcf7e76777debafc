use metricast_records::{BatchBuilder, EventMetrics, Metrics, NetworkMetrics};
use proptest::prelude::*;

use super::*;

fn batch(epoch: &str, first: u64) -> Batch {
    let event = |start_time, end_time| {
        let (event_name, status) = ("Pay".into(), "completed".into());
        Metrics::Event(EventMetrics { event_name, status, start_time, end_time, ..EventMetrics::default() })
    };
    let network = NetworkMetrics { operation: "get".into(), host: "h".into(), ..NetworkMetrics::default() };
    let mut builder = BatchBuilder::new();
    for record in [event(86_399.0, Some(86_401.0)), Metrics::Network(network), event(86_399.0, None)] {
        builder.push(&record.as_ref(), 0.0).unwrap();
    }
    builder.finish().placed(epoch, first)
}

fn actions(indices: &str, batch: &Batch, rows: &[u32]) -> Vec<String> {
    let config = format!(r#"{{"hosts": ["http://search:9200"], "index_prefix": "shop", "indices": "{indices}"}}"#);
    let mut encoder = Encoder::new(&serde_json::from_str(&config).unwrap()).unwrap();
    let body = std::str::from_utf8(encoder.encode(batch, rows).unwrap()).unwrap();
    assert!(body.is_empty() || body.ends_with('\n'));
    body.lines().step_by(2).map(str::to_owned).collect()
}

#[test]
fn records_go_to_their_streams_under_their_ids() {
    let expected = [
        r#"{"create":{"_index":"shop-event","_id":"k3x9-310g"}}"#,
        r#"{"create":{"_index":"shop-event","_id":"k3x9-310i"}}"#,
        r#"{"create":{"_index":"shop-network","_id":"k3x9-310h"}}"#,
    ];
    assert_eq!(actions("data_streams", &batch("k3x9", 1040), &[0, 1, 2]), expected);
}

#[test]
fn days_are_those_of_the_end_or_else_the_start() {
    let expected = [
        r#"{"create":{"_index":"shop-event-1970.01.02","_id":"a-10"}}"#,
        r#"{"create":{"_index":"shop-event-1970.01.01","_id":"a-12"}}"#,
        r#"{"create":{"_index":"shop-network-1970.01.01","_id":"a-11"}}"#,
    ];
    assert_eq!(actions("daily", &batch("a", 0), &[0, 1, 2]), expected);
}

#[test]
fn records_without_a_place_have_no_id() {
    assert_eq!(actions("data_streams", &batch("", 0), &[2]), [r#"{"create":{"_index":"shop-network"}}"#]);
    assert_eq!(actions("daily", &batch("", 0), &[2]), [r#"{"create":{"_index":"shop-network-1970.01.01"}}"#]);
    assert_eq!(actions("data_streams", &batch("", 0), &[]), [""; 0]);
}

#[test]
fn the_buffer_is_used_again() {
    let mut encoder =
        Encoder::new(&serde_json::from_str(r#"{"hosts": ["http://search:9200"], "index_prefix": "shop"}"#).unwrap())
            .unwrap();
    let first = encoder.encode(&batch("a", 0), &[0, 1, 2]).unwrap().to_vec();
    encoder.encode(&batch("b", 7), &[1]).unwrap();
    assert_eq!(encoder.encode(&batch("a", 0), &[0, 1, 2]).unwrap(), first);
}

#[test]
fn a_body_has_as_many_records_as_fit_and_never_none() {
    let config = serde_json::from_str(r#"{"hosts": ["http://search:9200"], "index_prefix": "shop"}"#).unwrap();
    let (mut encoder, batch) = (Encoder::new(&config).unwrap(), batch("a", 0));
    let one = encoder.encode(&batch, &[0]).unwrap().to_vec();
    let two = encoder.encode(&batch, &[0, 1]).unwrap().to_vec();
    for (most, count, body) in [(0, 1, &one), (two.len() - 1, 1, &one), (two.len(), 2, &two), (two.len() + 1, 2, &two)]
    {
        assert_eq!(encoder.encode_some(&batch, &[0, 1, 2], most).unwrap(), Encoded { body, count }, "{most}");
    }
    assert_eq!(encoder.encode_some(&batch, &[], 0).unwrap(), Encoded { body: b"", count: 0 });
}

#[test]
fn an_epoch_that_no_id_can_hold_is_an_error() {
    assert!(id_prefix(&"a".repeat(497)).is_ok());
    assert!(matches!(id_prefix(&"a".repeat(498)), Err(PublishError::Internal(_))));
    assert!(matches!(id_prefix(&"-".repeat(200)), Err(PublishError::Internal(_))));
}

fn id(epoch: &str, offset: u64) -> String {
    Ids::new(epoch).unwrap().of(offset)
}

#[test]
fn the_id_that_is_looked_for_is_the_one_that_was_written() {
    let written = actions("data_streams", &batch("k3.x9", 1040), &[0]);
    assert_eq!(written, [format!(r#"{{"create":{{"_index":"shop-event","_id":"{}"}}}}"#, id("k3.x9", 1040))]);
}

proptest! {
    #[test]
    fn ids_tell_records_apart_and_sort_by_offset(epochs in (".{1,20}", ".{1,20}"), offsets in any::<(u64, u64)>()) {
        let (one, other) = (id(&epochs.0, offsets.0), id(&epochs.1, offsets.1));
        prop_assert_eq!(one == other, (&epochs.0, offsets.0) == (&epochs.1, offsets.1));
        prop_assert_eq!(id(&epochs.0, offsets.0).cmp(&id(&epochs.0, offsets.1)), offsets.0.cmp(&offsets.1));
        prop_assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        prop_assert!(one.len() <= MAX_ID);
    }

    #[test]
    fn near_offsets_sort_too(offset in any::<u64>().prop_map(|bits| bits >> (bits % 64)), more in 1..2000_u64) {
        prop_assume!(offset.checked_add(more).is_some());
        prop_assert!(id("e", offset) < id("e", offset + more));
    }
}
