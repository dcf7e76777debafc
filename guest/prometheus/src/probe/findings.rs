//! From the server's answers to findings.

use std::time::UNIX_EPOCH;

use metricast_aggregator::Histograms;
use metricast_sdk::{Finding, Verdict, http};
use serde_json::Value;

use super::scrape_job::ScrapeJob;
use super::target::{Found, Target};
use super::{Answer, finding, good};
use crate::options::Config;

/// Seconds; beyond them a clock is wrong, and not only the header without fractions or the answer slow.
const MOST_SKEW: f64 = 5.0;

/// The oldest version that this is made for: the first that knows native histograms.
const OLDEST: (u32, u32) = (2, 40);

const PROTOBUF: &str = "PrometheusProto";

const PRINT: &str = "`metricast check --print-scrape-config` prints the job as it should be";

pub(super) fn no_server() -> Finding {
    let fix = "To have it asked, name it in this publisher's config: server = \"http://127.0.0.1:9090\"";
    finding("server", Verdict::Unknown, "the config does not say which Prometheus scrapes", fix)
}

pub(super) fn not_answered(question: &str, path: &str) -> Finding {
    let fix = "Look at the server itself, or whether something before it lets only a part of its API through";
    finding(question, Verdict::Unknown, format!("/api/v1/{path} has no answer that can be read"), fix)
}

/// Of the first answer.
pub(super) fn reachable(answer: &Result<Answer, http::Error>) -> Finding {
    // Scrapes come from the server: that it is not reached from here keeps no record from arriving.
    let unknown = |answer: String, fix: &str| finding("reachable", Verdict::Unknown, answer, fix);
    match answer {
        Err(error) => unknown(error.to_string(), "Start the server, or correct `server`"),
        Ok(Answer { status: status @ (401 | 403), .. }) => finding(
            "credentials",
            Verdict::Unknown,
            format!("the server wants credentials ({status})"),
            "Give an address of the server that wants none, or leave `server` out: scrapes do not depend on it",
        ),
        Ok(Answer { status, data: None, .. }) => unknown(
            format!("what answers is no Prometheus: /api/v1/status/buildinfo gives {status}"),
            "`server` is the address of its web page, with the path under which it is served if it has one",
        ),
        Ok(_) => good("reachable", "it answers, and wants no credentials"),
    }
}

