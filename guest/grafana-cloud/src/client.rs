//! Requests: within a call's time, with the token where it belongs, and never after a redirect.

use std::time::{Duration, Instant};

use metricast_sdk::PublishError;
use metricast_sdk::http::{Error, Method, Request, Response, Timeouts};

use crate::secret::Authorization;

/// How long a call of the host may take, all requests of it together. The host's own limit is 30 s.
const CALL: Duration = Duration::from_secs(25);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of an answer: a list of some hundred stacks has 1 MB.
const ANSWER: usize = 8 << 20;

const USER_AGENT: &str = concat!("metricast/", env!("CARGO_PKG_VERSION"));

/// When the call under way must have its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The whole time of a call, from now on.
    pub(crate) fn new() -> Self {
        Self(Instant::now() + CALL)
    }

    /// What is left of it.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// What is asked of a receiver or the API.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) authorization: Option<&'a Authorization>,
    /// Besides the user agent and the authorization.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// There is no whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// What a host is told.
    pub(crate) error: PublishError,
    /// Whether the receiver may have what was sent.
    pub(crate) in_doubt: bool,
}

impl Ask<'_> {
    /// Sends it and waits for the answer, of whatever status.
    ///
    /// # Errors
    /// `misconfigured` where the host does not let the plugin, else `unavailable`: what is sent may be sent again.
    pub(crate) fn send(&self, deadline: Deadline) -> Result<Response, PublishError> {
        self.exchange(deadline).map_err(|failure| failure.error)
    }

    /// As [`send`](Self::send), for who must know whether the receiver may have what was sent.
    pub(crate) fn exchange(&self, deadline: Deadline) -> Result<Response, Failure> {
        let total = deadline.left();
        if total.is_zero() {
            let error = PublishError::unavailable(format!("{}: no time was left for another request", self.url));
            return Err(Failure { error, in_doubt: false });
        }
        let timeouts = Timeouts { connect: CONNECT.min(total), first_byte: total, total };
        let mut request = Request::new(self.method, self.url).header("user-agent", USER_AGENT).timeouts(timeouts);
        if let Some(authorization) = self.authorization {
            request = request.header("authorization", authorization.expose());
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let answer = request.body(self.body).max_response(ANSWER).send();
        answer.map_err(|error| Failure { in_doubt: error.in_doubt(), error: self.failure(error) })
    }

    fn failure(&self, error: Error) -> PublishError {
        match error {
            Error::Denied(_) => PublishError::Misconfigured(format!(
                "the host does not let the plugin reach {}: add its origin to what the publisher may reach",
                self.url
            )),
            Error::Invalid(reason) => PublishError::Internal(reason),
            Error::NotSent(reason) | Error::InDoubt(reason) => PublishError::unavailable(self.named(reason)),
            error @ Error::TooLong { .. } => PublishError::unavailable(self.named(error.to_string())),
        }
    }

    /// The reason with the address in front, where it does not begin with it.
    fn named(&self, reason: String) -> String {
        let origin_end = self.url.match_indices('/').nth(2).map_or(self.url.len(), |(at, _)| at);
        if reason.starts_with(&self.url[..origin_end]) { reason } else { format!("{}: {reason}", self.url) }
    }
}
