//! How the cluster stands: asked host by host, then of the cluster as a whole. It changes nothing there.

use std::time::{SystemTime, UNIX_EPOCH};

use metricast_sdk::http::Response;
use metricast_sdk::{Deadline, Finding, PublishError, Verdict};
use serde::Deserialize;
use serde_json::Value;

use crate::cause::refusal;
use crate::client::{Ask, Client, Failure};
use crate::collision;
use crate::engine::Engine;
use crate::options::Options;
use crate::retention;
use crate::setup;
use crate::template::{Standing, Template};

/// Beyond it documents seem to come late or from the future, seconds.
const SKEW: f64 = 5.0;

/// Asks.
pub(crate) fn findings(options: &Options) -> Vec<Finding> {
    let mut probe = Probe {
        client: Client::new(options),
        options,
        deadline: Deadline::new(),
        findings: Vec::new(),
        of: String::new(),
    };
    let engines: Vec<_> = (0..probe.client.hosts()).filter_map(|at| probe.host(at)).collect();
    probe.of = String::new();
    if let Some(engine) = engines.first() {
        probe.others_stand_in();
        probe.cluster(*engine);
    }
    probe.findings
}

struct Probe<'a> {
    client: Client,
    options: &'a Options,
    deadline: Deadline,
    findings: Vec<Finding>,
    /// What is asked of now.
    of: String,
}

impl Probe<'_> {
    fn say(&mut self, question: &str, verdict: Verdict, answer: impl Into<String>, fix: &str) {
        let (of, question, answer) = (self.of.clone(), question.to_owned(), answer.into());
        self.findings.push(Finding { of, question, verdict, answer, fix: fix.to_owned() });
    }

    /// One of several hosts that is away keeps no record from arriving.
    fn others_stand_in(&mut self) {
        for finding in self.findings.iter_mut().filter(|it| it.question == "reachable" && it.verdict == Verdict::Bad) {
            finding.verdict = Verdict::Warning;
        }
    }

    /// One host; which server it is, where it is one.
    fn host(&mut self, at: usize) -> Option<Engine> {
        self.client.url(at).clone_into(&mut self.of);
        let response = match self.client.send_to(at, &Ask::get("/"), self.deadline) {
            Ok(response) => response,
            Err(failure) => {
                let reason = match failure {
                    Failure::NotSent(error) => error.to_string(),
                    Failure::InDoubt(reason) => reason,
                };
                self.say(
                    "reachable",
                    Verdict::Bad,
                    reason,
                    "see that the address and port are right, and that the server runs and lets this machine in",
                );
                return None;
            }
        };
        self.say("reachable", Verdict::Good, "yes", "");
        let engine = self.server(&response)?;
        self.clock(at, &response);
        Some(engine)
    }

    fn server(&mut self, response: &Response) -> Option<Engine> {
        let engine = Engine::of_response(response);
        match &engine {
            Err(PublishError::Unauthorized(told)) => {
                let fix = "set api_key, basic or bearer to credentials that hold; metricast check --print role and --print \
                           api-key show what they must allow";
                self.say("credentials", Verdict::Bad, told.clone(), fix);
            }
            Err(error) => {
                let fix = "write the address of the cluster's HTTP API into hosts";
                self.say("server", Verdict::Bad, error.to_string(), fix);
            }
            Ok(_) if response.status == 403 => {
                let fix =
                    "allow the cluster privilege monitor: without it documents are written as any server takes them";
                self.say("credentials", Verdict::Warning, "taken, and may not ask for the version", fix);
            }
            Ok(engine) => {
                let given = self.options.authorization.is_some();
                let answer = if given { "taken" } else { "none, and none are asked for" };
                self.say("credentials", Verdict::Good, answer, "");
                self.say("version", Verdict::Good, engine.named(response), "");
            }
        }
        engine.ok()
    }

    /// By the `Date` of the answer where there is one; these servers send none by themselves and are asked for the time.
    fn clock(&mut self, at: usize, response: &Response) {
        let stated = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let theirs = match stated {
            Some(date) => date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64()),
            None => self.asked_time(at),
        };
        let Some(theirs) = theirs else {
            return self.say(
                "clock",
                Verdict::Unknown,
                "the server does not tell the time",
                "allow the cluster privilege monitor to have it compared",
            );
        };
        // The server's time has whole seconds: half of one is the best guess for the rest.
        let skew = now() - (theirs + 0.5);
        if skew.abs() > SKEW {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            let answer = format!("this machine is {:.0} s {side} the server", skew.abs());
            self.say(
                "clock",
                Verdict::Warning,
                answer,
                "set both clocks by NTP: times of documents are those of the records",
            );
        } else {
            self.say("clock", Verdict::Good, format!("the same as here within {SKEW:.0} s"), "");
        }
    }

    fn asked_time(&mut self, at: usize) -> Option<f64> {
        #[derive(Deserialize)]
        struct Health {
            epoch: String,
        }
        let response = self.client.send_to(at, &Ask::get("/_cat/health?format=json&h=epoch"), self.deadline).ok()?;
        let health: Vec<Health> = serde_json::from_slice(&response.body).ok()?;
        health.first()?.epoch.parse().ok()
    }

    fn cluster(&mut self, engine: Engine) {
        let can_keep = retention::check(self.options, engine)
            .and_then(|()| retention::find(&mut self.client, self.options, engine, self.deadline));
        if let Err(error) = can_keep {
            self.say("retention", Verdict::Bad, error.to_string(), "leave the key retention out");
        }
        self.template(engine);
        for stream in [&self.options.layout.event, &self.options.layout.network] {
            self.of.clone_from(stream);
            if self.options.layout.daily {
                self.blocks(&format!("{stream}-*"));
            } else if self.stream(stream) {
                self.blocks(stream);
            }
        }
    }

    fn template(&mut self, engine: Engine) {
        let ours = Template::new(self.options, engine);
        let manages = self.options.manage_template;
        let (verdict, answer, fix) = match setup::find_template(&mut self.client, &ours.name, self.deadline) {
            Ok(there) => of_template(&ours.name, there.map(|there| ours.against(&there)), manages),
            Err(error) if manages => (
                Verdict::Bad,
                error.to_string(),
                "allow what metricast check --print role shows, or write manage_template = false",
            ),
            Err(error) => {
                (Verdict::Unknown, error.to_string(), "see that a person has put it: metricast check --print template")
            }
        };
        self.say("template", verdict, answer, fix);
        if let Err(error) = collision::check(&mut self.client, &self.options.layout, self.deadline) {
            let fix = "lower the priority of that template or narrow its patterns";
            self.say("template in force", Verdict::Bad, error.to_string(), fix);
        }
    }

    /// Whether it is a data stream.
    fn stream(&mut self, stream: &str) -> bool {
        let path = format!("/_resolve/index/{stream}");
        let response = match self.client.send(&Ask::get(&path), self.deadline) {
            Ok(response) => response,
            Err(failure) => {
                self.say("stream", Verdict::Unknown, PublishError::from(failure).to_string(), "ask again");
                return false;
            }
        };
        let is = setup::Kind::of(&response);
        match is {
            Some(setup::Kind::DataStream) => self.say("stream", Verdict::Good, "a data stream", ""),
            Some(setup::Kind::Absent) => self.say("stream", Verdict::Good, "not there yet, and made at the start", ""),
            Some(kind) => self.say(
                "stream",
                Verdict::Bad,
                format!("{kind}, where a data stream must be"),
                "choose another name, or move what is there out of the way",
            ),
            None => self.say(
                "stream",
                Verdict::Unknown,
                refusal(&format!("GET {path}"), &response).to_string(),
                "allow the index privilege view_index_metadata",
            ),
        }
        is == Some(setup::Kind::DataStream)
    }

    fn blocks(&mut self, index: &str) {
        let path = format!("/{index}/_settings/index.blocks.*?flat_settings=true");
        let Ok(response) = self.client.send(&Ask::get(&path), self.deadline) else { return };
        if !response.is_success() {
            return self.say(
                "blocks",
                Verdict::Unknown,
                refusal(&format!("GET {path}"), &response).to_string(),
                "allow the index privilege view_index_metadata",
            );
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let settings = body.as_object().into_iter().flatten().filter_map(|(_, index)| index["settings"].as_object());
        let mut blocks: Vec<String> =
            settings.flatten().filter(|(_, value)| *value == "true").map(|(name, _)| name.clone()).collect();
        blocks.sort();
        blocks.dedup();
        match blocks.first() {
            None => self.say("blocks", Verdict::Good, "none", ""),
            Some(block) if block.ends_with("read_only_allow_delete") => {
                self.say(
                    "blocks",
                    Verdict::Bad,
                    blocks.join(", "),
                    "make room on the nodes' disks: the server lifts this block by itself then",
                );
            }
            Some(_) => self.say("blocks", Verdict::Bad, blocks.join(", "), "set them to null in the index's settings"),
        }
    }
}

