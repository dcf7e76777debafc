use metricast_records::{BatchBuilder, EventMetrics, MetricsRef};
use metricast_sdk::{Batch, Receipt, Rejection};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn batch(records: usize) -> Batch {
    let event = EventMetrics { event_name: "e".into(), status: "s".into(), ..EventMetrics::default() };
    let mut builder = BatchBuilder::new();
    (0..records).for_each(|_| builder.push(&MetricsRef::Event(event.as_ref()), 0.0).unwrap());
    builder.finish()
}

fn item(status: u16, kind: &str) -> Value {
    match status {
        200..300 => json!({ "create": { "status": status } }),
        _ => json!({ "create": { "status": status, "error": { "type": kind, "reason": "because" } } }),
    }
}

/// What a response with these items says of the records 10, 11, 12, …
fn receipt(items: &[(u16, &str)]) -> Result<Receipt, PublishError> {
    let rows: Vec<u32> = (10..).take(items.len()).collect();
    let items: Vec<Value> = items.iter().map(|(status, kind)| item(*status, kind)).collect();
    let mut tally = Tally::default();
    classify(json!({ "errors": true, "items": items }).to_string().as_bytes(), &rows, &mut tally).unwrap();
    tally.records.answer(&batch(rows.len()))
}

#[test]
fn items_have_one_outcome_each() {
    let receipt = receipt(&[
        (201, ""),
        (429, "es_rejected_execution_exception"),
        (409, "version_conflict_engine_exception"),
        (400, "mapper_parsing_exception"),
        (503, "unavailable_shards_exception"),
        (500, "node_closed_exception"),
        (200, ""),
    ])
    .unwrap();
    let rejected = vec![Rejection { index: 13, reason: "400 mapper_parsing_exception because".into() }];
    let expected =
        Receipt { accepted: 3, rejected, retryable: vec![11, 14, 15], in_doubt: vec![15], retry_after_ms: None };
    assert_eq!(receipt, expected);
}

#[test]
fn what_speaks_of_the_place_never_rejects_a_record() {
    for (status, kind) in [
        (403, "cluster_block_exception"),
        (429, "cluster_block_exception"),
        (403, "security_exception"),
        (401, "security_exception"),
        (404, "index_not_found_exception"),
        (400, "index_closed_exception"),
        (400, "validation_exception"),
        (408, ""),
    ] {
        let receipt = receipt(&[(201, ""), (status, kind)]).unwrap();
        assert_eq!((receipt.retryable, receipt.in_doubt), (vec![11], vec![]), "{status} {kind}");
    }
}

#[test]
fn where_nothing_came_through_the_reason_is_the_answer() {
    let unavailable = PublishError::unavailable("429 es_rejected_execution_exception because");
    assert_eq!(receipt(&[(429, "es_rejected_execution_exception"), (503, "x")]), Err(unavailable));
    let unauthorized = PublishError::Unauthorized("403 security_exception because".into());
    assert_eq!(receipt(&[(403, "security_exception")]), Err(unauthorized));
    assert_eq!(receipt(&[(500, "x")]).unwrap().in_doubt, [10], "a doubt is never lost");
}

#[test]
fn a_stream_that_is_gone_is_noticed() {
    let mut tally = Tally::default();
    let body = json!({ "items": [item(404, "index_not_found_exception")] }).to_string();
    classify(body.as_bytes(), &[0], &mut tally).unwrap();
    assert!(tally.homeless);
}

#[test]
fn another_shape_or_number_says_nothing() {
    for body in ["", "{", "[]", "{}", "<html>", r#"{"items": {}}"#, r#"{"items": []}"#] {
        let mut tally = Tally::default();
        assert!(classify(body.as_bytes(), &[0], &mut tally).is_err(), "{body}");
        assert_eq!(tally.records, metricast_sdk::Tally::default(), "{body}");
    }
    let told = classify(b"<html>It works!</html>\n", &[0], &mut Tally::default()).unwrap_err();
    assert_eq!(told, "the answer to _bulk is none of Elasticsearch or OpenSearch: \"<html>It works!</html>\"");
    let two = json!({ "errors": false, "items": [item(201, ""), item(201, "")] }).to_string();
    let told = classify(two.as_bytes(), &[0, 1, 2], &mut Tally::default()).unwrap_err();
    assert_eq!(told, "the answer to _bulk is for 2 records, not 3");
}

