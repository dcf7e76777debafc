//! Our protobuf, read by another library by the public definition of its messages (`data/`, from
//! <https://github.com/prometheus/client_model>).

use std::collections::BTreeMap;

use metricast_series::{Buckets, Descriptor, Exemplar, HistogramForm, Registry, SeriesLimit, protobuf};
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn definition() -> MessageDescriptor {
    let mut compiler = protox::Compiler::new([DATA]).expect("the folder is there");
    compiler.open_file("io/prometheus/client/metrics.proto").expect("the definition compiles");
    let pool = compiler.descriptor_pool();
    pool.get_message_by_name("io.prometheus.client.MetricFamily").expect("it defines families")
}

/// The families of a page, as JSON.
fn families(registry: &Registry, now: f64) -> Vec<Value> {
    let (family, mut page) = (definition(), Vec::new());
    protobuf::encode(registry, now, &mut page);
    let mut rest = page.as_slice();
    let mut families = Vec::new();
    while !rest.is_empty() {
        let mut message = DynamicMessage::new(family.clone());
        message.merge_length_delimited(&mut rest).expect("a family");
        assert_eq!(message.unknown_fields().count(), 0);
        families.push(serde_json::to_value(&message).expect("messages have JSON"));
    }
    families
}

fn took(form: HistogramForm) -> (Registry, metricast_series::HistogramFamily) {
    let mut builder = Registry::builder(SeriesLimit::default());
    builder.constant_label("region", "eu").expect("a label");
    let took = Descriptor::new("took_seconds", "Time.").unit("seconds").label("name").exemplars(true);
    let family = builder.histogram(took, Buckets::new(&[0.5, 1.0]).expect("a layout"), form).expect("a family");
    (builder.build(), family)
}

fn observed(form: HistogramForm, values: &[f64]) -> Registry {
    let (mut registry, family) = took(form);
    registry.set_time(1_795_400_000.25);
    let histogram = registry.histogram(family, &["a"]);
    for value in values {
        registry.observe(histogram, *value);
    }
    registry
}

/// What the definition calls a 64-bit number is a text in JSON.
fn number(value: &Value) -> u64 {
    value.as_str().expect("a number").parse().expect("a number")
}

#[test]
fn counters_gauges_and_their_metadata_are_read_back() {
    let mut builder = Registry::builder(SeriesLimit::new(1).expect("a limit"));
    let moved = Descriptor::new("moved_bytes", "Bytes \"moved\".").unit("bytes").label("name").label("tenant");
    let moved = builder.counter(moved).expect("a family");
    let last = builder.gauge(Descriptor::new("last", "")).expect("a family");
    builder.gauge(Descriptor::new("never", "Has no series.")).expect("a family");
    let mut registry = builder.build();
    registry.set_time(1_795_400_000.25);
    for (name, bytes) in [("é\n\"", 3), ("b", 4)] {
        let counter = registry.counter(moved, &[name, ""]);
        registry.add(counter, bytes, 1);
    }
    let gauge = registry.gauge(last, &[]);
    registry.raise(gauge, -1.5, 1);
    let created = "2026-11-23T02:13:20.250Z";
    let expected = json!([
        { "name": "moved_bytes_total", "help": "Bytes \"moved\".", "type": "COUNTER", "unit": "bytes", "metric": [
            { "label": [{ "name": "name", "value": "é\n\"" }], "counter": { "value": 3.0, "createdTimestamp": created } },
            { "label": [{ "name": "name", "value": "__other__" }, { "name": "tenant", "value": "__other__" }],
              "counter": { "value": 4.0, "createdTimestamp": created } },
        ] },
        { "name": "last", "help": "", "type": "GAUGE", "metric": [{ "gauge": { "value": -1.5 } }] },
        { "name": "metricast_series_overflow_total", "type": "COUNTER",
          "help": "Values recorded under __other__, because their family is full.", "metric": [
            { "label": [{ "name": "family", "value": "moved_bytes" }], "counter": { "value": 1.0 } },
        ] },
    ]);
    assert_eq!(Value::from(families(&registry, 0.0)), expected);
}

