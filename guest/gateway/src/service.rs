//! The requests that a gateway answers, and the publisher that it keeps from one to the next.
//!
//! A publisher that could not bring everything to its backend is dropped with all it holds: its sender hears so and
//! sends again, and what was kept would count or arrive twice. One that keeps state and took nothing of the request
//! goes on.

use std::cell::RefCell;

use metricast_records::body;
use metricast_records::problem::{Problem, RECORDS};
use serde_json::json;

use crate::answer::{Answer, Counts, Trouble};
use crate::config::{Config, VARIABLE};
use crate::delivery::{Delivery, deliver};
use crate::epoch;
use crate::intake::Intake;
use crate::packed::packed;
use crate::publisher::{Profile, PublishError, Publisher, Surroundings};
use crate::request::Head;

const HEALTH: &str = "/healthz";
const METRICS: &str = "/metrics";
/// What there is.
const THERE: &str = "POST /v1/records takes records, GET /healthz says whether it can, GET /metrics is for scrapes";

/// What a request needs next.
#[derive(Debug)]
pub enum Next {
    /// Nothing.
    Answer(Answer),
    /// Its body.
    Body(Intake),
}

/// The gateway.
pub struct Service<S: Surroundings> {
    surroundings: S,
    /// Empty while a request has it: a host that runs two at once opens another.
    open: RefCell<Option<Open<S::Publisher>>>,
}

struct Open<P> {
    publisher: P,
    profile: Profile,
    config: Config,
    epoch: String,
    /// Where the next record comes to stand.
    next: u64,
}

impl<S: Surroundings> Service<S> {
    /// One that opens its publisher when the first records come.
    pub fn new(surroundings: S) -> Self {
        Self { surroundings, open: RefCell::new(None) }
    }

    /// What can be said by the head of a request.
    pub fn begin(&self, head: &Head) -> Next {
        let get = || match head.method.as_str() {
            "GET" | "HEAD" => Ok(()),
            _ => Err(wrong_method(head, "GET, HEAD", "it is read by GET")),
        };
        let next = match head.path.as_str() {
            RECORDS if head.method == "POST" => Intake::expect(head).map(Next::Body),
            RECORDS => Err(wrong_method(head, "POST", "records come by POST")),
            HEALTH => get().map(|()| Next::Answer(self.health())),
            METRICS => get().map(|()| Next::Answer(self.metrics(head))),
            _ => Err(Problem::Elsewhere { method: head.method.clone(), path: head.path.clone(), there: THERE }),
        };
        next.unwrap_or_else(|problem| Next::Answer(Answer::from(&problem)))
    }

    /// Takes the records of a body.
    pub fn records(&self, head: &Head, bytes: Vec<u8>) -> Answer {
        let mut read = match body::take(&bytes, head.text("content-type"), self.surroundings.time()) {
            Ok(read) => read,
            Err(unknown) => return Answer::from(&Problem::from(unknown)),
        };
        let keyed = head.all("idempotency-key").next().map(|key| epoch::keyed(key, &bytes));
        drop(bytes);
        let batch = std::mem::take(&mut read.records).finish();
        let mut counts = Counts { refused: read.refused, refused_unlisted: read.unlisted, ..Counts::default() };
        if batch.is_empty() {
            return counts.answer();
        }
        let mut open = match self.opened() {
            Ok(open) => open,
            Err(trouble) => {
                counts.pending = batch.len() as u64;
                return self.fail(&trouble, &counts);
            }
        };
        let records = batch.len() as u64;
        // What keeps state counts by one run of offsets.
        let (batch, first) = match keyed.filter(|_| !open.profile.stateful) {
            Some(epoch) => (batch.placed(&epoch, 0).with_redelivered(true), 0),
            None => (batch.placed(&open.epoch, open.next), open.next),
        };
        open.next += records;
        let delivery = deliver(&self.surroundings, &open.publisher, &batch);
        drop(batch);
        let line = |offset: u64| u64::from(read.lines[(offset - first) as usize]);
        self.conclude(delivery, counts, records, open, line)
    }

