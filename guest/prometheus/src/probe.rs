//! What a Prometheus server says of itself and of its scrapes, where the config names one.
//!
//! The plugin is scraped and reaches nobody by itself, so this is for `check --online` alone. Everything is read off
//! the server's HTTP API (<https://prometheus.io/docs/prometheus/latest/querying/api/>); the settings of the scrape are
//! those of its whole configuration, which the server writes out line by line with all defaults.

use std::time::{Duration, UNIX_EPOCH};

use metricast_sdk::http::{Method, Request, Response, Timeouts};
use metricast_sdk::{Finding, Verdict};
use metricast_series::HistogramForm;
use serde_json::Value;

use crate::clock;
use crate::options::Config;
use crate::snippet;

/// Clocks that differ by less cannot be told from a slow answer.
const SKEW: f64 = 5.0;

const ZERO_INGESTION: &str = "created-timestamp-zero-ingestion";

const PASTE: &str = "paste the snippet scrape-config into prometheus.yml and reload it";

/// What can be found out about the server that `config` names.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let Some(server) = &config.server else {
        let fix = "name your Prometheus with the key `server`, such as \"http://127.0.0.1:9090\", and check again; \
                   the plugin itself works without";
        return vec![finding("", "scraped", Verdict::Unknown, "no Prometheus is named that could be asked", fix)];
    };
    Probe { config, server: server.trim_end_matches('/'), now: clock::now(), get: &get }.findings()
}

fn get(url: &str) -> Result<Response, String> {
    let total = Duration::from_secs(5);
    let timeouts = Timeouts { connect: Duration::from_secs(3), first_byte: total, total };
    Request::new(Method::Get, url).timeouts(timeouts).send().map_err(|error| error.to_string())
}

fn finding(of: &str, question: &str, verdict: Verdict, answer: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { of: of.to_owned(), question: question.to_owned(), verdict, answer: answer.into(), fix: fix.into() }
}

struct Probe<'a> {
    config: &'a Config,
    server: &'a str,
    now: f64,
    get: &'a dyn Fn(&str) -> Result<Response, String>,
}

/// A target of the server.
struct Target {
    pool: String,
    url: String,
    health: String,
    error: String,
}

