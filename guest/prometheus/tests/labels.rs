//! Labels from attributes and the bound to a record's age, beside a model that knows the rules and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metricast_prometheus::{AttributeLabel, Config, Label, PrometheusPublisher, Time};
use metricast_records::BatchBuilder;
use metricast_sdk::{Batch, EventMetrics, Metrics, NetworkMetrics, Publisher};
use proptest::prelude::*;

const MAX_AGE: f64 = 100.0;
const RECEIVED: f64 = 1_795_400_000.0;

/// A record, by what the labels and the model look at.
#[derive(Clone, Debug)]
struct Given {
    is_event: bool,
    name: String,
    /// Failed or with an error.
    fails: bool,
    attributes: Vec<(String, String)>,
    /// How long before its reception it started, and how long it took.
    started: f64,
    took: Option<f64>,
}

impl Given {
    fn record(&self) -> Metrics {
        let (start_time, attributes) = (RECEIVED - self.started, self.attributes.clone());
        let end_time = self.took.map(|took| start_time + took);
        if self.is_event {
            let status = if self.fails { "failed" } else { "completed" }.to_owned();
            let event_name = self.name.clone();
            let event =
                EventMetrics { event_name, status, start_time, end_time, attributes, ..EventMetrics::default() };
            return Metrics::Event(event);
        }
        let error = self.fails.then(|| "oops".to_owned());
        let (operation, host) = (self.name.clone(), "host".to_owned());
        let network =
            NetworkMetrics { operation, host, start_time, end_time, error, attributes, ..NetworkMetrics::default() };
        Metrics::Network(network)
    }

    fn is_too_old(&self) -> bool {
        self.started - self.took.unwrap_or_default() > MAX_AGE
    }
}

/// Values, among them none, the reserved one, and two that are one when they are cut.
fn value() -> impl Strategy<Value = String> {
    let long = |end: &str| Just("é".repeat(512) + end);
    prop_oneof![8 => "[a-f]", 1 => Just(String::new()), 1 => Just("__other__".to_owned()), 1 => long(""), 1 => long("x")]
}

fn attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    let pair = |key: &'static str| prop::option::of(value().prop_map(move |value| (key.to_owned(), value)));
    let zone = (pair("zone"), pair("customer.id"), pair("tenant"));
    zone.prop_map(|(zone, customer, unused)| zone.into_iter().chain(unused).chain(customer).collect())
}

fn given() -> impl Strategy<Value = Given> {
    // Times are multiples of a quarter, so that adding them is exact.
    let quarters = |most: u16| (0..most).prop_map(|quarters| f64::from(quarters) / 4.0);
    let took = prop::option::of(quarters(80));
    let what = ("[p-r]", any::<bool>(), any::<bool>(), attributes(), quarters(600), took);
    what.prop_map(|(name, is_event, fails, attributes, started, took)| Given {
        is_event,
        name,
        fails,
        attributes,
        started,
        took: took.filter(|took| *took <= started),
    })
}

/// The label `tenant` from `customer.id`, with an allow-list or without, and `zone`.
#[derive(Clone, Debug)]
struct Rules {
    allow: Option<Vec<String>>,
    max: [Option<u32>; 2],
    limits_age: bool,
}

fn rules() -> impl Strategy<Value = Rules> {
    let allow = prop::option::of(prop::collection::vec("[a-c]", 1..3));
    let max = || prop::option::of(1..5_u32);
    (allow, max(), max(), any::<bool>()).prop_map(|(allow, tenant, zone, limits_age)| Rules {
        allow,
        max: [tenant, zone],
        limits_age,
    })
}

impl Rules {
    fn config(&self) -> Config {
        let label = |attribute: &str, allow: &Option<Vec<String>>, max| {
            Label::Attribute(AttributeLabel { attribute: attribute.to_owned(), allow: allow.clone(), max })
        };
        let labels = BTreeMap::from([
            ("region".to_owned(), Label::Constant("eu".to_owned())),
            ("tenant".to_owned(), label("customer.id", &self.allow, self.max[0])),
            ("zone".to_owned(), label("zone", &None, self.max[1])),
        ]);
        let max_age = self.limits_age.then(|| Time(Duration::from_secs_f64(MAX_AGE)));
        Config { labels, max_age, ..Config::default() }
    }
}

/// What the rules come to.
struct Model<'a> {
    rules: &'a Rules,
    /// By kind of record and label.
    shown: BTreeMap<(bool, usize), BTreeSet<String>>,
    counts: BTreeMap<String, u64>,
    too_old: u64,
}

