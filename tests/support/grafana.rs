//! Real servers of Grafana Labs, the engines of Grafana Cloud: Loki and Mimir, each with one of two configs.
//!
//! In the cloud a gateway makes a tenant of the user in Basic credentials. These servers take the tenant's name as it
//! is, in `X-Scope-OrgID`: [`gateway`] stands in front.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::Request;
use serde_json::Value;
use url::form_urlencoded;

use crate::process::Process;
use crate::promql::Querier;
use crate::stub::{self, Stub};
use crate::{Server, http as client, ports, require};

/// Loki waits 15 s before it is ready.
const PATIENCE: Duration = Duration::from_mins(1);

const TENANT: &str = "x-scope-orgid";

/// What a server lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// All that the sample records need.
    Wide,
    /// Little, so that real answers of 429 and 400 are easily had.
    Tight,
}

/// A running server with no data.
#[derive(Debug)]
struct Running {
    process: Process,
    port: u16,
}

impl Running {
    /// Starts the program on a config with ports and a folder of its own.
    fn start(server: Server, config: &str) -> Option<Self> {
        let program = require(server)?.join(server.name());
        let folder = Process::folder(server.name());
        let port = ports::free();
        let replaced = [
            ("DIR", folder.display().to_string()),
            ("HTTP", port.to_string()),
            ("GRPC", ports::free().to_string()),
            ("GOSSIP", ports::free().to_string()),
        ];
        let config = replaced.iter().fold(config.to_owned(), |config, (name, value)| config.replace(name, value));
        let file = folder.join("config.yaml");
        fs::write(&file, config).expect("a config can be written");
        let mut command = Command::new(program);
        command.arg(format!("-config.file={}", file.display()));
        let mut running = Self { process: Process::start(server.name(), &command, folder), port };
        let ready = format!("{}/ready", running.url());
        running.process.wait_until_ready(PATIENCE, || client::get(&ready).is_ok_and(|answer| answer.status == 200));
        Some(running)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A running Mimir.
#[derive(Debug)]
pub struct Mimir(Running);

impl Mimir {
    /// Starts one. `None`: the server is not there, and the test is skipped.
    pub fn start(limits: Limits) -> Option<Self> {
        let config = match limits {
            Limits::Wide => include_str!("mimir/plain.yaml"),
            Limits::Tight => include_str!("mimir/limits.yaml"),
        };
        Running::start(Server::Mimir, config).map(Self)
    }

    /// Where it listens: `http://127.0.0.1:PORT`. Remote write comes to `/api/v1/push`, OTLP to `/otlp/v1/metrics`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Asks for what a tenant has.
    pub fn querier(&self, tenant: &str) -> Querier {
        Querier::new(format!("{}/prometheus/api/v1", self.url())).of_tenant(tenant)
    }
}

/// The present, in nanoseconds since the Unix epoch: Loki takes lines of these days only.
#[expect(clippy::disallowed_methods, reason = "a real server has no other clock")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    i64::try_from(since.as_nanos()).expect("this century")
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Of its stream, and its structured metadata.
    pub labels: BTreeMap<String, String>,
    /// Nanoseconds since the Unix epoch.
    pub time: i64,
    /// What it says.
    pub text: String,
}

/// A running Loki.
#[derive(Debug)]
pub struct Loki(Running);

impl Loki {
    /// Starts one. `None`: the server is not there, and the test is skipped.
    pub fn start(limits: Limits) -> Option<Self> {
        let config = match limits {
            Limits::Wide => include_str!("loki/plain.yaml"),
            Limits::Tight => include_str!("loki/limits.yaml"),
        };
        Running::start(Server::Loki, config).map(Self)
    }

