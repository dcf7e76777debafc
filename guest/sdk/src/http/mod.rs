//! HTTP to the backend: over `wasi:http` in a component, over the machine's own sockets elsewhere.
//!
//! One request, one response, both whole in memory and the response within a bound. Connections, TLS, credentials
//! and what may be reached are the host's business.

#[cfg(not(target_arch = "wasm32"))]
mod native;
mod retry_after;
#[cfg(target_arch = "wasm32")]
mod wasi;

use std::time::Duration;

use thiserror::Error;

use crate::deadline::{CALL, CONNECT};

/// Methods that backends are spoken to with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// From the request's end to the response's first byte.
    pub first_byte: Duration,
    /// For all of it. Stay below the host's limit for a call (30 s by default), so that the answer is yours.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: CONNECT, first_byte: Duration::from_secs(20), total: CALL }
    }
}

/// A request, borrowing what it sends.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    method: Method,
    url: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
    timeouts: Timeouts,
    max_response: usize,
}

impl<'a> Request<'a> {
    /// A request without a body. `url` is absolute, `http` or `https`.
    pub fn new(method: Method, url: &'a str) -> Self {
        Self { method, url, headers: Vec::new(), body: &[], timeouts: Timeouts::default(), max_response: 16 << 20 }
    }

    /// Adds a header. `Host` and `Content-Length` come by themselves.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// What is sent.
    #[must_use]
    pub fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How many bytes the response's body may have; 16 MiB where nothing is said.
    #[must_use]
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.max_response = bytes;
        self
    }

    /// Sends it and waits for the whole response, of whatever status. Redirects are not followed.
    ///
    /// # Errors
    /// Where there is no whole response.
    pub fn send(&self) -> Result<Response, Error> {
        #[cfg(target_arch = "wasm32")]
        return wasi::send(self);
        #[cfg(not(target_arch = "wasm32"))]
        return native::send(self);
    }
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case; values that are not UTF-8 are left out.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// How long the backend asks to wait (`Retry-After`), milliseconds; none where it does not say.
    pub fn retry_after_ms(&self) -> Option<u64> {
        retry_after::millis(self)
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no whole response.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// The request cannot be sent as it is.
    #[error("{0}")]
    Invalid(String),
    /// The host does not let this plugin reach the URL's origin.
    #[error("the host does not let the plugin reach {0}")]
    Denied(String),
    /// It was never sent: no address, no connection, no TLS. Sending it again repeats nothing.
    #[error("{0}")]
    NotSent(String),
    /// It may have been taken: time ran out, or the connection broke, after it went out.
    #[error("{0}")]
    InDoubt(String),
    /// The response is longer than the request allows.
    #[error("the response is longer than {limit} bytes")]
    TooLong {
        /// What [`Request::max_response`] said.
        limit: usize,
    },
}

impl Error {
    /// Whether the backend may have taken the request all the same.
    pub fn in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt(_) | Self::TooLong { .. })
    }
}
