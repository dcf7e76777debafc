//! OpenSearch with a plain index and with a data stream, each behind a proxy of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::fault_proxy::{Fault, FaultProxy, RetryAfter};
use support::search::{Lease, Node};
use support::stub::Request;
use support::wait;

use super::{PATIENCE, Pipeline, SETTINGS, bodies, seed};

/// A pipeline to one node by two ways.
struct Search {
    node: Lease,
    pipeline: Pipeline,
    prefix: String,
    /// The proxies of the ways in this order.
    proxies: [FaultProxy; 2],
}

const WAYS: [&str; 2] = ["plain", "streams"];

impl Search {
    fn start() -> Option<Self> {
        let node = Node::shared()?;
        let prefix = format!("faulty{}", fastrand::u32(..));
        let proxies = WAYS.map(|_| FaultProxy::start(&node.url(), |path| path.contains("/_bulk")));
        let publisher = |way: usize, more: &str| {
            let (name, url) = (WAYS[way], proxies[way].url());
            format!(
                "[[publishers]]\nname = \"{name}\"\nplugin = \"elasticsearch\"\n{SETTINGS}[publishers.config]\n\
                 hosts = [\"{url}\"]\nindex_prefix = \"{prefix}-{name}\"\n{more}"
            )
        };
        let plain = publisher(0, "indices = \"daily\"\nmax_past = \"36500d\"\n");
        let pipeline = Pipeline::start(&format!("{plain}{}", publisher(1, "max_past = \"36500d\"\n")));
        Some(Self { node, pipeline, prefix, proxies })
    }

    fn pattern(&self, way: usize) -> String {
        format!("{0}-{1}-*,logs-{0}-{1}.*", self.prefix, WAYS[way])
    }

    /// Waits till as many documents are there as records were acknowledged, but for so many dead letters of each way.
    fn all_but_arrive(&self, after: &str, letters: impl Fn(&str) -> usize) {
        let acknowledged = self.pipeline.acknowledged.len();
        for (way, name) in WAYS.into_iter().enumerate() {
            let count = || (self.node.count(&self.pattern(way)) as usize, letters(name));
            let end = Instant::now() + PATIENCE;
            let mut found = count();
            while found.0 + found.1 < acknowledged {
                assert!(Instant::now() < end, "{name} after {after}: of {acknowledged} are stored, dead: {found:?}");
                std::thread::sleep(Duration::from_millis(50));
                found = count();
            }
        }
    }

    fn all_arrive(&self, after: &str) {
        self.all_but_arrive(after, |_| 0);
    }

    /// Acknowledged is stored or a dead letter, stored was sent, each once.
    fn judge(&self) {
        for (way, proxy) in self.proxies.iter().enumerate() {
            let name = WAYS[way];
            let stored = self.node.tasks(&self.pattern(way));
            let mut times: BTreeMap<&str, u32> = BTreeMap::new();
            for task in &stored {
                *times.entry(task).or_default() += 1;
            }
            let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
            assert!(twice.is_empty(), "{name}: stored more than once: {twice:?}");
            let letters = self.letters(name);
            let lost: Vec<_> =
                self.pipeline.acknowledged.iter().filter(|task| !times.contains_key(task.as_str())).collect();
            let lost: Vec<_> = lost.into_iter().filter(|task| !letters.contains_key(*task)).collect();
            assert!(lost.is_empty(), "{name}: acknowledged and nowhere: {lost:?}");
            let sent = proxy.sent();
            let arrived = sent.iter().filter(|sent| sent.arrived());
            let arrived: BTreeSet<String> = arrived.flat_map(|sent| tasks_in(&sent.request)).collect();
            let unknown: Vec<_> = times.keys().filter(|task| !arrived.contains(**task)).collect();
            assert!(unknown.is_empty(), "{name}: stored and never sent: {unknown:?}");
            // A 413 for what arrived before is the proxy's alone: no server takes a record and calls it too large then.
            let both: Vec<_> = letters
                .iter()
                .filter(|(task, reason)| times.contains_key(task.as_str()) && !reason.contains("413"))
                .collect();
            assert!(both.is_empty(), "{name}: stored, and a dead letter: {both:?}");
        }
    }

    /// Why, by task id.
    fn letters(&self, publisher: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let letters = self.pipeline.dead_letters(publisher);
        letters.iter().map(|letter| (text(&letter["record"]["task_id"]), text(&letter["reason"]))).collect()
    }

    fn calm(&self) {
        self.proxies.iter().for_each(FaultProxy::calm);
    }

    fn end(self) {
        let (status, log) = self.pipeline.metricast.stop();
        assert_eq!(status.code(), Some(0), "{log}");
    }
}