impl Probe<'_> {
    fn findings(&self) -> Vec<Finding> {
        let response = match self.ask("status/buildinfo") {
            Ok(response) => response,
            Err(fault) => return vec![fault],
        };
        let version = text(&data(&response)["version"]);
        let version = if version.is_empty() { "of an unnamed version".to_owned() } else { version };
        let mut findings = vec![self.finding("reachable", Verdict::Good, format!("Prometheus {version}"), "")];
        findings.extend(self.clock(&response));
        let target = match self.ask("targets?state=active") {
            Ok(response) => self.target(&data(&response)),
            Err(fault) => {
                findings.push(fault);
                return findings;
            }
        };
        findings.push(self.scraped(target.as_ref()));
        if let Some(target) = &target {
            findings.extend(self.native(&target.pool));
        }
        findings.push(self.first_values());
        findings
    }

    fn finding(&self, question: &str, verdict: Verdict, answer: impl Into<String>, fix: impl Into<String>) -> Finding {
        finding(self.server, question, verdict, answer, fix)
    }

    /// The answer of an endpoint, or what it says that there is none.
    fn ask(&self, endpoint: &str) -> Result<Response, Finding> {
        let bad = |verdict, answer, fix: &str| Err(self.finding("reachable", verdict, answer, fix));
        match (self.get)(&format!("{}/api/v1/{endpoint}", self.server)) {
            Err(error) => bad(Verdict::Bad, error, "start it, or correct `server`"),
            Ok(response) if response.is_success() => Ok(response),
            Ok(Response { status: status @ (401 | 403), .. }) => {
                let fix = "name an address in `server` that asks for no credentials; scrapes do not need it";
                bad(Verdict::Unknown, format!("it answers {status}: it wants credentials"), fix)
            }
            Ok(Response { status, .. }) => {
                let answer = format!("/api/v1/{endpoint} answers {status}");
                bad(Verdict::Unknown, answer, "`server` is a Prometheus' address, with the prefix that its pages have")
            }
        }
    }

    fn clock(&self, response: &Response) -> Option<Finding> {
        let theirs = httpdate::parse_http_date(response.header("date")?).ok()?.duration_since(UNIX_EPOCH).ok()?;
        let ahead = theirs.as_secs_f64() - self.now;
        if ahead.abs() < SKEW {
            return Some(self.finding("clock", Verdict::Good, "the clocks agree", ""));
        }
        let way = if ahead > 0.0 { "ahead of" } else { "behind" };
        let answer = format!("its clock is {:.0} s {way} this one", ahead.abs());
        Some(self.finding("clock", Verdict::Warning, answer, "set both clocks by NTP: times on graphs are off by that"))
    }

    /// The target that is this publisher: by job and port, else by job, else by port.
    fn target(&self, data: &Value) -> Option<Target> {
        let (job, port) = (snippet::job(self.config), format!(":{}/", self.config.port));
        let targets = data["activeTargets"].as_array().into_iter().flatten();
        let likeness = |target: &Value| {
            let has_port = text(&target["scrapeUrl"]).contains(&port);
            u8::from(target["labels"]["job"] == job.as_str()) * 2 + u8::from(has_port)
        };
        let (likeness, found) =
            targets.map(|target| (likeness(target), target)).max_by_key(|(likeness, _)| *likeness)?;
        (likeness > 0).then(|| Target {
            pool: text(&found["scrapePool"]),
            url: text(&found["scrapeUrl"]),
            health: text(&found["health"]),
            error: text(&found["lastError"]),
        })
    }

    fn scraped(&self, target: Option<&Target>) -> Finding {
        let of = |verdict, answer: String, fix: &str| self.finding("scraped", verdict, answer, fix);
        let Some(Target { pool, url, health, error }) = target else {
            let (job, port) = (snippet::job(self.config), self.config.port);
            let answer = format!("it has no target of the job {job}, and none at port {port}");
            return of(Verdict::Bad, answer, PASTE);
        };
        match health.as_str() {
            "up" => of(Verdict::Good, format!("{url} is up, in the job {pool}"), ""),
            "down" => {
                let fix =
                    "start `metricast run`; where it runs, its `listen` must be an address that Prometheus reaches";
                of(Verdict::Warning, format!("{url} is down: {error}"), fix)
            }
            _ => of(Verdict::Unknown, format!("{url} was not scraped yet"), "wait for a scrape and check again"),
        }
    }

    /// Where the config has native histograms, whether they are asked for.
    fn native(&self, pool: &str) -> Option<Finding> {
        let form = HistogramForm::from(self.config.histograms);
        if form == HistogramForm::Classic {
            return None;
        }
        let of = |verdict, answer: &str, fix: &str| Some(self.finding("native histograms", verdict, answer, fix));
        let response = match self.ask("status/config") {
            Ok(response) => response,
            Err(fault) => return Some(fault),
        };
        let config = text(&data(&response)["yaml"]);
        let Some(job) = job_of(&config, pool) else {
            return of(Verdict::Unknown, "the job is not in the configuration that it shows", PASTE);
        };
        let has = |line: &str| job.iter().any(|known| known.trim() == line);
        if !has("scrape_native_histograms: true") {
            return of(Verdict::Warning, "it does not scrape them, and takes classic ones", PASTE);
        }
        if !has("- PrometheusProto") {
            return of(
                Verdict::Warning,
                "scrape_protocols has no PrometheusProto, and no other format has them",
                PASTE,
            );
        }
        if form == HistogramForm::Both && !has("always_scrape_classic_histograms: true") {
            return of(Verdict::Warning, "it scrapes them, and drops the classic ones that come beside them", PASTE);
        }
        of(Verdict::Good, "it scrapes them", "")
    }

    /// Whether `increase()` sees what a series had when it was scraped first.
    fn first_values(&self) -> Finding {
        let of = |verdict, answer: &str, fix: &str| self.finding("first values", verdict, answer, fix);
        if self.config.hold_new_series.is_some() {
            return of(Verdict::Good, "new series are held at 0 until scrapes have seen them", "");
        }
        let response = match self.ask("status/flags") {
            Ok(response) => response,
            Err(fault) => return fault,
        };
        let features = text(&data(&response)["enable-feature"]);
        if features.split(',').any(|feature| feature.trim() == ZERO_INGESTION) {
            return of(Verdict::Good, "it takes start timestamps as zeros, if it scrapes protobuf", "");
        }
        let fix = "set hold_new_series, to twice the scrape interval or more";
        of(Verdict::Warning, "increase() does not see what a new series has at its first scrape", fix)
    }
}

fn data(response: &Response) -> Value {
    serde_json::from_slice::<Value>(&response.body).map_or(Value::Null, |mut answer| answer["data"].take())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The lines of a job in a configuration as the server writes it: a list item of no indentation.
fn job_of<'a>(config: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let mut lines = config.lines().skip_while(|line| {
        let written = line.strip_prefix("- job_name: ").unwrap_or_default();
        written.is_empty() || written.trim_matches(['"', '\'']) != name
    });
    lines.next()?;
    Some(lines.take_while(|line| line.starts_with(' ')).collect())
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