/// How the template stands: verdict, answer and fix.
fn of_template(name: &str, there: Option<Standing>, manages: bool) -> (Verdict, String, &'static str) {
    let by_hand = "put it: metricast check --print template (or template-opensearch), or write manage_template = true";
    let (verdict, answer, fix) = match there {
        None if manages => (Verdict::Good, "is missing, and is put at the start".to_owned(), ""),
        None => (Verdict::Bad, "is missing".to_owned(), by_hand),
        Some(Standing::Same) => (Verdict::Good, "is there".to_owned(), ""),
        Some(Standing::Outdated) if manages => {
            (Verdict::Good, "is of another config or version, and is put anew at the start".to_owned(), "")
        }
        Some(Standing::Outdated) => (Verdict::Warning, "is of another config or version".to_owned(), by_hand),
        Some(Standing::Edited(parts)) => (
            Verdict::Warning,
            format!("differs from what metricast puts: {}", parts.join(", ")),
            "leave it if that was meant; else delete it, and it is put anew",
        ),
        Some(Standing::Newer) => {
            (Verdict::Warning, "is of a newer metricast, and is left as it is".to_owned(), "update this metricast")
        }
        Some(Standing::Foreign) => (
            Verdict::Warning,
            "is not of metricast's making, and is left as it is".to_owned(),
            "see that it maps what metricast check --print template shows",
        ),
    };
    (verdict, format!("{name} {answer}"), fix)
}

#[expect(clippy::disallowed_methods, reason = "only a probe asks for the time of day, to compare it with the server's")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