    fn conclude(
        &self,
        delivery: Delivery,
        mut counts: Counts,
        records: u64,
        open: Open<S::Publisher>,
        line: impl Fn(u64) -> u64,
    ) -> Answer {
        let Delivery { accepted, rejected, strays, trouble, touched } = delivery;
        for reason in strays {
            let reason = open.config.hide(&reason);
            self.surroundings.log(&format!("warn: a record of an earlier request was given up: {reason}"));
        }
        counts.accepted = accepted;
        let mut rejected: Vec<_> = rejected.into_iter().map(|(offset, reason)| (line(offset), reason)).collect();
        rejected.sort();
        let mut lines: Vec<_> = rejected.iter().map(|(line, _)| *line).collect();
        lines.dedup();
        counts.pending = records.saturating_sub(accepted + lines.len() as u64);
        for (line, reason) in rejected {
            counts.reject(line, open.config.hide(&reason));
        }
        let Some(error) = trouble else {
            self.open.replace(Some(open));
            return counts.answer();
        };
        let trouble = told_of(error, &open.config);
        if open.profile.stateful && !touched {
            self.open.replace(Some(open));
        } else if touched {
            self.surroundings.log("warn: the publisher is closed: what it holds of a request is to be sent again");
        }
        let trouble = trouble.told(|text| format!("{}; {}", text.trim_end_matches('.'), told_stored(&counts)));
        self.fail(&trouble, &counts)
    }

    fn fail(&self, trouble: &Trouble, counts: &Counts) -> Answer {
        self.surroundings.log(&format!("error: {}", trouble.detail()));
        trouble.answer(Some(counts))
    }

    /// The publisher, from the request before or new.
    fn opened(&self) -> Result<Open<S::Publisher>, Trouble> {
        if let Some(open) = self.open.take() {
            return Ok(open);
        }
        let (config, is_given) = self.config()?;
        let publisher = self
            .surroundings
            .open(config.json())
            .map_err(|error| told_of(error, &config).told(|text| told_opening(text, is_given)))?;
        let profile = publisher.profile();
        Ok(Open { publisher, profile, config, epoch: epoch::named(self.surroundings.random()), next: 0 })
    }

    fn config(&self) -> Result<(Config, bool), Trouble> {
        Config::find(&self.surroundings).map_err(|error| Trouble::of(PublishError::Misconfigured(error.to_string())))
    }

    /// Without I/O: a backend that is away is told to who sends records.
    fn health(&self) -> Answer {
        let checked = self.config().and_then(|(config, is_given)| {
            self.surroundings
                .check(config.json())
                .map_err(|error| told_of(error, &config).told(|text| told_opening(text, is_given)))
        });
        let (name, version) = self.surroundings.plugin();
        match checked {
            Ok(()) => Answer::json(200, &json!({ "status": "ok", "plugin": name, "version": version })),
            Err(trouble) => trouble.answer(None),
        }
    }

    fn metrics(&self, head: &Head) -> Answer {
        let open = match self.opened() {
            Ok(open) => open,
            Err(trouble) => return trouble.answer(None),
        };
        let exposition =
            if open.profile.scrapes { open.publisher.scrape(head.text("accept").unwrap_or_default()) } else { None };
        self.open.replace(Some(open));
        let Some(exposition) = exposition else {
            let detail = format!("{} sends its records on and has nothing to scrape", self.surroundings.plugin().0);
            return Answer::problem(404, "not found", &detail);
        };
        let headers = vec![("content-type", exposition.content_type)];
        packed(head, Answer { status: 200, headers, body: exposition.body })
    }
}

fn wrong_method(head: &Head, allow: &'static str, instead: &'static str) -> Problem {
    Problem::WrongMethod { method: head.method.clone(), allow, instead }
}

/// In the publisher's words, without secrets.
fn told_of(error: PublishError, config: &Config) -> Trouble {
    let is_refused = matches!(error, PublishError::Unauthorized(_));
    Trouble::of(error).told(|text| {
        let text = config.hide(text);
        if is_refused { config.name_keys(&text) } else { text }
    })
}

fn told_opening(text: &str, is_given: bool) -> String {
    if is_given {
        return text.to_owned();
    }
    format!(
        "no config is given: set the environment variable {VARIABLE} to the plugin's config as a JSON object, or put it into the component with metricast compose --serve PLUGIN --config FILE; the plugin says: {text}"
    )
}

/// What is in doubt may be stored: nothing is said against it.
fn told_stored(counts: &Counts) -> String {
    match (counts.accepted, counts.pending) {
        (0, _) => "nothing of the body is known to be stored: send it again".to_owned(),
        (stored, pending) => format!(
            "records stored: {stored}, not or not for certain: {pending}; send the body again, and what was stored may come to stand twice"
        ),
    }
}
