//! Requests to the cluster: which host, which credentials, how much time.

use std::time::Instant;

use metricast_sdk::http::{Error, Method, Request, Response};
use metricast_sdk::{Deadline, PublishError, Secret, log};

use crate::nodes::Nodes;
use crate::options::Options;

const USER_AGENT: &str = concat!("metricast/", env!("CARGO_PKG_VERSION"));

/// Speaks to the cluster.
#[derive(Debug)]
pub(crate) struct Client {
    nodes: Nodes,
    authorization: Option<Secret>,
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
    /// Of a body that was cut to the host's limit: its bytes before compression.
    pub(crate) size: usize,
    pub(crate) gzip: bool,
    /// The most bytes that the answer may have.
    pub(crate) most: usize,
}

/// The most bytes of an answer whose size does not grow with the request's.
const ANSWER: usize = 4 << 20;
/// What each document adds to the most bytes of an answer: a refusal tells the value and all causes.
const ANSWER_EACH: usize = 4 << 10;

impl<'a> Ask<'a> {
    /// A GET.
    pub(crate) fn get(path: &'a str) -> Self {
        Self::json(Method::Get, path, b"")
    }

    /// A PUT of JSON.
    pub(crate) fn put(path: &'a str, body: &'a [u8]) -> Self {
        Self::json(Method::Put, path, body)
    }

    /// A POST of JSON.
    pub(crate) fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self::json(Method::Post, path, body)
    }

    /// A POST of so many documents as JSON lines, of `size` bytes before compression.
    pub(crate) fn bulk(path: &'a str, body: &'a [u8], size: usize, documents: usize) -> Self {
        let most = ANSWER + documents * ANSWER_EACH;
        Self { content_type: "application/x-ndjson", size, most, ..Self::json(Method::Post, path, body) }
    }

    fn json(method: Method, path: &'a str, body: &'a [u8]) -> Self {
        Self { method, path, content_type: "application/json", body, size: 0, gzip: false, most: ANSWER }
    }
}

impl Client {
    /// A client for the hosts and credentials of a config.
    pub(crate) fn new(options: &Options) -> Self {
        Self { nodes: Nodes::new(options.hosts.clone()), authorization: options.authorization.clone() }
    }

    /// How many hosts there are.
    pub(crate) fn hosts(&self) -> usize {
        self.nodes.count()
    }

    /// The base of a host's URLs.
    pub(crate) fn url(&self, at: usize) -> &str {
        self.nodes.url(at)
    }

    /// How large a body may be before compression.
    pub(crate) fn most(&self, configured: usize) -> usize {
        self.nodes.most(configured, Instant::now())
    }

    /// Asks the host whose turn it is, and others where it cannot be reached. What one may have taken is asked of no
    /// other: who sends it again has to know.
    ///
    /// # Errors
    /// Where no host answers, or one may have taken the request without an answer.
    pub(crate) fn send(&mut self, ask: &Ask<'_>, deadline: Deadline) -> Result<Response, Failure> {
        let mut failed = PublishError::unavailable("no time was left for another request");
        let mut tried = false;
        for at in self.nodes.take_turn(Instant::now()) {
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

    /// Asks one host.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) fn send_to(&mut self, at: usize, ask: &Ask<'_>, deadline: Deadline) -> Result<Response, Failure> {
        let url = format!("{}{}", self.nodes.url(at), ask.path);
        let mut request = Request::new(ask.method, &url).header("user-agent", USER_AGENT).timeouts(deadline.timeouts());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.expose());
        }
        if !ask.body.is_empty() {
            request = request.header("content-type", ask.content_type).body(ask.body);
        }
        if ask.gzip {
            request = request.header("content-encoding", "gzip");
        }
        let sent = request.max_response(ask.most).send();
        self.learn(at, ask.size, &sent);
        match sent {
            Ok(response) => Ok(response),
            Err(error) => Err(self.failure(at, error)),
        }
    }

    fn learn(&mut self, at: usize, size: usize, sent: &Result<Response, Error>) {
        let now = Instant::now();
        if sent.is_ok() {
            self.nodes.reached(at);
        }
        let limit = self.nodes.limit(at);
        match sent {
            _ if size == 0 => {}
            Ok(response) if response.status == 413 => limit.refused(size, now),
            Ok(response) if response.is_success() => limit.took(size),
            // The answer of fewer documents is shorter.
            Err(Error::TooLong { .. }) => limit.refused(size, now),
            Err(Error::InDoubt(_)) => limit.lost(size, now),
            _ => {}
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
            Error::InDoubt(reason) => {
                self.nodes.failed(at, Instant::now());
                Failure::InDoubt(self.named(at, reason))
            }
            error @ Error::TooLong { .. } => Failure::InDoubt(self.named(at, error.to_string())),
        }
    }

    /// The reason with the host in front, where it does not begin with it.
    fn named(&self, at: usize, reason: String) -> String {
        let url = self.nodes.url(at);
        if reason.starts_with(url) { reason } else { format!("{url}: {reason}") }
    }
}
