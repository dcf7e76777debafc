//! Random changes against a simple model, with the database opened again at random.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::super::{Change, Filter, Limits, Meta, Origin, Place, PublisherChange, Request, State, StateChange};
use super::memory::Memory;
use super::{rejected, small};

const MAX_LETTERS: u64 = 6;
const MAX_REQUESTS: u64 = 4;

#[derive(Clone, Debug)]
enum Action {
    Publisher { name: u8, cursor: Option<u64>, skip: Vec<u64>, state: Option<StateChange>, dropped: u64 },
    Forget(u8),
    File(Vec<(u8, u64)>),
    RemoveNth(usize),
    Request(u8),
    Place(u8, Option<u64>),
    Several(Vec<Action>),
    Reopen,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    cursor: Option<u64>,
    skipped: BTreeSet<u64>,
    state: Option<Vec<u8>>,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Model {
    publishers: BTreeMap<String, Known>,
    letters: VecDeque<(String, u64)>,
    evicted: BTreeMap<String, u64>,
    requests: VecDeque<u8>,
    places: BTreeMap<u8, u64>,
}

fn single() -> impl Strategy<Value = Action> {
    let set = (any::<u8>(), 0..600_000_usize)
        .prop_map(|(byte, length)| StateChange::Set(State { version: 1, next_offset: 2, bytes: vec![byte; length] }));
    let state = prop::option::of(prop_oneof![1 => Just(StateChange::Remove), 2 => set]);
    let skip = prop::collection::vec(0..40_u64, 0..4);
    let publisher = (0..4_u8, prop::option::of(0..40_u64), skip, state, 0..3_u64)
        .prop_map(|(name, cursor, skip, state, dropped)| Action::Publisher { name, cursor, skip, state, dropped });
    prop_oneof![
        4 => publisher,
        1 => (0..4_u8).prop_map(Action::Forget),
        3 => prop::collection::vec((0..4_u8, 0..10_u64), 1..4).prop_map(Action::File),
        2 => (0..6_usize).prop_map(Action::RemoveNth),
        2 => (0..8_u8).prop_map(Action::Request),
        1 => (0..3_u8, prop::option::of(any::<u64>())).prop_map(|(key, place)| Action::Place(key, place)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => single(),
        2 => prop::collection::vec(single(), 2..5).prop_map(Action::Several),
        1 => Just(Action::Reopen),
    ]
}

fn name(index: u8) -> String {
    // One name begins another, so that keys of the two lie close together.
    "p".repeat(usize::from(index) + 1)
}

/// The change of an action, added to `change`; letters are chosen from those held when the change is begun.
fn add(change: &mut Change, meta: &Meta, action: &Action) {
    match action {
        Action::Publisher { name: index, cursor, skip, state, dropped } => {
            let (name, cursor, skip, state, dropped) = (name(*index), *cursor, skip.clone(), state.clone(), *dropped);
            let made = PublisherChange { name, cursor, skip, state, dropped, ..PublisherChange::default() };
            change.publishers.push(made);
        }
        Action::Forget(index) => change.forget.push(name(*index)),
        Action::File(letters) => {
            change.letters.extend(letters.iter().map(|(index, offset)| rejected(&name(*index), *offset, "no")));
        }
        Action::RemoveNth(nth) => {
            let held = meta.letters(&Filter::default()).unwrap();
            change.remove_letters.extend(held.get(*nth).map(|filed| filed.number));
        }
        Action::Request(id) => change.requests.push(Request {
            digest: [*id; 32],
            time: 1.0,
            next_offset: u64::from(*id),
            answer: vec![*id; 3],
        }),
        Action::Place(key, bytes) => {
            let place = bytes.map(|bytes| Place { bytes, ..Place::default() });
            change.places.push((key.to_string(), place));
        }
        Action::Several(actions) => actions.iter().for_each(|action| add(change, meta, action)),
        Action::Reopen => {}
    }
}

impl Model {
    fn change(&mut self, change: &Change, removed: &[(String, u64)]) {
        for name in &change.forget {
            self.publishers.remove(name);
        }
        for changed in &change.publishers {
            let known = self.publishers.entry(changed.name.clone()).or_default();
            let is_behind = changed.cursor.is_some() && changed.cursor < known.cursor;
            known.cursor = known.cursor.max(changed.cursor);
            known.skipped.extend(&changed.skip);
            known.skipped = known.skipped.split_off(&known.cursor.unwrap_or(0));
            known.dropped += changed.dropped;
            match &changed.state {
                _ if is_behind => {}
                None => {}
                Some(StateChange::Remove) => known.state = None,
                Some(StateChange::Set(state)) => known.state = Some(state.bytes.clone()),
            }
        }
        self.letters.retain(|letter| !removed.contains(letter));
        for letter in change.letters.iter().map(key) {
            if !self.letters.contains(&letter) {
                self.letters.push_back(letter);
            }
            while self.letters.len() as u64 > MAX_LETTERS {
                let (name, _) = self.letters.pop_front().unwrap();
                *self.evicted.entry(name).or_default() += 1;
            }
        }
        for request in &change.requests {
            self.requests.retain(|id| *id != request.digest[0]);
            self.requests.push_back(request.digest[0]);
            while self.requests.len() as u64 > MAX_REQUESTS {
                self.requests.pop_front();
            }
        }
        for (key, place) in &change.places {
            let key = key.parse().unwrap();
            match place {
                None => self.places.remove(&key),
                Some(place) => self.places.insert(key, place.bytes),
            };
        }
    }

    fn compare(&self, meta: &Meta) {
        let publishers: BTreeMap<String, Known> = meta
            .publishers()
            .unwrap()
            .into_iter()
            .map(|found| {
                let state = meta.state(&found.name).unwrap().map(|state| state.bytes);
                let skipped = found.skipped.into_iter().collect();
                (found.name, Known { cursor: found.cursor, skipped, state, dropped: found.dropped })
            })
            .collect();
        assert_eq!(publishers, self.publishers);
        let filed = meta.letters(&Filter::default()).unwrap();
        assert_eq!(filed.iter().map(|filed| key(&filed.letter)).collect::<VecDeque<_>>(), self.letters);
        let counts = meta.letter_counts();
        for index in 0..4 {
            let name = name(index);
            let found = counts.get(&name).copied().unwrap_or_default();
            assert_eq!(found.evicted, self.evicted.get(&name).copied().unwrap_or(0));
            assert_eq!(found.held, self.letters.iter().filter(|letter| letter.0 == name).count() as u64);
        }
        for id in 0..8 {
            assert_eq!(meta.request(&[id; 32]).unwrap().is_some(), self.requests.contains(&id), "request {id}");
        }
        for key in 0..3 {
            let place = meta.place(&key.to_string()).unwrap().map(|place| place.bytes);
            assert_eq!(place, self.places.get(&key).copied());
        }
    }
}

fn key(letter: &super::Letter) -> (String, u64) {
    match &letter.origin {
        Origin::Record { publisher, offset, .. } => (publisher.clone(), *offset),
        Origin::Line { .. } => unreachable!("the model files records only"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_database_does_what_a_simple_model_does(actions in prop::collection::vec(action(), 1..40)) {
        let disk = Memory::default();
        let limits = Limits { max_letters: MAX_LETTERS, max_requests: MAX_REQUESTS, ..small() };
        let mut meta = Meta::open_on(disk.clone(), limits.clone()).unwrap().0;
        let mut model = Model::default();
        for action in &actions {
            if matches!(action, Action::Reopen) {
                drop(meta);
                let (again, opened) = Meta::open_on(disk.clone(), limits.clone()).unwrap();
                prop_assert_eq!((opened.set_aside, opened.damage), (None, vec![]));
                meta = again;
            }
            let mut change = Change::default();
            add(&mut change, &meta, action);
            let removed = change.remove_letters.iter().filter_map(|number| meta.letter(*number).unwrap());
            let removed: Vec<_> = removed.map(|filed| key(&filed.letter)).collect();
            model.change(&change, &removed);
            meta.commit_and_wait(change).unwrap();
            model.compare(&meta);
        }
    }
}
