//! Remote write, both versions.

use metricast_series::HistogramForm;
use metricast_series::push::{BeginError, Format, Labels, Limits, Sent};
use proptest::prelude::*;
use serde_json::json;

use crate::decode::{self, Series, by_name, series_1, series_2};
use crate::{BEGIN, Metrics, all, bodies};

const MINUTE: i64 = 60_000;

fn named(series: &[Series], name: &str) -> Series {
    let found = series.iter().find(|series| series.name() == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", series.iter().map(Series::name).collect::<Vec<_>>())).clone()
}

#[test]
fn a_new_series_begins_at_0_and_goes_on_without_it() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 5000);
    metrics.moved("a", 3);
    let first = bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite2(&labels));
    let first = named(&series_2(&first[0]), "moved_bytes_total till-7,shop,a,eu ");
    assert_eq!(first.values(), [(BEGIN - 5000, Some(0.0)), (BEGIN, Some(3.0))]);
    assert_eq!(first.starts, [0, BEGIN - 5000]);
    let labels_of_first: Vec<_> = first.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        labels_of_first,
        [("__name__", "moved_bytes_total"), ("instance", "till-7"), ("job", "shop"), ("name", "a"), ("region", "eu")]
    );
    metrics.moved("a", 4);
    let next = bodies(&metrics, &mut sent, BEGIN + MINUTE, Format::RemoteWrite2(&labels));
    let next = named(&series_2(&next[0]), "moved_bytes_total till-7,shop,a,eu ");
    assert_eq!((next.values(), next.starts), (vec![(BEGIN + MINUTE, Some(7.0))], vec![BEGIN - 5000]));
}

#[test]
fn a_classic_histogram_is_its_buckets_a_sum_and_a_count() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 1);
    for seconds in [0.25, 0.75, 8.0] {
        metrics.took("a", seconds);
    }
    for format in [Format::RemoteWrite2(&labels), Format::RemoteWrite1(&labels)] {
        let push = sent.clone();
        let bodies = bodies(&metrics, &mut sent, BEGIN, format);
        sent = push;
        let all =
            if format.remote_write_version() == Some("2.0.0") { series_2(&bodies[0]) } else { series_1(&bodies[0]) };
        let mut shown = by_name(all);
        shown.retain(|name, _| name.starts_with("took"));
        let at = |value| vec![(BEGIN - 1, Some(0.0)), (BEGIN, Some(value))];
        let expected = [
            ("took_seconds_bucket till-7,shop,a,eu +Inf", 3.0),
            ("took_seconds_bucket till-7,shop,a,eu 0.5", 1.0),
            ("took_seconds_bucket till-7,shop,a,eu 1.0", 2.0),
            ("took_seconds_count till-7,shop,a,eu ", 3.0),
            ("took_seconds_sum till-7,shop,a,eu ", 9.0),
        ];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), at(value))).into());
    }
}

#[test]
fn a_native_histogram_is_one_sample_with_a_0_and_a_marker() {
    let mut metrics = Metrics::new(HistogramForm::Native);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 1000);
    for seconds in [0.5, 0.75, 0.0, 100.0] {
        metrics.took("a", seconds);
    }
    let body = &bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite2(&labels))[0];
    assert_eq!((body.count.histograms, body.count.samples), (2, 2));
    let series = named(&series_2(body), "took_seconds till-7,shop,a,eu ");
    assert_eq!(series.values(), [(BEGIN - 1000, Some(0.0)), (BEGIN, Some(4.0))]);
    let expected = json!({
        "countInt": "4", "sum": 101.25, "schema": 3, "zeroThreshold": 2_f64.powi(-128), "zeroCountInt": "1",
        "positiveSpans": [{ "offset": -8, "length": 1 }, { "offset": 4, "length": 1 }, { "offset": 56, "length": 1 }],
        "positiveDeltas": ["1", "0", "0"],
        "timestamp": BEGIN.to_string(), "startTimestamp": (BEGIN - 1000).to_string(),
    });
    assert_eq!(serde_json::to_value(&series.histograms[1]).expect("messages have JSON"), expected);
    let end = sent.begin_end(&metrics.registry, BEGIN + MINUTE).expect("it is later");
    let end = named(&series_2(&all(&end, Format::RemoteWrite2(&labels))[0]), "took_seconds till-7,shop,a,eu ");
    assert_eq!(end.values(), [(BEGIN + MINUTE, None)]);
}

