//! What is there whatever crashes: the medium, the backends, and what was seen. It judges a schedule in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use metricast_records::MetricsRef;
use metricast_store::meta::{Kind as LetterKind, Origin};

use super::plan::{Kind, Plan, PublisherPlan};
use super::*;
use crate::queue::WhenBehind;
use crate::queue::forgetful::Medium;
use crate::queue::letters::epoch_bytes;

/// A record's name.
pub(super) type Place = (String, u64);

#[derive(Clone)]
pub(super) struct World {
    pub(super) medium: Medium,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    sent: u64,
    acknowledged: BTreeSet<u64>,
    backends: BTreeMap<String, Backend>,
    found: Vec<String>,
}

/// What one publisher's backend has.
#[derive(Clone, Default)]
pub(super) struct Backend {
    /// By name, of a stateless plugin.
    pub(super) stored: BTreeMap<Place, u64>,
    /// In which life its plugin was handed a record first.
    handed: BTreeMap<Place, u32>,
    /// The records in what was last seen of a stateful plugin.
    pub(super) shown: BTreeSet<u64>,
    /// And in what it last pushed.
    pub(super) pushed: BTreeSet<u64>,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let backends = plan.publishers.iter().map(|it| (it.name.clone(), Backend::default())).collect();
        let inside = Inside { backends, ..Inside::default() };
        Self { medium: Medium::default(), inside: Arc::new(Mutex::new(inside)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("a test that panicked before")
    }

    /// Numbers for so many new records.
    pub(super) fn number(&self, records: u64) -> std::ops::Range<u64> {
        let mut inside = self.lock();
        inside.sent += records;
        inside.sent - records..inside.sent
    }

    pub(super) fn acknowledged(&self, records: std::ops::Range<u64>) {
        self.lock().acknowledged.extend(records);
    }

    /// Something that must not be.
    pub(super) fn fail(&self, what: impl Into<String>) {
        self.lock().found.push(what.into());
    }

    pub(super) fn expect(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(what());
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.lock().found.is_empty()
    }

    pub(super) fn store(&self, publisher: &str, place: &Place, record: u64) {
        let mut inside = self.lock();
        let before = inside.backends.get_mut(publisher).and_then(|it| it.stored.insert(place.clone(), record));
        if before.is_some_and(|before| before != record) {
            inside.found.push(format!("{publisher}: {place:?} was {before:?} and is {record}"));
        }
    }

    /// A plugin without state is handed a record: one of an earlier life comes with a mark.
    pub(super) fn hand(&self, publisher: &str, place: &Place, life: u32, is_marked: bool) {
        let mut inside = self.lock();
        let Some(backend) = inside.backends.get_mut(publisher) else { return };
        let before = *backend.handed.entry(place.clone()).or_insert(life);
        if before < life && !is_marked {
            inside.found.push(format!("{publisher}: {place:?} comes again in life {life} without a mark"));
        }
    }

    /// Somebody sees what a stateful plugin has counted.
    pub(super) fn show(&self, publisher: &str, records: BTreeSet<u64>, is_push: bool) {
        let mut inside = self.lock();
        let Some(backend) = inside.backends.get_mut(publisher) else { return };
        let before = if is_push { &mut backend.pushed } else { &mut backend.shown };
        let gone: Vec<u64> = before.difference(&records).copied().collect();
        *before = records;
        if !gone.is_empty() {
            inside.found.push(format!("{publisher}: it showed {gone:?} before, and does no more (push: {is_push})"));
        }
    }

    /// What went wrong in all.
    pub(super) fn verdict(&self, plan: &Plan) -> Vec<String> {
        let mut found = std::mem::take(&mut self.lock().found);
        if found.is_empty() {
            let history = self.history(&mut found);
            let acknowledged = self.lock().acknowledged.clone();
            let kept: BTreeSet<u64> = history.values().copied().collect();
            let lost: Vec<u64> = acknowledged.difference(&kept).copied().collect();
            check(lost.is_empty(), &mut found, || format!("acknowledged and not in the log: {lost:?}"));
            for publisher in &plan.publishers {
                self.judge(publisher, &history, &mut found);
            }
        }
        found
    }

    /// Every record that was ever in the log.
    fn history(&self, found: &mut Vec<String>) -> BTreeMap<Place, u64> {
        let (mut history, mut next) = (BTreeMap::new(), 0);
        for batch in self.medium.history() {
            let mut records: Vec<(u64, u64)> = batch.records().map(|it| (it.offset, number_of(&it.metrics))).collect();
            records.sort_unstable();
            for (offset, record) in records {
                check(offset >= next, found, || format!("offset {offset} came twice"));
                next = offset + 1;
                history.insert((batch.epoch().to_owned(), offset), record);
            }
        }
        history
    }

    fn judge(&self, publisher: &PublisherPlan, history: &BTreeMap<Place, u64>, found: &mut Vec<String>) {
        let name = &publisher.name;
        let backend = self.lock().backends[name].clone();
        let has: BTreeSet<u64> = match publisher.kind {
            Kind::Stateless { .. } => backend.stored.values().copied().collect(),
            Kind::Stateful | Kind::Pushing => self.state(name).into_values().collect(),
        };
        let letters = self.letters(name);
        let wrong: Vec<_> =
            backend.stored.iter().filter(|(place, record)| history.get(place) != Some(record)).collect();
        check(wrong.is_empty(), found, || format!("{name}: stored under a name that is not theirs: {wrong:?}"));
        let answered = |place: &Place, record: u64| has.contains(&record) || letters.contains_key(place);
        let lost: Vec<_> = history.iter().filter(|(place, record)| !answered(place, **record)).collect();
        let dropped = self.medium.publisher(name).map_or(0, |row| row.dropped);
        check(lost.len() as u64 <= dropped, found, || format!("{name}: lost, and {dropped} dropped: {lost:?}"));
        check(publisher.when_behind == WhenBehind::DropOldest || dropped == 0, found, || format!("{name}: dropped"));
        // What a call did that broke nobody knows.
        let is_stateless = matches!(publisher.kind, Kind::Stateless { .. });
        let may_be_both = |kind: &LetterKind| is_stateless && *kind != LetterKind::Rejected;
        let both = letters.iter().filter(|(place, kind)| !may_be_both(kind) && has.contains(&history[*place]));
        let both: Vec<_> = both.collect();
        check(both.is_empty(), found, || format!("{name}: a dead letter, and taken: {both:?}"));
        let good = letters.keys().filter(|place| {
            !publisher.gives_up && !publisher.is_poison(history[*place]) && !publisher.is_rejected(history[*place])
        });
        let good: Vec<_> = good.collect();
        check(good.is_empty() || is_stateless, found, || {
            format!("{name}: nothing is wrong with these dead letters: {good:?}")
        });
        if publisher.kind == Kind::Pushing {
            check(backend.pushed == has, found, || {
                format!("{name}: the last push is not of all: {:?}", backend.pushed)
            });
        }
    }

    fn letters(&self, name: &str) -> BTreeMap<Place, LetterKind> {
        let letters = self.medium.letters().into_iter().filter_map(|(_, letter)| match letter.origin {
            Origin::Record { publisher, epoch, offset, .. } if publisher == name => {
                Some(((epoch, offset), letter.kind))
            }
            _ => None,
        });
        let letters: BTreeMap<_, _> = letters.collect();
        let epochs: BTreeSet<String> = self.medium.history().iter().map(|batch| batch.epoch().to_owned()).collect();
        let by_bytes: BTreeMap<_, _> = epochs.into_iter().map(|epoch| (epoch_bytes(&epoch), epoch)).collect();
        letters.into_iter().map(|((epoch, offset), kind)| ((by_bytes[&epoch].clone(), offset), kind)).collect()
    }

    fn state(&self, name: &str) -> BTreeMap<u64, u64> {
        self.medium.state(name).map(|state| actor::read(&state.bytes)).unwrap_or_default()
    }
}

fn check(holds: bool, found: &mut Vec<String>, what: impl FnOnce() -> String) {
    if !holds {
        found.push(what());
    }
}

/// A record's number is its event's name.
pub(super) fn number_of(record: &MetricsRef<'_>) -> u64 {
    let MetricsRef::Event(event) = record else { panic!("senders send events") };
    event.event_name.parse().expect("the name is a number")
}
