use super::*;
use crate::cap::OVERFLOW_FAMILY;
use crate::{Buckets, DefineError, Descriptor, HistogramForm, SeriesLimit, text};

fn page(registry: &Registry) -> String {
    let mut out = Vec::new();
    text::encode(registry, 0.0, &mut out);
    String::from_utf8(out).expect("a page is UTF-8")
}

fn samples(registry: &Registry) -> Vec<String> {
    page(registry).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn limit(series: u64) -> SeriesLimit {
    SeriesLimit::new(series).expect("a limit")
}

fn named(name: &str) -> Descriptor {
    Descriptor::new(name, "")
}

#[test]
fn a_full_family_counts_on_in_one_overflow_series() {
    let mut builder = Registry::builder(limit(2));
    let family = builder.counter(named("runs").label("name").label("status")).expect("a family");
    let mut registry = builder.build();
    for name in ["a", "b", "c", "d", "a", "c"] {
        let counter = registry.counter(family, &[name, "ok"]);
        registry.add(counter, 1, 1);
    }
    let expected = [
        r#"runs_total{name="a",status="ok"} 2"#,
        r#"runs_total{name="b",status="ok"} 1"#,
        r#"runs_total{name="__other__",status="__other__"} 3"#,
        r#"metricast_series_overflow_total{family="runs"} 3"#,
    ];
    assert_eq!(samples(&registry), expected);
}

#[test]
fn a_fixed_label_keeps_its_value_in_the_overflow_series() {
    let mut builder = Registry::builder(limit(2));
    let family = builder.counter(named("moved").label("operation").fixed_label("direction")).expect("a family");
    let mut registry = builder.build();
    for operation in ["get", "put", "list"] {
        for (direction, bytes) in [("sent", 1), ("received", 10)] {
            let counter = registry.counter(family, &[operation, direction]);
            registry.add(counter, bytes, 1);
        }
    }
    let expected = [
        r#"moved_total{operation="get",direction="sent"} 1"#,
        r#"moved_total{operation="get",direction="received"} 10"#,
        r#"moved_total{operation="__other__",direction="sent"} 2"#,
        r#"moved_total{operation="__other__",direction="received"} 20"#,
        r#"metricast_series_overflow_total{family="moved"} 4"#,
    ];
    assert_eq!(samples(&registry), expected);
}

#[test]
fn a_record_that_says_other_itself_takes_no_room_and_did_not_overflow() {
    let mut builder = Registry::builder(limit(1));
    let family = builder.counter(named("runs").label("name")).expect("a family");
    let mut registry = builder.build();
    for name in ["__other__", "a", "b"] {
        let counter = registry.counter(family, &[name]);
        registry.add(counter, 1, 1);
    }
    let expected = [
        r#"runs_total{name="__other__"} 2"#,
        r#"runs_total{name="a"} 1"#,
        r#"metricast_series_overflow_total{family="runs"} 1"#,
    ];
    assert_eq!(samples(&registry), expected);
}

#[test]
fn each_kind_of_family_overflows_alike() {
    let mut builder = Registry::builder(limit(1));
    let last = builder.gauge(named("last").label("name")).expect("a family");
    let buckets = Buckets::new(&[1.0]).expect("a layout");
    let took = builder.histogram(named("took").label("name"), buckets, HistogramForm::Classic).expect("a family");
    let mut registry = builder.build();
    for (name, value) in [("a", 1.5), ("b", 2.5), ("c", 0.5)] {
        let gauge = registry.gauge(last, &[name]);
        registry.raise(gauge, value, 1);
        let histogram = registry.histogram(took, &[name]);
        registry.observe(histogram, value);
    }
    let expected = [
        r#"last{name="a"} 1.5"#,
        r#"last{name="__other__"} 2.5"#,
        r#"took_bucket{name="a",le="1.0"} 0"#,
        r#"took_bucket{name="a",le="+Inf"} 1"#,
        r#"took_sum{name="a"} 1.5"#,
        r#"took_count{name="a"} 1"#,
        r#"took_bucket{name="__other__",le="1.0"} 1"#,
        r#"took_bucket{name="__other__",le="+Inf"} 2"#,
        r#"took_sum{name="__other__"} 3"#,
        r#"took_count{name="__other__"} 2"#,
        r#"metricast_series_overflow_total{family="last"} 2"#,
        r#"metricast_series_overflow_total{family="took"} 2"#,
    ];
    assert_eq!(samples(&registry), expected);
}

#[test]
fn what_is_declared_stands_at_zero_if_there_is_room() {
    let mut builder = Registry::builder(limit(1));
    let runs = builder.counter(named("runs").label("name")).expect("a family");
    let buckets = Buckets::new(&[1.0]).expect("a layout");
    let took = builder.histogram(named("took").label("name"), buckets, HistogramForm::Classic).expect("a family");
    let mut registry = builder.build();
    assert_eq!(registry.find_counter(runs, &["a"]), None);
    for name in ["a", "b", "a"] {
        registry.declare_counter(runs, &[name]);
        registry.declare_histogram(took, &[name]);
    }
    assert_eq!(registry.find_counter(runs, &["a"]), Some(registry.counter(runs, &["a"])));
    let expected = [
        r#"runs_total{name="a"} 0"#,
        r#"took_bucket{name="a",le="1.0"} 0"#,
        r#"took_bucket{name="a",le="+Inf"} 0"#,
        r#"took_sum{name="a"} 0"#,
        r#"took_count{name="a"} 0"#,
        r#"metricast_series_overflow_total{family="runs"} 0"#,
        r#"metricast_series_overflow_total{family="took"} 0"#,
    ];
    assert_eq!(samples(&registry), expected);
}

#[test]
fn long_values_are_cut_before_they_are_compared() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder.counter(named("runs").label("name")).expect("a family");
    let mut registry = builder.build();
    let first = registry.counter(family, &["x".repeat(1024).as_str()]);
    let second = registry.counter(family, &["x".repeat(5000).as_str()]);
    assert_eq!(first, second);
}