#[test]
fn type_help_and_unit_go_with_the_series() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.moved("a", 3);
    metrics.moved("b", 3);
    metrics.took("a", 0.1);
    let body = &bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite2(&labels))[0];
    let request = decode::compressed("io.prometheus.write.v2.Request", body);
    let symbols = decode::symbols(&request);
    let series = decode::list(&request, "timeseries");
    let metadata = |at: usize| {
        let metadata = decode::value(&series[at], "metadata").as_message().expect("a message").clone();
        let symbol = |field| symbols[decode::value(&metadata, field).as_u32().expect("a number") as usize].clone();
        let kind = decode::value(&metadata, "type").as_enum_number().expect("a type");
        (kind, symbol("help_ref"), symbol("unit_ref"))
    };
    assert_eq!(metadata(0), (1, "Bytes.".to_owned(), "bytes".to_owned()));
    assert_eq!(metadata(2), (3, "Time.".to_owned(), "seconds".to_owned()));
    let mut unique = symbols.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), symbols.len(), "a symbol is there twice");

    let body = &bodies(&metrics, &mut Sent::default(), BEGIN, Format::RemoteWrite1(&labels))[0];
    let request = decode::compressed("prometheus.WriteRequest", body);
    let metadata = serde_json::to_value(&decode::list(&request, "metadata")[..2]).expect("messages have JSON");
    assert_eq!(
        metadata,
        json!([
            { "type": "COUNTER", "metricFamilyName": "moved_bytes_total", "help": "Bytes.", "unit": "bytes" },
            { "type": "HISTOGRAM", "metricFamilyName": "took_seconds", "help": "Time.", "unit": "seconds" },
        ])
    );
}

#[test]
fn an_exemplar_is_sent_once_and_never_after_a_later_one() {
    for (form, name) in [
        (HistogramForm::Classic, "took_seconds_bucket till-7,shop,a,eu 1.0"),
        (HistogramForm::Native, "took_seconds till-7,shop,a,eu "),
    ] {
        let mut metrics = Metrics::new(form);
        let (labels, mut sent) = (metrics.labels(), Sent::default());
        metrics.took_with_exemplar("a", 0.75, BEGIN - 900, "first");
        let exemplars = |metrics: &Metrics, sent: &mut Sent, now| {
            let body = &bodies(metrics, sent, now, Format::RemoteWrite2(&labels))[0];
            let exemplars = named(&series_2(body), name).exemplars;
            assert_eq!(body.count.exemplars, exemplars.len() as u64);
            exemplars
        };
        let of = |id: &str, time| (vec![("trace_id".to_owned(), id.to_owned())], 0.75, time);
        assert_eq!(exemplars(&metrics, &mut sent, BEGIN), [of("first", BEGIN - 900)], "{form:?}");
        assert_eq!(exemplars(&metrics, &mut sent, BEGIN + MINUTE), []);
        metrics.took_with_exemplar("a", 0.75, BEGIN + 61_000, "second");
        assert_eq!(exemplars(&metrics, &mut sent, BEGIN + 2 * MINUTE), [of("second", BEGIN + 61_000)]);
    }
}

#[test]
fn a_series_that_expired_ends_with_a_marker_and_begins_anew_when_it_comes_back() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    let counter = "moved_bytes_total till-7,shop,a,eu ";
    metrics.at(BEGIN - 10);
    metrics.moved("a", 3);
    let push = |metrics: &Metrics, sent: &mut Sent, now| {
        let all = series_2(&bodies(metrics, sent, now, Format::RemoteWrite2(&labels))[0]);
        by_name(all).remove(counter).unwrap_or_default()
    };
    assert_eq!(push(&metrics, &mut sent, BEGIN), [(BEGIN - 10, Some(0.0)), (BEGIN, Some(3.0))]);
    metrics.registry.begin_turn(5, Some(1));
    assert_eq!(push(&metrics, &mut sent, BEGIN + 1000), [(BEGIN + 1000, None)]);
    assert_eq!(push(&metrics, &mut sent, BEGIN + 2000), []);
    // Its start lies before the last push: the 0 comes after that.
    metrics.at(BEGIN + 1500);
    metrics.moved("a", 1);
    assert_eq!(push(&metrics, &mut sent, BEGIN + 3000), [(BEGIN + 2001, Some(0.0)), (BEGIN + 3000, Some(1.0))]);
}

