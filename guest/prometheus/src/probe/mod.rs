//! What the scraping Prometheus says of itself, where the config names it.
//!
//! Here is the asking, and which questions hang on which answers; [`findings`] makes findings of answers, without I/O.

mod findings;
mod scrape_job;
mod target;

use std::time::Duration;

use metricast_aggregator::Histograms;
use metricast_sdk::http::{self, Method, Request, Timeouts};
use metricast_sdk::{Finding, Verdict};
use serde_json::Value;

use crate::clock;
use crate::options::Config;
use target::{Found, Target};

/// What the server said: its status, its clock, and the `data` of an answer that is a success.
#[derive(Debug)]
struct Answer {
    status: u16,
    date: Option<String>,
    data: Option<Value>,
}

/// Asks the server that the config names.
pub(crate) fn probe(config: &Config) -> Vec<Finding> {
    match &config.server {
        Some(server) => with(config, |path| ask(server, path), clock::now),
        None => vec![findings::no_server()],
    }
}

/// All questions together stay below the host's limit for a call.
const TIMEOUTS: Timeouts =
    Timeouts { connect: Duration::from_secs(3), first_byte: Duration::from_secs(5), total: Duration::from_secs(5) };

/// A question to the server, by its path in the API (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
fn ask(server: &str, path: &str) -> Result<Answer, http::Error> {
    let url = format!("{}/api/v1/{path}", server.trim_end_matches('/'));
    let response = Request::new(Method::Get, &url).timeouts(TIMEOUTS).send()?;
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let data = body.filter(|_| response.is_success()).and_then(|mut body| Some(body.get_mut("data")?.take()));
    Ok(Answer { status: response.status, date: response.header("date").map(str::to_owned), data })
}

/// The findings of what `ask` answers; `now` is asked when an answer has come, seconds since the Unix epoch.
fn with(config: &Config, ask: impl Fn(&str) -> Result<Answer, http::Error>, now: impl Fn() -> f64) -> Vec<Finding> {
    let build = ask("status/buildinfo");
    let clock = build.as_ref().ok().and_then(|answer| findings::clock(answer.date.as_deref()?, now()));
    let mut findings = vec![findings::reachable(&build)];
    let Some(build) = build.ok().and_then(|answer| answer.data) else { return findings };
    findings.push(findings::version(&build));
    findings.extend(clock);

    let data = |path: &str| ask(path).ok().and_then(|answer| answer.data);
    let flags = data("status/flags");
    let features = flags.as_ref().and_then(|flags| flags["enable-feature"].as_str());
    match data("targets?state=active").map(|targets| target::find(&targets, config)) {
        None => findings.push(findings::not_answered("target", "targets")),
        Some(found) => {
            findings.push(findings::target(&found, config));
            if let Found::One(target) = found
                && config.histograms != Histograms::Classic
            {
                findings.extend(of_job(config.histograms, &target, data("status/config").as_ref(), features));
            }
        }
    }
    findings.push(findings::first_values(features, config));
    findings
}

/// What hangs on the job that scrapes the target, by the answer to `status/config`.
fn of_job(wanted: Histograms, target: &Target, config: Option<&Value>, features: Option<&str>) -> Vec<Finding> {
    let yaml = config.and_then(|data| data["yaml"].as_str());
    let job = yaml.map(|yaml| scrape_job::read(yaml, &target.job)).unwrap_or_default();
    findings::histograms(wanted, target, &job, features)
}

/// One that is as it should be.
fn good(question: &str, answer: impl Into<String>) -> Finding {
    finding(question, Verdict::Good, answer, "")
}

fn finding(question: &str, verdict: Verdict, answer: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { of: String::new(), question: question.to_owned(), verdict, answer: answer.into(), fix: fix.into() }
}

#[cfg(test)]
mod tests;
