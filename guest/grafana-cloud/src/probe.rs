//! How a signal's way stands: where it goes, and whether the receiver there takes the token.
//!
//! The receiver is asked with a push that has nothing in it, which receivers check as any other and store nothing of.
//! What is special to a signal is that signal's: `metrics::probe`, `logs::probe`.

use std::time::UNIX_EPOCH;

use metricast_sdk::http::Response;
use metricast_sdk::{Deadline, Finding, PublishError, Verdict};

use crate::cause::told;
use crate::client::Ask;
use crate::clock;
use crate::discovery::Directory;
use crate::logs;
use crate::metrics;
use crate::options::{Config, Options, Signal};
use crate::place::{self, Place, Target};

/// Beyond it a receiver may refuse samples as too old or too new, milliseconds.
const SKEW: i64 = 5_000;

/// Asks, signal by signal.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let signals = config.checked_signals().unwrap_or_default();
    let several = signals.len() > 1;
    let of = |signal: &Signal| {
        let Ok(options) = config.options(*signal) else { return Vec::new() };
        let of = if several { signal.name().to_owned() } else { String::new() };
        Probe { options: &options, deadline: Deadline::new(), of, findings: Vec::new() }.run()
    };
    signals.iter().flat_map(of).collect()
}

/// One signal's questions.
pub(crate) struct Probe<'a> {
    pub(crate) options: &'a Options,
    pub(crate) deadline: Deadline,
    of: String,
    findings: Vec<Finding>,
}

impl Probe<'_> {
    fn run(mut self) -> Vec<Finding> {
        if let Some(target) = self.endpoint() {
            self.privacy(&target);
            match self.options.signal {
                Signal::Metrics => metrics::probe::ask(&mut self, &target),
                Signal::Logs => logs::probe::ask(&mut self, &target),
            }
        }
        if self.options.signal == Signal::Metrics {
            self.instance();
        }
        self.findings
    }

    pub(crate) fn say(&mut self, question: &str, verdict: Verdict, answer: impl Into<String>, fix: impl Into<String>) {
        let (of, question) = (self.of.clone(), question.to_owned());
        self.findings.push(Finding { of, question, verdict, answer: answer.into(), fix: fix.into() });
    }

    /// Where it goes; none where that cannot be found out.
    fn endpoint(&mut self) -> Option<Target> {
        let mut directory = Directory::new(self.options, None);
        let (keys, tile) = (place::keys(self.options.signal), place::tile(self.options.signal, self.options.protocol));
        match directory.target(self.options, self.deadline) {
            Ok(target) => {
                let how = if matches!(self.options.place, Place::Written(_)) { "as written" } else { "found" };
                let user = target.user.as_ref().map_or_else(String::new, |user| format!(", user {user}"));
                let (target, answer) = (target.clone(), format!("{}{user}, {how}", target.url));
                self.say("endpoint", Verdict::Good, answer, "");
                Some(target)
            }
            Err(PublishError::Unauthorized(told)) => {
                let fix = format!("let the token ask (stacks:read), or write {keys}: {tile}");
                self.say("endpoint", Verdict::Bad, told, fix);
                None
            }
            Err(error) => {
                let fix = format!("put right what the answer names, or write {keys}: {tile}");
                self.say("endpoint", Verdict::Bad, error.to_string(), fix);
                None
            }
        }
    }

    fn privacy(&mut self, target: &Target) {
        if self.options.api_key.is_some() && !target.url.is_private() {
            let answer = format!("the token goes to {} in the clear", target.url);
            self.say("privacy", Verdict::Warning, answer, "write an https address: whoever is on the way can read it");
        }
    }

    /// Sends a push with nothing in it; what the receiver said, where it let the token in.
    pub(crate) fn receiver(&mut self, ask: &Ask<'_>) -> Option<Response> {
        let response = match ask.send(self.deadline) {
            Ok(response) => response,
            Err(error) => {
                let fix = "see that the address and port are right, and that the server runs and lets this machine in";
                self.say("reachable", Verdict::Bad, error.to_string(), fix);
                return None;
            }
        };
        self.say("reachable", Verdict::Good, "yes", "");
        if matches!(response.status, 401 | 403) {
            let scope = place::scope(self.options.signal);
            let fix = format!(
                "the user is the receiver's instance id, not the organisation's number; the token's access policy needs the \
                 scope {scope}, and the stack in its realm: metricast check --print access-policy"
            );
            self.say("credentials", Verdict::Bad, told(&response), fix);
            return None;
        }
        self.clock(&response);
        Some(response)
    }

    /// By the `Date` of the answer, which has whole seconds: half of one is the best guess for the rest.
    fn clock(&mut self, response: &Response) {
        let stated = response.header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let Some(theirs) = stated.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) else { return };
        let skew = clock::now_millis() - (i64::try_from(theirs.as_millis()).unwrap_or(i64::MAX) + 500);
        if skew.abs() <= SKEW {
            return self.say("clock", Verdict::Good, format!("the same as here within {} s", SKEW / 1000), "");
        }
        let side = if skew > 0 { "ahead of" } else { "behind" };
        let answer = format!("this machine is {} s {side} the receiver", skew.abs() / 1000);
        self.say("clock", Verdict::Warning, answer, "set both clocks by NTP: samples have the time of this machine");
    }

    fn instance(&mut self) {
        if self.options.who.is_nameless() {
            let answer = "neither instance nor host is known: all that push so have the instance `metricast`";
            self.say("instance", Verdict::Warning, answer, "write instance, another one for each metricast");
        }
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