#[test]
fn an_empty_label_is_an_absent_one() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder.counter(named("runs").label("name").label("status")).expect("a family");
    let mut registry = builder.build();
    for values in [["", ""], ["", "ok"], ["a", ""]] {
        let counter = registry.counter(family, &values);
        registry.add(counter, 1, 1);
    }
    assert_eq!(samples(&registry)[..3], ["runs_total 1", r#"runs_total{status="ok"} 1"#, r#"runs_total{name="a"} 1"#]);
}

#[test]
fn a_counter_is_exact_beyond_what_a_float_holds() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder.counter(named("moved")).expect("a family");
    let mut registry = builder.build();
    let counter = registry.counter(family, &[]);
    registry.add(counter, (1 << 53) + 1, 1);
    assert_eq!(samples(&registry)[0], "moved_total 9007199254740993");
    registry.add(counter, u128::from(u64::MAX) - (1 << 53) - 1, 1);
    assert_eq!(samples(&registry)[0], "moved_total 18446744073709551615");
    registry.add(counter, 1, 1);
    assert_eq!(samples(&registry)[0], "moved_total 1.8446744073709552e+19");
}

#[test]
fn a_gauge_keeps_the_greatest_even_below_zero() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder.gauge(named("last")).expect("a family");
    let mut registry = builder.build();
    let gauge = registry.gauge(family, &[]);
    for value in [-5.0, -3.0, f64::NAN, -4.0] {
        registry.raise(gauge, value, 1);
    }
    assert_eq!(samples(&registry), ["last -3"]);
}

#[test]
fn nan_is_no_observation() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder
        .histogram(named("took"), Buckets::new(&[1.0]).expect("a layout"), HistogramForm::Both)
        .expect("a family");
    let mut registry = builder.build();
    let histogram = registry.histogram(family, &[]);
    registry.observe(histogram, f64::NAN);
    registry.observe(histogram, 0.5);
    assert_eq!(samples(&registry)[1..], [r#"took_bucket{le="+Inf"} 1"#, "took_sum 0.5", "took_count 1"]);
}

#[test]
fn two_families_cannot_write_samples_of_one_name() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let buckets = Buckets::new(&[1.0]).expect("a layout");
    builder.histogram(named("a"), buckets, HistogramForm::Classic).expect("a family");
    let clash = DefineError::Clash("a".to_owned());
    assert_eq!(builder.gauge(named("a")), Err(clash.clone()));
    assert_eq!(builder.counter(named("a")), Err(clash));
    assert_eq!(builder.counter(named(OVERFLOW_FAMILY)), Err(DefineError::Clash(OVERFLOW_FAMILY.to_owned())));
    assert!(builder.counter(named("b")).is_ok());
}

#[test]
#[should_panic(expected = "a value for each label of runs")]
fn a_value_too_few_is_a_mistake_of_the_program() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let family = builder.counter(named("runs").label("name")).expect("a family");
    builder.build().counter(family, &[]);
}

#[test]
fn the_text_format_shows_help_and_type_of_each_family() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let runs = Descriptor::new("runs", "Runs, \"all\" of them.\nBy C:\\name.").label("name");
    let family = builder.counter(runs).expect("a family");
    builder.gauge(Descriptor::new("last_seconds", "When.").unit("seconds")).expect("a family");
    let mut registry = builder.build();
    let counter = registry.counter(family, &["x\n# EOF\nup 1"]);
    registry.add(counter, 1, 1);
    let expected = r#"# HELP runs_total Runs, "all" of them.\nBy C:\\name.
# TYPE runs_total counter
runs_total{name="x\n# EOF\nup 1"} 1
# HELP last_seconds When.
# TYPE last_seconds gauge
# HELP metricast_series_overflow_total Values recorded under __other__, because their family is full.
# TYPE metricast_series_overflow_total counter
metricast_series_overflow_total{family="runs"} 0
"#;
    assert_eq!(page(&registry), expected);
}

#[test]
fn a_large_page_is_made_without_growing_its_buffer() {
    let mut builder = Registry::builder(SeriesLimit::default());
    builder.constant_label("region", "eu").expect("a label");
    let buckets = Buckets::new(&crate::histogram::EVENT_SECONDS).expect("a layout");
    let took = named("took_seconds").unit("seconds").label("name").label("status");
    let took = builder.histogram(took, buckets, HistogramForm::Classic).expect("a family");
    let runs = builder.counter(named("runs").label("name")).expect("a family");
    let mut registry = builder.build();
    for name in (0..1000).map(|name| format!("event-{name}")) {
        let histogram = registry.histogram(took, &[&name, "completed"]);
        registry.observe(histogram, 0.123_456_789);
        let counter = registry.counter(runs, &[&name]);
        registry.add(counter, 123_456_789, 1);
    }
    let mut page = Vec::new();
    text::encode(&registry, 0.0, &mut page);
    let expected = crate::samples::size(&registry);
    assert_eq!(page.capacity(), expected);
    assert!(expected - page.len() < page.len() / 5, "{expected} for {}", page.len());
}