#[test]
fn a_histogram_is_shown_in_the_form_that_it_has() {
    let values = [0.5, 0.75, 0.0, 100.0];
    let classic = json!([
        { "cumulativeCount": "2", "upperBound": 0.5 },
        { "cumulativeCount": "3", "upperBound": 1.0 },
        { "cumulativeCount": "4", "upperBound": "Infinity" },
    ]);
    // 0.5 is bucket -8, 0.75 is -3, 100 is 54: one gap of four empty buckets, and one of 56.
    let native = json!({
        "schema": 3, "zeroThreshold": 2_f64.powi(-128), "zeroCount": "1",
        "positiveSpan": [
            { "offset": -8, "length": 1 },
            { "offset": 4, "length": 1 },
            { "offset": 56, "length": 1 },
        ],
        "positiveDelta": ["1", "0", "0"],
    });
    for form in [HistogramForm::Classic, HistogramForm::Native, HistogramForm::Both] {
        let mut expected = json!({
            "sampleCount": "4", "sampleSum": 101.25, "createdTimestamp": "2026-11-23T02:13:20.250Z",
        });
        let fields = expected.as_object_mut().expect("an object");
        if form != HistogramForm::Native {
            fields.insert("bucket".to_owned(), classic.clone());
        }
        if form != HistogramForm::Classic {
            fields.extend(native.as_object().expect("an object").clone());
        }
        let page = families(&observed(form, &values), 0.0);
        assert_eq!(page[0]["metric"][0]["histogram"], expected, "{form:?}");
        let labels = json!([{ "name": "name", "value": "a" }, { "name": "region", "value": "eu" }]);
        assert_eq!(page[0]["metric"][0]["label"], labels);
    }
}

#[test]
fn exemplars_are_where_the_form_of_the_histogram_has_them() {
    let exemplar = json!({
        "label": [{ "name": "trace_id", "value": "abc" }], "value": 0.75, "timestamp": "2026-11-23T02:13:21Z",
    });
    for form in [HistogramForm::Classic, HistogramForm::Native, HistogramForm::Both] {
        let (mut registry, family) = took(form);
        let histogram = registry.histogram(family, &["a"]);
        let place = registry.observe_at(histogram, 0.75, 1_795_400_001.0).expect("the first one is due");
        registry.put_exemplar(place, 1_795_400_001.0, Exemplar::new(&[("trace_id", "abc")], 0.75, 1_795_400_001.0));
        assert!(registry.observe_at(histogram, 0.8, 1_795_400_005.0).is_none());
        let page = families(&registry, 0.0);
        let shown = &page[0]["metric"][0]["histogram"];
        let (classic, native) = (&shown["bucket"][1]["exemplar"], &shown["exemplars"][0]);
        let expected =
            if form == HistogramForm::Native { [&Value::Null, &exemplar] } else { [&exemplar, &Value::Null] };
        assert_eq!([classic, native], expected, "{form:?}");
    }
}

#[test]
fn the_exemplar_of_a_counter_is_read_back() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let runs = builder.counter(Descriptor::new("runs", "").exemplars(true)).expect("a family");
    let mut registry = builder.build();
    let counter = registry.counter(runs, &[]);
    registry.put_exemplar(registry.exemplar_due(counter).0, 1.5, Exemplar::new(&[("task_id", "t")], 1.0, 1.5));
    let expected = json!({
        "value": 0.0,
        "exemplar": { "label": [{ "name": "task_id", "value": "t" }], "value": 1.0, "timestamp": "1970-01-01T00:00:01.500Z" },
    });
    assert_eq!(families(&registry, 0.0)[0]["metric"][0]["counter"], expected);
}

#[test]
fn a_native_histogram_without_values_is_still_one() {
    let histogram = &families(&observed(HistogramForm::Native, &[]), 0.0)[0]["metric"][0]["histogram"];
    assert_eq!(histogram["zeroThreshold"], 2_f64.powi(-128));
    assert_eq!((&histogram["sampleCount"], &histogram["positiveSpan"]), (&json!("0"), &Value::Null));
}

/// Buckets by number, as a reader of spans and deltas finds them.
fn buckets(histogram: &Value) -> BTreeMap<i64, u64> {
    let list = |key: &str| histogram[key].as_array().cloned().unwrap_or_default();
    let mut deltas = list("positiveDelta").into_iter().map(|delta| {
        let delta: i64 = delta.as_str().expect("a number").parse().expect("a number");
        delta
    });
    let (mut at, mut count, mut buckets) = (0, 0, BTreeMap::new());
    for span in list("positiveSpan") {
        at += span["offset"].as_i64().expect("a number");
        for _ in 0..span["length"].as_u64().expect("a number") {
            count += deltas.next().expect("a delta for each bucket of a span");
            buckets.insert(at, u64::try_from(count).expect("no count is below 0"));
            at += 1;
        }
    }
    assert_eq!(deltas.next(), None);
    buckets.retain(|_, count| *count > 0);
    buckets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_is_in_its_native_bucket(values in prop::collection::vec(prop_oneof![1e-6..1e-3_f64, 0.1..30.0_f64], 1..300)) {
        let page = families(&observed(HistogramForm::Both, &values), 0.0);
        let histogram = &page[0]["metric"][0]["histogram"];
        let schema = histogram["schema"].as_i64().expect("a number");
        let mut expected = BTreeMap::new();
        for value in &values {
            *expected.entry((value.log2() * 2_f64.powi(schema as i32)).ceil() as i64).or_insert(0) += 1;
        }
        prop_assert_eq!(buckets(histogram), expected);
        prop_assert_eq!(number(&histogram["sampleCount"]), values.len() as u64);
    }
}