/// The task ids in a body that was sent.
fn tasks_in(request: &Request) -> Vec<String> {
    let documents = request.text().lines().skip(1).step_by(2).map(|line| serde_json::from_str::<Value>(line).unwrap());
    documents.map(|document| document["metricast"]["task_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn after_each_fault_every_record_is_there_once() {
    let Some(mut search) = Search::start() else { return };
    let mut expected = Vec::new();
    for fault in Fault::passing().into_iter().chain([Fault::ItemStatus(429), Fault::Hang(false), Fault::Hang(true)]) {
        // The second time right after the first.
        for _ in 0..2 {
            search.proxies.iter().for_each(|proxy| proxy.then(fault));
            expected.push(fault);
        }
        search.pipeline.send("one");
        search.pipeline.send("two");
        search.all_arrive(&format!("{fault:?}"));
        for proxy in &search.proxies {
            wait::until("both faults", PATIENCE, || (proxy.done().len() == expected.len()).then_some(()));
        }
    }
    search.judge();
    for proxy in &search.proxies {
        assert_eq!(proxy.done(), expected);
    }
    search.end();
}

#[test]
fn while_nobody_can_connect_records_wait() {
    let Some(mut search) = Search::start() else { return };
    search.pipeline.send("before");
    search.all_arrive("a start");
    search.proxies.iter().for_each(FaultProxy::refuse);
    for _ in 0..5 {
        search.pipeline.send("while");
    }
    search.pipeline.metricast.wait_for_line("publisher=\"plain\"");
    search.pipeline.metricast.wait_for_line("publisher=\"streams\"");
    search.proxies.iter().for_each(FaultProxy::accept);
    search.all_arrive("a refusal");
    search.judge();
    search.end();
}

#[test]
fn what_is_too_large_by_itself_is_a_dead_letter_and_the_rest_arrives() {
    let Some(mut search) = Search::start() else { return };
    for proxy in &search.proxies {
        proxy.always(|request| request.text().contains("\"huge-").then_some(Fault::Status(413, RetryAfter::Unsaid)));
    }
    search.pipeline.send("small");
    search.pipeline.send("huge");
    search.pipeline.send("small");
    let huge = 15;
    search.all_but_arrive("bodies that are too large", |_| huge);
    for name in WAYS {
        wait::until("the dead letters", PATIENCE, || (search.letters(name).len() == huge).then_some(()));
        let letters = search.pipeline.dead_letters(name);
        assert!(letters.iter().all(|it| it["reason"].as_str().unwrap().contains("413")), "{}", letters[0]);
    }
    search.judge();
    search.end();
}

#[test]
fn a_stream_that_rolls_over_while_outcomes_are_in_doubt_has_every_record_once() {
    let Some(mut search) = Search::start() else { return };
    search.pipeline.send("first");
    search.all_arrive("a start");
    let stream = format!("{}-streams-event", search.prefix);
    let in_doubt = [
        Fault::ResetBeforeAnswer,
        Fault::Truncated(true),
        Fault::ResetInAnswer,
        Fault::FewerItems,
        Fault::MoreItems,
        Fault::NoItems(true),
        Fault::Malformed(true),
        Fault::ItemStatus(500),
        Fault::LateStatus(504),
        Fault::Hang(true),
    ];
    for (number, fault) in in_doubt.into_iter().enumerate() {
        // Written before the rollover, and sent again behind it.
        search.proxies[1].then_cut(fault);
        let stored = search.node.count(&stream);
        search.pipeline.send("before");
        wait::until("a write in doubt", PATIENCE, || (search.node.count(&stream) > stored).then_some(()));
        search.node.post(&format!("/{stream}/_rollover"), &json!({}));
        search.proxies[1].serve();
        search.pipeline.send("after");
        search.all_arrive(&format!("{fault:?} and a rollover"));
        let counted = search.pipeline.in_doubt("streams");
        assert!(counted > number as u64, "{fault:?}: {counted} records are counted as in doubt");
    }
    let backing = search.node.get(&format!("/_data_stream/{stream}"))["data_streams"][0]["indices"].clone();
    assert!(backing.as_array().unwrap().len() > in_doubt.len(), "{backing}");
    search.judge();
    search.end();
}

#[test]
fn it_is_left_alone_as_long_as_it_asks() {
    let Some(mut search) = Search::start() else { return };
    for wish in [RetryAfter::Seconds(2), RetryAfter::Date(2)] {
        let fault = Fault::Status(429, wish);
        search.proxies.iter().for_each(|proxy| proxy.then(fault));
        search.pipeline.send("wait");
        search.all_arrive(&format!("{fault:?}"));
        for (proxy, name) in search.proxies.iter().zip(WAYS) {
            let sent = proxy.sent();
            let refused = sent.iter().rposition(|sent| sent.fault == Some(fault)).unwrap();
            let pause = sent[refused + 1].at - sent[refused].at;
            assert!(pause >= Duration::from_secs(2), "{name} after {fault:?}: {pause:?}");
        }
    }
    search.judge();
    search.end();
}

/// What is alone in its body and is 413 by chance is a dead letter, as it should be.
#[test]
fn with_faults_and_rollovers_by_chance_every_record_is_there_once() {
    let Some(mut search) = Search::start() else { return };
    let mut random = fastrand::Rng::with_seed(seed());
    search.pipeline.send("first");
    search.all_arrive("a start");
    let faults = [Fault::passing(), vec![Fault::Hang(false), Fault::Hang(true)]].concat();
    for proxy in &search.proxies {
        proxy.by_chance(random.fork(), faults.clone());
    }
    for _ in 0..bodies(40) {
        search.pipeline.send("by-chance");
        if random.u8(..10) == 0 {
            search.node.post(&format!("/{}-streams-event/_rollover", search.prefix), &json!({}));
        }
        std::thread::sleep(Duration::from_millis(random.u64(..60)));
    }
    search.calm();
    search.all_but_arrive("faults by chance", |name| search.letters(name).len());
    search.judge();
    for (proxy, name) in search.proxies.iter().zip(WAYS) {
        assert!(!proxy.done().is_empty());
        for letter in search.pipeline.dead_letters(name) {
            assert!(letter["reason"].as_str().unwrap().contains("413"), "{letter}");
        }
    }
    search.end();
}
