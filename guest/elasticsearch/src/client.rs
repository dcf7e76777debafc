//! Requests to the cluster: which host, which credentials, how much time.

use std::time::{Duration, Instant};

use metricast_sdk::http::{Error, Method, Request, Response, Timeouts};
use metricast_sdk::{PublishError, log};

use crate::nodes::Nodes;
use crate::options::{Options, Secret};

/// How long a call of the host may take, all requests of it together. The host's own limit is 30 s.
const CALL: Duration = Duration::from_secs(25);
/// How long a connection may take while there is another host to try.
const CONNECT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("metricast/", env!("CARGO_PKG_VERSION"));

/// Speaks to the cluster.
#[derive(Debug)]
pub(crate) struct Client {
    nodes: Nodes,
    authorization: Option<Secret>,
}

/// When the call under way must have its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The whole time of a call, from now on.
    pub(crate) fn new() -> Self {
        Self(Instant::now() + CALL)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// Why there is no response.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was taken by nobody.
    NotSent(PublishError),
    /// It may have been taken all the same.
    InDoubt(String),
}

impl From<Failure> for PublishError {
    /// For requests that may be repeated.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(error) => error,
            Failure::InDoubt(reason) => Self::unavailable(reason),
        }
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// From the slash on.
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
}

impl<'a> Ask<'a> {
    /// A GET.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: Method::Get, path, content_type: "application/json", body: b"" }
    }

    /// A PUT of JSON.
    pub(crate) fn put(path: &'a str, body: &'a [u8]) -> Self {
        Self { method: Method::Put, path, content_type: "application/json", body }
    }

    /// A POST of JSON lines.
    pub(crate) fn bulk(path: &'a str, body: &'a [u8]) -> Self {
        Self { method: Method::Post, path, content_type: "application/x-ndjson", body }
    }
}

impl Client {
    /// A client for the hosts and credentials of a config.
    pub(crate) fn new(options: &Options) -> Self {
        Self { nodes: Nodes::new(options.hosts.clone()), authorization: options.authorization.clone() }
    }

    /// Asks the first host that can be reached.
    ///
    /// # Errors
    /// Where no host answers, or one may have taken the request without an answer.
    pub(crate) fn send(&mut self, ask: &Ask<'_>, deadline: Deadline) -> Result<Response, Failure> {
        let mut failed = PublishError::unavailable("no time was left for another request");
        let mut tried = false;
        for at in self.nodes.order(Instant::now()) {
            if deadline.left().is_zero() {
                break;
            }
            match self.send_to(at, ask, deadline) {
                // A host that may come back counts for more than one that cannot be.
                Err(Failure::NotSent(error @ PublishError::Unavailable { .. })) => failed = error,
                Err(Failure::NotSent(error)) if !tried => failed = error,
                Err(Failure::NotSent(_)) => {}
                answered => return answered,
            }
            tried = true;
        }
        Err(Failure::NotSent(failed))
    }

    fn send_to(&mut self, at: usize, ask: &Ask<'_>, deadline: Deadline) -> Result<Response, Failure> {
        let url = format!("{}{}", self.nodes.url(at), ask.path);
        let total = deadline.left();
        let timeouts = Timeouts { connect: CONNECT.min(total), first_byte: total, total };
        let mut request = Request::new(ask.method, &url).header("user-agent", USER_AGENT).timeouts(timeouts);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.expose());
        }
        if !ask.body.is_empty() {
            request = request.header("content-type", ask.content_type).body(ask.body);
        }
        match request.send() {
            Ok(response) => {
                self.nodes.reached(at);
                Ok(response)
            }
            Err(error) => Err(self.failure(at, error)),
        }
    }

    fn failure(&mut self, at: usize, error: Error) -> Failure {
        match error {
            Error::Denied(_) => {
                let what = "the host does not let the plugin reach it";
                Failure::NotSent(PublishError::misconfigured(format_args!("hosts[{at}]"), what))
            }
            Error::Invalid(reason) => Failure::NotSent(PublishError::Internal(reason)),
            Error::NotSent(reason) => {
                self.nodes.failed(at, Instant::now());
                let reason = self.named(at, reason);
                log::debug(format_args!("{reason}; the next host is tried"));
                Failure::NotSent(PublishError::unavailable(reason))
            }
            error @ (Error::InDoubt(_) | Error::TooLong { .. }) => {
                self.nodes.failed(at, Instant::now());
                Failure::InDoubt(self.named(at, error.to_string()))
            }
        }
    }

    /// The reason with the host in front, where it does not begin with it.
    fn named(&self, at: usize, reason: String) -> String {
        let url = self.nodes.url(at);
        if reason.starts_with(url) { reason } else { format!("{url}: {reason}") }
    }
}
