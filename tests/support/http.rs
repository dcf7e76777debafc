//! A small blocking HTTP client: every answer is data, whatever its status.

use std::sync::LazyLock;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, Request};
use serde_json::Value;
use ureq::Agent;

static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_mins(1)));
    config.build().new_agent()
});

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the answer is text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }

    /// This answer, if its status is a success.
    ///
    /// # Panics
    /// Where it is not: shows what the server said.
    #[expect(clippy::must_use_candidate, clippy::return_self_not_must_use, reason = "often called for the check alone")]
    pub fn expect_success(self, what: &str) -> Self {
        assert!((200..300).contains(&self.status), "{what}: {} {}", self.status, String::from_utf8_lossy(&self.body));
        self
    }
}

/// Sends a request and reads the answer.
///
/// # Errors
/// Where there is no answer.
pub fn send(request: &Request<Vec<u8>>) -> Result<Answer, ureq::Error> {
    let mut answer = if request.body().is_empty() {
        let (parts, _) = request.clone().into_parts();
        AGENT.run(Request::from_parts(parts, ()))?
    } else {
        AGENT.run(request.clone())?
    };
    let body = answer.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
    Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
}

/// GETs `url`.
///
/// # Errors
/// Where there is no answer.
pub fn get(url: &str) -> Result<Answer, ureq::Error> {
    send(&Request::get(url).body(Vec::new())?)
}

/// GETs `url` with one header.
///
/// # Errors
/// Where there is no answer.
pub fn get_with(url: &str, name: &str, value: &str) -> Result<Answer, ureq::Error> {
    send(&Request::get(url).header(name, value).body(Vec::new())?)
}

/// POSTs `body` to `url`.
///
/// # Errors
/// Where there is no answer.
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Result<Answer, ureq::Error> {
    send(&Request::post(url).header("content-type", content_type).body(body.into())?)
}

/// The value of an `Authorization` header for Basic authentication.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}
