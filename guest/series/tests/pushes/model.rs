//! Pushes into a receiver that keeps the rules of a real one: what it can say of each counter is what was counted,
//! whatever is lost on the way and wherever the sender begins again.

use std::collections::BTreeMap;

use metricast_series::push::{Body, Format, Sent};
use metricast_series::{HistogramForm, snapshot};
use proptest::prelude::*;

use crate::decode::series_2;
use crate::{BEGIN, Metrics, all};

#[derive(Debug, Clone)]
enum Step {
    Count(u8, u8),
    /// A push, and what happens to its bodies.
    Push(Fate),
    /// State is saved.
    Save,
    /// The sender begins again with what was saved, and counts again what came after.
    Crash,
    Expire,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Arrives,
    NeverArrives,
    /// It arrives, and the answer does not.
    Unknown,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let fate = prop::sample::select(vec![Fate::Arrives, Fate::Arrives, Fate::NeverArrives, Fate::Unknown]);
    let step = prop_oneof![
        4 => (0..4_u8, 1..9_u8).prop_map(|(name, amount)| Step::Count(name, amount)),
        4 => fate.prop_map(Step::Push),
        1 => Just(Step::Save),
        1 => Just(Step::Crash),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 1..40)
}

/// The series of a receiver, by name: times and values, markers as none.
#[derive(Default)]
struct Receiver(BTreeMap<String, Vec<(i64, Option<f64>)>>);

impl Receiver {
    /// Takes what it can of a body: a sample that is not later than the newest one of its series is refused, the
    /// newest one itself is taken again.
    fn take(&mut self, body: &Body) {
        for series in series_2(body) {
            let kept = self.0.entry(series.name()).or_default();
            for sample in series.values() {
                if kept.last().is_none_or(|(newest, _)| *newest < sample.0) {
                    kept.push(sample);
                }
            }
        }
    }

    /// By how much a counter has grown, as `increase()` sees it without extrapolation.
    fn increase(&self, name: &str) -> f64 {
        let samples = self.0.get(name).map_or(&[][..], Vec::as_slice);
        let values: Vec<f64> = samples.iter().filter_map(|(_, value)| *value).collect();
        values.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
    }
}

struct World {
    metrics: Metrics,
    sent: Sent,
    receiver: Receiver,
    now: i64,
    turn: u32,
    /// What was saved, and what came after it: who counted how much when, and when series expired.
    saved: (Vec<u8>, Vec<u8>),
    since: Vec<(i64, Option<(String, u8)>)>,
    counted: BTreeMap<String, f64>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            metrics: Metrics::new(HistogramForm::Classic),
            sent: Sent::default(),
            receiver: Receiver::default(),
            now: BEGIN,
            turn: 0,
            saved: (Vec::new(), Vec::new()),
            since: Vec::new(),
            counted: BTreeMap::new(),
        };
        world.save();
        world
    }

    fn save(&mut self) {
        self.saved = (Vec::new(), Vec::new());
        snapshot::write(&self.metrics.registry, 0, &mut self.saved.0);
        self.sent.write(&mut self.saved.1);
        self.since.clear();
    }

    fn apply(&mut self, at: i64, event: Option<&(String, u8)>) {
        let Some((name, amount)) = event else {
            self.turn += 2;
            return self.metrics.registry.begin_turn(self.turn, Some(1));
        };
        self.metrics.at(at);
        self.metrics.moved(name, u128::from(*amount));
    }

    fn happen(&mut self, event: Option<(String, u8)>) {
        self.apply(self.now, event.as_ref());
        self.since.push((self.now, event));
    }

    fn crash(&mut self) {
        self.metrics = Metrics::new(HistogramForm::Classic);
        snapshot::restore(&mut self.metrics.registry, &self.saved.0).expect("it was written so");
        self.turn = self.metrics.registry.turn();
        self.sent = Sent::restore(&self.saved.1).expect("it was written so");
        for (at, event) in self.since.clone() {
            self.apply(at, event.as_ref());
        }
    }

    fn push(&mut self, fate: Fate) {
        let labels = self.metrics.labels();
        let bodies = all(
            &self.sent.begin(&self.metrics.registry, self.now).expect("it is later"),
            Format::RemoteWrite2(&labels),
        );
        for body in &bodies {
            if fate != Fate::NeverArrives {
                self.receiver.take(body);
            }
            if fate == Fate::Arrives {
                self.sent.settle(&body.series);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        self.now += 1000;
        match *step {
            Step::Count(name, amount) => {
                let name = char::from(b'a' + name).to_string();
                *self.counted.entry(name.clone()).or_default() += f64::from(amount);
                self.happen(Some((name, amount)));
            }
            Step::Push(fate) => self.push(fate),
            Step::Save => self.save(),
            Step::Crash => self.crash(),
            // What was never pushed is lost with its series, as it is for a scraper, and what is not saved has no marker.
            Step::Expire => {
                self.push(Fate::Arrives);
                self.save();
                self.now += 1000;
                self.happen(None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_the_receiver_sees_is_what_was_counted(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.now += 1000;
        world.push(Fate::Arrives);
        for (name, counted) in &world.counted {
            let series = format!("moved_bytes_total till-7,shop,{name},eu ");
            let samples = world.receiver.0.get(&series);
            let seen = world.receiver.increase(&series);
            prop_assert!((seen - counted).abs() < 0.5, "{} of {} in {}: {:?}", seen, counted, series, samples);
            let live = world.metrics.registry.find_counter(world.metrics.moved, &[name, ""]).is_some();
            let newest = samples.and_then(|samples| samples.last()).expect("it was sent");
            prop_assert_eq!(newest.1.is_some(), live, "{} {:?}", series, newest);
        }
    }
}