#[test]
fn a_body_that_is_not_settled_brings_its_0_and_its_marker_again() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 10);
    metrics.moved("a", 3);
    let format = Format::RemoteWrite2(&labels);
    let lost = all(&sent.begin(&metrics.registry, BEGIN).expect("it is later"), format);
    let again = all(&sent.begin(&metrics.registry, BEGIN + 1000).expect("it is later"), format);
    let values = |bodies: &[metricast_series::push::Body]| {
        by_name(bodies.iter().flat_map(series_2)).remove("moved_bytes_total till-7,shop,a,eu ").unwrap_or_default()
    };
    assert_eq!(values(&again), [(BEGIN - 10, Some(0.0)), (BEGIN + 1000, Some(3.0))]);
    sent.settle(&lost[0].series);
    assert_eq!(values(&all(&sent.begin(&metrics.registry, BEGIN + 2000).expect("it is later"), format)).len(), 2);
    metrics.registry.begin_turn(5, Some(1));
    for at in [3000, 4000] {
        let push = sent.begin(&metrics.registry, BEGIN + at).expect("it is later");
        assert_eq!(values(&all(&push, format)), [(BEGIN + at, None)]);
    }
}

#[test]
fn a_0_is_never_so_old_that_it_is_refused() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 90 * MINUTE);
    metrics.moved("a", 3);
    let format = Format::RemoteWrite2(&labels);
    for now in [BEGIN, BEGIN + 45 * MINUTE] {
        let push = sent.begin(&metrics.registry, now).expect("it is later");
        let series = named(&series_2(&all(&push, format)[0]), "moved_bytes_total till-7,shop,a,eu ");
        assert_eq!(series.values(), [(now - 30 * MINUTE, Some(0.0)), (now, Some(3.0))]);
    }
}

#[test]
fn what_was_sent_survives_a_restart() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 10);
    metrics.moved("a", 3);
    metrics.moved("b", 4);
    bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite1(&labels));
    let mut bytes = Vec::new();
    sent.write(&mut bytes);
    let mut restored = Sent::restore(&bytes).expect("it was written so");
    let mut again = Vec::new();
    restored.write(&mut again);
    assert_eq!(again, bytes);
    metrics.registry.begin_turn(5, Some(1));
    metrics.at(BEGIN);
    metrics.moved("a", 2);
    assert_eq!(
        restored.begin(&metrics.registry, BEGIN + 2).expect_err("too early"),
        BeginError::NotLater { now: BEGIN + 2, last: BEGIN }
    );
    for sent in [&mut sent, &mut restored] {
        let all = series_1(&bodies(&metrics, sent, BEGIN + 1000, Format::RemoteWrite1(&labels))[0]);
        let all = by_name(all);
        assert_eq!(all["moved_bytes_total till-7,shop,a,eu "], [(BEGIN + 1, Some(0.0)), (BEGIN + 1000, Some(2.0))]);
        assert_eq!(all["moved_bytes_total till-7,shop,b,eu "], [(BEGIN + 1000, None)]);
    }
}

#[test]
fn what_was_counted_under_other_names_is_not_counted_again() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.at(BEGIN - 10);
    metrics.moved("a", 3);
    metrics.took("a", 0.1);
    bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite2(&labels));
    let mut bytes = Vec::new();
    sent.write(&mut bytes);
    let mut snapshot = Vec::new();
    metricast_series::snapshot::write(&metrics.registry, 0, &mut snapshot);
    let push = |form, instance| {
        let mut metrics = Metrics::new(form);
        metricast_series::snapshot::restore(&mut metrics.registry, &snapshot).expect("it was written so");
        metrics.at(BEGIN + 500);
        metrics.moved("b", 4);
        let mut sent = Sent::restore(&bytes).expect("it was written so");
        let labels = Labels::new(&metrics.registry, [("job", "shop"), ("instance", instance)]).expect("labels");
        let all = bodies_of(&metrics, &mut sent, BEGIN + 1000, &labels);
        ["moved_bytes_total X,shop,a,eu ", "moved_bytes_total X,shop,b,eu ", "took_seconds_count X,shop,a,eu "]
            .map(|name| all[&name.replace('X', instance)].iter().map(|(_, value)| *value).collect::<Vec<_>>())
    };
    let goes_on = [vec![Some(3.0)], vec![Some(0.0), Some(4.0)], vec![Some(1.0)]];
    assert_eq!(push(HistogramForm::Classic, "till-7"), goes_on);
    assert_eq!(push(HistogramForm::Classic, "till-8"), goes_on);
    // Native buckets cannot be made of classic ones: the family begins anew, and its series has ended.
    assert_eq!(push(HistogramForm::Both, "till-7"), [goes_on[0].clone(), goes_on[1].clone(), vec![None]]);
}

