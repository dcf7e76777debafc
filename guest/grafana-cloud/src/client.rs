//! Requests: within a call's time, with the token where it belongs, and never after a redirect.

use metricast_sdk::http::{Error, Method, Request, Response};
use metricast_sdk::{Deadline, PublishError, Secret};

/// The most bytes of an answer: a list of some hundred stacks has 1 MB.
const ANSWER: usize = 8 << 20;

const USER_AGENT: &str = concat!("metricast/", env!("CARGO_PKG_VERSION"));

/// What is asked of a receiver or the API.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) authorization: Option<&'a Secret>,
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
        let timeouts = deadline.timeouts();
        if timeouts.total.is_zero() {
            let error = PublishError::unavailable(format!("{}: no time was left for another request", self.url));
            return Err(Failure { error, in_doubt: false });
        }
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