    /// Where it listens: `http://127.0.0.1:PORT`. Pushes come to `/loki/api/v1/push`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// What a query such as `{service_name="shop"}` gives a tenant from one time until before another, nanoseconds
    /// since the epoch: 5,000 lines at most, the oldest first within each stream.
    pub fn lines(&self, tenant: &str, query: &str, from: i64, until: i64) -> Vec<Line> {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("query", query), ("direction", "forward"), ("limit", "5000")])
            .extend_pairs([("start", from.to_string()), ("end", until.to_string())])
            .finish();
        let answer = self.ask(tenant, &format!("query_range?{form}"));
        let streams = answer["data"]["result"].as_array().expect("a list of streams");
        streams.iter().flat_map(lines).collect()
    }

    /// How many lines a query finds for a tenant within a time before another, such as `24h`.
    pub fn count(&self, tenant: &str, query: &str, within: &str, until: i64) -> u64 {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &format!("sum(count_over_time({query}[{within}]))"))
            .append_pair("time", &until.to_string())
            .finish();
        let answer = self.ask(tenant, &format!("query?{form}"));
        let counted = answer["data"]["result"][0]["value"][1].as_str();
        counted.map_or(0, |count| count.parse().expect("a count is a number"))
    }

    fn ask(&self, tenant: &str, question: &str) -> Value {
        let url = format!("{}/loki/api/v1/{question}", self.url());
        client::get_with(&url, TENANT, tenant).expect("Loki answers").expect_success(question).json()
    }
}

fn lines(stream: &Value) -> Vec<Line> {
    let text = |value: &Value| value.as_str().expect("labels, times and lines are text").to_owned();
    let labels = stream["stream"].as_object().expect("labels").iter();
    let labels: BTreeMap<_, _> = labels.map(|(name, value)| (name.clone(), text(value))).collect();
    let line = |pair: &Value| Line {
        labels: labels.clone(),
        time: text(&pair[0]).parse().expect("a time is a number"),
        text: text(&pair[1]),
    };
    stream["values"].as_array().expect("a list of lines").iter().map(line).collect()
}

/// Passes all on to the server at `url`, for the tenant that the user of the Basic credentials is, and keeps the
/// requests; 401 without such credentials.
pub fn gateway(url: String) -> Stub {
    Stub::start(move |request| match user(request.header("authorization")) {
        Some(tenant) => passed_on(&url, request, &[(TENANT, &tenant)]),
        None => stub::Answer::text(401, "no credentials"),
    })
}

/// The same, but that of the first request it took the sender hears nothing.
pub fn gateway_that_loses_an_answer(url: String) -> Stub {
    let lost = AtomicBool::new(false);
    Stub::start(move |request| match user(request.header("authorization")) {
        Some(tenant) => {
            let answer = passed_on(&url, request, &[(TENANT, &tenant)]);
            if lost.swap(true, Ordering::Relaxed) { answer } else { stub::Answer::HangUp }
        }
        None => stub::Answer::text(401, "no credentials"),
    })
}

/// Passes all on to the server at `url`, and keeps the requests.
pub fn witness(url: String) -> Stub {
    Stub::start(move |request| passed_on(&url, request, &[]))
}

fn user(authorization: &str) -> Option<String> {
    let pair = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let (user, _) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(user.to_owned())
}

/// Headers that are about a connection, or are made anew.
const OF_THE_WAY: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];

fn passed_on(url: &str, request: &stub::Request, more: &[(&str, &str)]) -> stub::Answer {
    let mut copy = Request::builder().method(request.method.as_str()).uri(format!("{url}{}", request.path));
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in headers.filter(|(name, _)| !OF_THE_WAY.contains(name)).chain(more.iter().copied()) {
        copy = copy.header(name, value);
    }
    let copy = copy.body(request.body.clone()).expect("what came as a request is one");
    let answer = client::send(&copy).expect("the server answers");
    let headers = answer.headers.iter().filter(|(name, _)| !OF_THE_WAY.contains(&name.as_str()));
    let text = |value: &http::HeaderValue| value.to_str().expect("a header is text").to_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
    stub::Answer::Response { status: answer.status, headers, body: answer.body }
}
