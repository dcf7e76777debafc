//! Expiry and cap beside a model that keeps a list of series and looks through all of it each time.

use proptest::prelude::*;

use super::*;
use crate::cap::OTHER;
use crate::{Descriptor, SeriesLimit, text};

#[derive(Debug, Clone)]
enum Step {
    Count(char, u8),
    Declare(char),
    Touch(char),
    /// So many turns later.
    Turn(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || (b'a'..b'g').prop_map(char::from);
    prop_oneof![
        6 => (name(), any::<u8>()).prop_map(|(name, amount)| Step::Count(name, amount)),
        1 => name().prop_map(Step::Declare),
        1 => name().prop_map(Step::Touch),
        2 => (0..4_u32).prop_map(Step::Turn),
    ]
}

#[derive(Debug, Default)]
struct Model {
    /// Name, amount and last turn, in the order of their coming.
    series: Vec<(String, u64, u32)>,
    overflowed: u64,
    turn: u32,
}

impl Model {
    fn find(&mut self, name: &str) -> Option<&mut (String, u64, u32)> {
        self.series.iter_mut().find(|series| series.0 == name)
    }

    fn declare(&mut self, name: &str, limit: usize) -> bool {
        let own = self.series.iter().filter(|series| series.0 != OTHER).count();
        let has_room = name == OTHER || own < limit;
        if self.find(name).is_none() && has_room {
            self.series.push((name.to_owned(), 0, self.turn));
        }
        self.find(name).is_some()
    }

    fn apply(&mut self, step: &Step, limit: usize, idle: u32) {
        match step {
            Step::Count(name, amount) => {
                let fits = self.declare(&name.to_string(), limit);
                self.overflowed += u64::from(!fits);
                let name = if fits { name.to_string() } else { OTHER.to_owned() };
                self.declare(&name, limit);
                let turn = self.turn;
                let series = self.find(&name).expect("it was declared");
                (series.1, series.2) = (series.1 + u64::from(*amount), turn);
            }
            Step::Declare(name) => drop(self.declare(&name.to_string(), limit)),
            Step::Touch(name) => {
                let turn = self.turn;
                self.find(&name.to_string()).into_iter().for_each(|series| series.2 = turn);
            }
            Step::Turn(later) => {
                self.turn += later;
                self.series.retain(|(_, _, touched)| self.turn - touched <= idle);
            }
        }
    }

    fn page(&self) -> Vec<String> {
        let lines = self.series.iter().map(|(name, amount, _)| format!("runs_total{{name=\"{name}\"}} {amount}"));
        let overflow = format!("metricast_series_overflow_total{{family=\"runs\"}} {}", self.overflowed);
        lines.chain([overflow]).collect()
    }
}

fn apply(registry: &mut Registry, family: CounterFamily, step: &Step, idle: u32) {
    match step {
        Step::Count(name, amount) => {
            let counter = registry.counter(family, &[&name.to_string()]);
            registry.add(counter, u128::from(*amount), 1);
        }
        Step::Declare(name) => drop(registry.declare_counter(family, &[&name.to_string()])),
        Step::Touch(name) => {
            if let Some(counter) = registry.find_counter(family, &[&name.to_string()]) {
                registry.touch_counter(counter);
            }
        }
        Step::Turn(later) => registry.begin_turn(registry.turn() + later, Some(idle)),
    }
}

proptest! {
    #[test]
    fn series_expire_and_come_back_as_in_the_model(
        limit in 1..6_u64,
        idle in 0..5_u32,
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut builder = Registry::builder(SeriesLimit::new(limit).expect("a limit"));
        let family = builder.counter(Descriptor::new("runs", "").label("name").exemplars(true)).expect("a family");
        let (mut registry, mut model) = (builder.build(), Model::default());
        for step in &steps {
            let (generation, before) = (registry.generation(), model.series.len());
            apply(&mut registry, family, step, idle);
            model.apply(step, limit as usize, idle);
            let mut page = Vec::new();
            text::encode(&registry, 0.0, &mut page);
            let page = String::from_utf8(page).expect("a page is UTF-8");
            let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
            prop_assert_eq!(samples, model.page());
            prop_assert_eq!(registry.generation() > generation, model.series.len() < before);
        }
    }
}