impl Model<'_> {
    fn of<'a>(rules: &'a Rules, records: &[Given]) -> Model<'a> {
        let mut model = Model { rules, shown: BTreeMap::new(), counts: BTreeMap::new(), too_old: 0 };
        for record in records {
            model.take(record);
        }
        model
    }

    fn take(&mut self, given: &Given) {
        if self.rules.limits_age && given.is_too_old() {
            self.too_old += 1;
            return;
        }
        let tenant = pair("tenant", &self.value(given, 0, "customer.id"));
        let zone = pair("zone", &self.value(given, 1, "zone"));
        for fails in [false, true] {
            let series = if given.is_event {
                let status = if fails { "failed" } else { "completed" };
                format!("event_records_total{{event_name=\"{}\",status=\"{status}\"{tenant}{zone}", given.name)
            } else {
                let outcome = if fails { "failure" } else { "success" };
                format!("network_operations_total{{operation=\"{}\",outcome=\"{outcome}\"{tenant}{zone}", given.name)
            };
            *self.counts.entry(series + ",region=\"eu\"}").or_default() += u64::from(fails == given.fails);
        }
    }

    /// The value of a label of a record, as it is shown.
    fn value(&mut self, given: &Given, label: usize, attribute: &str) -> String {
        let found = given.attributes.iter().find(|(key, _)| key == attribute).map(|(_, value)| value.as_str());
        let mut value = found.unwrap_or_default().to_owned();
        while value.len() > 1024 {
            value.pop();
        }
        let allow = self.rules.allow.as_ref().filter(|_| label == 0);
        let distinct = |allow: &Vec<String>| allow.iter().collect::<BTreeSet<_>>().len();
        let max = self.rules.max[label].map_or_else(|| allow.map_or(50, distinct), |max| max as usize);
        let shown = self.shown.entry((given.is_event, label)).or_default();
        let fits = allow.is_none_or(|allow| allow.contains(&value)) && (shown.contains(&value) || shown.len() < max);
        if value.is_empty() || value == "__other__" {
            return value;
        }
        if !fits {
            return "__other__".to_owned();
        }
        shown.insert(value.clone());
        value
    }
}

fn pair(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(",{name}=\"{value}\"") }
}

fn batch(records: &[Given], first: usize) -> Batch {
    let mut builder = BatchBuilder::new();
    for given in records {
        builder.push(&given.record().as_ref(), RECEIVED).expect("there is room");
    }
    builder.finish().placed("epoch", first as u64)
}

fn lines<'a>(page: &'a str, families: &'a [&str]) -> impl Iterator<Item = (&'a str, u64)> {
    let lines = page.lines().filter(move |line| families.iter().any(|family| line.starts_with(family)));
    lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        (series, value.parse().expect("a count"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_page_is_what_the_rules_say_however_batches_are_cut(
        records in prop::collection::vec(given(), 1..80),
        steps in prop::collection::vec((1..20_usize, any::<bool>()), 0..12),
        rules in rules(),
    ) {
        let config = rules.config();
        let mut publisher = PrometheusPublisher::open(config.clone(), None).expect("opened");
        let mut from = 0;
        for (size, restarts) in steps.into_iter().chain([(records.len(), false)]) {
            let to = records.len().min(from + size);
            publisher.publish(&batch(&records[from..to], from)).expect("taken");
            from = to;
            if restarts {
                publisher = PrometheusPublisher::open(config.clone(), publisher.snapshot()).expect("opened");
            }
        }
        let page = String::from_utf8(publisher.scrape("").expect("a page").body).expect("a page is UTF-8");
        let model = Model::of(&rules, &records);
        let expected: BTreeMap<&str, u64> = model.counts.iter().map(|(series, count)| (series.as_str(), *count)).collect();
        let found: BTreeMap<&str, u64> = lines(&page, &["event_records_total{", "network_operations_total{"]).collect();
        prop_assert_eq!(found, expected);
        let too_old: Vec<u64> = lines(&page, &["metricast_unobserved_total{reason=\"too_old\""]).map(|line| line.1).collect();
        prop_assert_eq!(too_old, if rules.limits_age { vec![model.too_old] } else { vec![] });
        // What is beyond the rules is merged and never lost.
        let ended = |given: &&Given| given.took.is_some() && !(rules.limits_age && given.is_too_old());
        let observed: u64 = lines(&page, &["event_duration_seconds_count{", "network_latency_seconds_count{"]).map(|line| line.1).sum();
        prop_assert_eq!(observed, records.iter().filter(ended).count() as u64);
    }
}