#[test]
fn an_item_of_another_shape_leaves_the_others_what_they_are() {
    let strange = [
        json!({ "create": { "status": 400, "error": "a text" } }),
        json!({ "create": {} }),
        json!({ "index": { "status": 201 } }),
        json!(null),
    ];
    for item in strange {
        let body = json!({ "items": [{ "create": { "status": 201 } }, item, { "create": { "status": 409, "error": { "type": "version_conflict_engine_exception" } } }] });
        let mut tally = Tally::default();
        classify(body.to_string().as_bytes(), &[0, 1, 2], &mut tally).unwrap();
        let expected = Receipt { accepted: 2, retryable: vec![1], in_doubt: vec![1], ..Receipt::default() };
        assert_eq!(tally.records.answer(&batch(3)), Ok(expected), "{item}");
    }
    let untyped = json!({ "items": [{ "create": { "status": 400, "error": { "type": null, "reason": null } } }] });
    let mut tally = Tally::default();
    classify(untyped.to_string().as_bytes(), &[0], &mut tally).unwrap();
    let rejected = tally.records.answer(&batch(1)).unwrap().rejected;
    assert_eq!(rejected, [Rejection { index: 0, reason: "400".into() }]);
}

#[test]
fn an_answer_without_a_fault_is_counted_to_the_last_item() {
    let taken = |count: usize| json!({ "items": vec![json!({ "create": { "status": 201 } }); count] }).to_string();
    for count in [1, 2, 1000] {
        assert_eq!(all_taken(taken(count).as_bytes()), Some(count));
    }
    let whole = taken(2);
    for end in 0..whole.len() {
        assert_eq!(all_taken(&whole.as_bytes()[..end]), None, "{}", &whole[..end]);
    }
    assert_eq!(all_taken(format!("{whole} ").as_bytes()), None);
    assert_eq!(all_taken(br#"{"items":[]}"#), None);
}

#[test]
fn a_document_in_a_plain_index_is_noticed() {
    let item = |index: &str| json!({ "create": { "_index": index, "status": 201 } });
    let body = json!({ "items": [item(".ds-shop-event-000001"), item("shop-event")] }).to_string();
    let mut tally = Tally::default();
    classify(body.as_bytes(), &[0, 1], &mut tally).unwrap();
    assert_eq!((tally.homeless, tally.plain.as_deref()), (true, Some("shop-event")));
    assert_eq!(tally.records.answer(&batch(2)).unwrap().accepted, 2);
    let body = json!({ "items": [item(".ds-shop-event-000001")] }).to_string();
    let mut tally = Tally::default();
    classify(body.as_bytes(), &[0], &mut tally).unwrap();
    assert!(!tally.homeless);
}

proptest! {
    #[test]
    fn every_record_has_exactly_one_outcome(statuses in proptest::collection::vec(100..600_u16, 1..30), kind in "[a-z_]{0,8}|version_conflict_engine_exception") {
        let items: Vec<(u16, &str)> = statuses.iter().map(|status| (*status, kind.as_str())).collect();
        if let Ok(receipt) = receipt(&items) {
            let rejected = receipt.rejected.iter().map(|rejection| rejection.index);
            let mut named: Vec<u32> = rejected.chain(receipt.retryable.iter().copied()).collect();
            named.sort_unstable();
            named.dedup();
            prop_assert_eq!(receipt.accepted as usize + named.len(), statuses.len());
            prop_assert!(receipt.in_doubt.iter().all(|row| receipt.retryable.contains(row)));
        }
    }
}