fn bodies_of(
    metrics: &Metrics,
    sent: &mut Sent,
    now: i64,
    labels: &Labels,
) -> std::collections::BTreeMap<String, Vec<(i64, Option<f64>)>> {
    by_name(bodies(metrics, sent, now, Format::RemoteWrite2(labels)).iter().flat_map(series_2))
}

#[test]
fn damaged_bytes_are_refused() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    metrics.moved("a", 3);
    bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite1(&labels));
    let mut bytes = Vec::new();
    sent.write(&mut bytes);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(Sent::restore(&damaged).is_err(), "byte {at}");
        assert!(Sent::restore(&bytes[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn at_the_end_all_are_marked_and_a_restart_goes_on_with_them() {
    let mut metrics = Metrics::new(HistogramForm::Both);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    let format = Format::RemoteWrite2(&labels);
    metrics.moved("a", 3);
    metrics.took("a", 0.1);
    let gauge = metrics.registry.gauge(metrics.last, &[]);
    metrics.registry.raise(gauge, 1.5, 1);
    let names = |bodies: &[metricast_series::push::Body]| {
        by_name(bodies.iter().flat_map(series_2)).into_keys().collect::<Vec<_>>()
    };
    let before = names(&bodies(&metrics, &mut sent, BEGIN, format));
    let end = all(&sent.begin_end(&metrics.registry, BEGIN + 5).expect("it is later"), format);
    for body in &end {
        sent.settle(&body.series);
    }
    assert_eq!(names(&end), before);
    assert!(end.iter().flat_map(series_2).all(|series| series.values() == [(BEGIN + 5, None)]));
    metrics.moved("a", 1);
    let after = by_name(bodies(&metrics, &mut sent, BEGIN + 10, format).iter().flat_map(series_2));
    assert_eq!(after["moved_bytes_total till-7,shop,a,eu "], [(BEGIN + 10, Some(4.0))]);
}

#[test]
fn labels_of_all_series_are_checked() {
    let metrics = Metrics::new(HistogramForm::Classic);
    let refused = |name: &str| {
        let labels = Labels::new(&metrics.registry, [("job", "a"), (name, "b")]);
        labels.expect_err("refused").to_string()
    };
    assert_eq!(refused("job"), "the label `job` is taken by another of these labels");
    assert_eq!(refused("le"), "the label `le` is taken by the buckets of histograms");
    assert_eq!(refused("region"), "the label `region` is taken by every family");
    assert_eq!(refused("tenant"), "the label `tenant` is taken by `moved_bytes`");
    assert_eq!(refused("family"), "the label `family` is taken by `metricast_series_overflow`");
    assert!(refused("a.b").starts_with("`a.b` is no label name"));
    let long = "é".repeat(600);
    let labels = Labels::new(&metrics.registry, [("job", long.as_str())]).expect("labels");
    let body = &bodies(&metrics, &mut Sent::default(), BEGIN, Format::RemoteWrite2(&labels))[0];
    assert!(series_2(body).iter().all(|series| series.labels.contains(&("job".to_owned(), "é".repeat(512)))));
}

#[test]
fn ten_thousand_histograms_are_several_bodies_and_smaller_in_2_0() {
    let mut metrics = Metrics::new(HistogramForm::Classic);
    let (labels, mut sent) = (metrics.labels(), Sent::default());
    for name in 0..10_000 {
        metrics.took(&format!("payments.step-{name}"), f64::from(name) / 5000.0);
    }
    let push = sent.begin(&metrics.registry, BEGIN).expect("it is later");
    let [two, one] = [Format::RemoteWrite2(&labels), Format::RemoteWrite1(&labels)].map(|format| all(&push, format));
    for bodies in [&two, &one] {
        let samples: u64 = bodies.iter().map(|body| body.count.samples).sum();
        assert_eq!(samples, 10_000 * 5 * 2 + 2);
        assert!(bodies.iter().all(|body| body.count.samples <= 10_000 && body.size <= 1 << 20));
        let series: usize = bodies.iter().map(|body| body.series.len()).sum();
        assert_eq!(series, 10_002);
    }
    let sizes = [&two, &one].map(|bodies| bodies.iter().map(|body| body.bytes.len()).sum::<usize>());
    assert!(sizes[0] < 5 * 100_002 && sizes[0] * 10 < sizes[1] * 9, "{sizes:?} bytes");
    assert_eq!(all(&push, Format::RemoteWrite2(&labels)), two, "equal pushes give equal bodies");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn wrong_bytes_with_a_right_checksum_do_no_harm(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut metrics = Metrics::new(HistogramForm::Both);
        let (labels, mut sent) = (metrics.labels(), Sent::default());
        metrics.moved("a", 3);
        metrics.took("a", 0.1);
        bodies(&metrics, &mut sent, BEGIN, Format::RemoteWrite1(&labels));
        let mut bytes = Vec::new();
        sent.write(&mut bytes);
        let at = 16 + at.index(bytes.len() - 16);
        bytes[at] = byte;
        bytes.truncate(cut.map_or(bytes.len(), |cut| 16 + cut.index(bytes.len() - 16)));
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(mut sent) = Sent::restore(&bytes) {
            let mut again = Vec::new();
            sent.write(&mut again);
            prop_assert_eq!(again, bytes);
            metrics.moved("b", 3);
            if let Ok(push) = sent.begin(&metrics.registry, BEGIN + MINUTE) {
                prop_assert!(all(&push, Format::RemoteWrite1(&labels)).iter().all(|body| series_1(body).len() > 2));
            }
            if let Ok(push) = sent.begin_end(&metrics.registry, BEGIN + 2 * MINUTE) {
                prop_assert!(all(&push, Format::RemoteWrite2(&labels)).iter().all(|body| !series_2(body).is_empty()));
            }
        }
    }

    #[test]
    fn however_it_is_cut_each_series_is_whole_and_there_once(
        values in prop::collection::vec(("[a-e]{1,2}", 0..1000_u32), 1..40),
        samples in 1..40_u64,
        bytes in 60..3000_usize,
    ) {
        let mut metrics = Metrics::new(HistogramForm::Both);
        let labels = metrics.labels();
        metrics.at(BEGIN - 5);
        for (name, value) in &values {
            metrics.moved(name, u128::from(*value));
            metrics.took(name, f64::from(*value) / 100.0);
        }
        let limits = Limits { samples, bytes };
        let mut sent = Sent::default();
        let push = sent.begin(&metrics.registry, BEGIN).expect("it is later");
        for (format, decode) in [
            (Format::RemoteWrite2(&labels), series_2 as fn(&_) -> _),
            (Format::RemoteWrite1(&labels), series_1),
        ] {
            let whole = all(&push, format);
            let cut: Vec<_> = push.bodies(format, limits).collect();
            for body in &cut {
                let fits = body.count.samples + body.count.histograms <= samples && body.size <= bytes;
                prop_assert!(fits || body.series.len() == 1, "{:?} {} beyond {:?}", body.count, body.size, limits);
                let raw = snap::raw::decompress_len(&body.bytes).expect("snappy");
                prop_assert!(raw <= body.size + 2, "{} is not {}", raw, body.size);
                let series = decode(body);
                let count: usize = series.iter().map(|series| series.samples.len()).sum();
                prop_assert_eq!(count as u64, body.count.samples + body.count.histograms);
            }
            let of = |bodies: &[metricast_series::push::Body]| bodies.iter().flat_map(decode).collect::<Vec<_>>();
            prop_assert_eq!(of(&cut), of(&whole));
        }
        let flat = |series: Vec<Series>| series.into_iter().map(|series| (series.labels, series.samples)).collect::<Vec<_>>();
        let [two, one] = [Format::RemoteWrite2(&labels), Format::RemoteWrite1(&labels)].map(|format| all(&push, format));
        prop_assert_eq!(flat(series_2(&two[0])), flat(series_1(&one[0])));
        for series in series_2(&two[0]) {
            prop_assert!(series.labels.is_sorted() && series.labels.iter().all(|(_, value)| !value.is_empty()));
        }
    }
}