/// Of `status/buildinfo`.
pub(super) fn version(build: &Value) -> Finding {
    let version = build["version"].as_str().unwrap_or_default();
    match numbers(version) {
        None => {
            let answer = if version.is_empty() { "it does not say".to_owned() } else { format!("it says {version}") };
            finding("version", Verdict::Unknown, answer, "Nothing, if it is Prometheus 2.40 or newer")
        }
        Some(found) if found < OLDEST => {
            let fix = "Use Prometheus 2.40 or newer: older ones are not tested, and have no native histograms";
            finding("version", Verdict::Warning, version, fix)
        }
        Some(_) => good("version", version),
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Of a `Date` header; none where it is no date.
pub(super) fn clock(date: &str, now: f64) -> Option<Finding> {
    let theirs = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    // The header's second has begun and not ended.
    let ahead = theirs + 0.5 - now;
    if ahead.abs() <= MOST_SKEW {
        return Some(good("clock", "within 5 s of this machine's"));
    }
    let (seconds, side) = (ahead.abs(), if ahead > 0.0 { "ahead of" } else { "behind" });
    let fix = "Set both clocks by NTP: time() minus a timestamp of metricast's is wrong by as much";
    Some(finding("clock", Verdict::Warning, format!("{seconds:.0} s {side} this machine's"), fix))
}

/// Whether it scrapes us.
pub(super) fn target(found: &Found, config: &Config) -> Finding {
    let port = config.port;
    match found {
        Found::One(target) => health(target),
        Found::None => {
            let fix = format!(
                "Add a scrape job: {PRINT}. Where a proxy gives metricast another port, set `instance` to the label that \
                 the target has"
            );
            finding("target", Verdict::Bad, format!("no target has port {port} or our instance"), fix)
        }
        Found::Several(addresses) => {
            let fix = "Set `instance` to the label that the right one has";
            let answer = format!("several targets have port {port}: {}", addresses.join(", "));
            finding("target", Verdict::Unknown, answer, fix)
        }
    }
}

fn health(target: &Target) -> Finding {
    let Target { job, address, last_error, .. } = target;
    let place = format!("{address} in job {job}");
    let down = |verdict, fix| finding("target", verdict, format!("{place} is down: {last_error}"), fix);
    match target.health.as_str() {
        "up" => good("target", format!("{place} is up")),
        "down" if last_error.contains("connection refused") => down(
            Verdict::Warning,
            "Nothing, if metricast is not running; else let it listen where the server looks: `listen` beside `plugin`",
        ),
        "down" => down(Verdict::Bad, "Correct the job, or what stands between the server and metricast"),
        _ => finding("target", Verdict::Unknown, format!("{place} was not scraped yet"), "Ask again after an interval"),
    }
}

/// Whether the job scrapes the histograms as they are `wanted`, which is not classic ones alone.
pub(super) fn histograms(wanted: Histograms, target: &Target, job: &ScrapeJob, features: Option<&str>) -> Vec<Finding> {
    let by_feature = features.map(|features| has(features, "native-histograms"));
    let Some(native) = target.native.or(job.native).or(by_feature) else {
        return vec![not_answered("native histograms", "status/config")];
    };
    let mut findings = vec![native_histograms(wanted, native, job)];
    if wanted == Histograms::Both && native {
        findings.push(classic_beside(target.classic.or(job.classic) == Some(true)));
    }
    findings
}

fn native_histograms(wanted: Histograms, scraped: bool, job: &ScrapeJob) -> Finding {
    let question = "native histograms";
    let first = job.protocols.first().map(String::as_str);
    if !scraped {
        // In protobuf they have no classic buckets then, and what is not scraped is not there; text has classic ones.
        let lost = wanted == Histograms::Native && first == Some(PROTOBUF);
        let verdict = if lost { Verdict::Bad } else { Verdict::Warning };
        let fix = format!(
            "Set scrape_native_histograms: true for the job ({PRINT}); before Prometheus 3.8, start it with \
             --enable-feature=native-histograms"
        );
        return finding(question, verdict, "the job does not scrape them", fix);
    }
    match first {
        Some(first) if first != PROTOBUF => {
            let fix = format!("Put {PROTOBUF} first in the job's scrape_protocols ({PRINT})");
            let answer = format!("the job scrapes them, and asks for {first} first, which has none");
            finding(question, Verdict::Warning, answer, fix)
        }
        _ => good(question, "the job scrapes them"),
    }
}

fn classic_beside(kept: bool) -> Finding {
    let question = "classic histograms";
    if kept {
        return good(question, "the job keeps them beside the native ones");
    }
    let fix = format!("Set always_scrape_classic_histograms: true for the job ({PRINT})");
    finding(question, Verdict::Warning, "the job drops them for the native ones: there is no _bucket", fix)
}

/// Whether what a series has when it is scraped first is counted.
pub(super) fn first_values(features: Option<&str>, config: &Config) -> Finding {
    const FEATURE: &str = "created-timestamp-zero-ingestion";
    let question = "first values";
    if config.hold_new_series.is_some() {
        return good(question, "increase() sees them: this publisher holds new series at 0");
    }
    match features {
        None => not_answered(question, "status/flags"),
        Some(features) if has(features, FEATURE) => good(question, format!("increase() sees them: {FEATURE} is on")),
        Some(_) => finding(
            question,
            Verdict::Warning,
            "increase() and rate() do not see what a series had when it was scraped first",
            format!("Start the server with --enable-feature={FEATURE}, or set hold_new_series for this publisher"),
        ),
    }
}

fn has(features: &str, feature: &str) -> bool {
    features.split(',').any(|name| name.trim() == feature)
}
