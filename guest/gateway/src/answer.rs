//! What a sender is answered: the counts and lists of metricast's own ingest, with what the backend would not take
//! beside them, or a problem of RFC 9457 that carries the counts where something may have been stored.

use metricast_records::body::{MAX_LISTED, RefusedLine};
use metricast_records::problem::{self, Problem, RETRY_AFTER};
use serde::Serialize;

use crate::publisher::PublishError;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Of HTTP.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// With its line end.
    pub body: Vec<u8>,
}

/// What became of the lines of a body.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// Records that the backend has.
    pub accepted: u64,
    /// Records that it has not, or not for certain, and that are to be sent again.
    #[serde(skip_serializing_if = "is_zero")]
    pub pending: u64,
    /// Lines that are no records.
    pub refused: Vec<RefusedLine>,
    /// How many more of those.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_unlisted: u64,
    /// Records that the backend will never take, with its reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RefusedLine>,
    /// How many more of those.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_unlisted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    /// Lists a record that the backend will never take.
    pub fn reject(&mut self, line: u64, reason: String) {
        if self.rejected.len() < MAX_LISTED {
            self.rejected.push(RefusedLine { line, reason });
        } else {
            self.rejected_unlisted += 1;
        }
    }

    /// The answer where nothing is left to send: 400 where none of the lines was stored.
    pub fn answer(&self) -> Answer {
        let is_all_bad = self.accepted == 0 && !(self.refused.is_empty() && self.rejected.is_empty());
        Answer::json(if is_all_bad { 400 } else { 200 }, self)
    }
}

/// Why records are not stored that could have been.
#[derive(Clone, Debug)]
pub struct Trouble {
    status: u16,
    title: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

impl Trouble {
    /// The publisher's words.
    pub fn of(error: PublishError) -> Self {
        let (status, title, detail) = match error {
            PublishError::Unavailable { reason, retry_after_ms } => return Self::unavailable(reason, retry_after_ms),
            PublishError::Misconfigured(text) => (500, "misconfigured", text),
            PublishError::Unauthorized(text) => (502, "backend refuses the credentials", text),
            PublishError::Rejected(text) => (502, "backend refuses", text),
            PublishError::Internal(text) => (500, "plugin's own fault", text),
        };
        Self { status, title, detail, retry_after: None }
    }

    /// To be sent again, after so many milliseconds where that is known.
    pub fn unavailable(detail: String, retry_after_ms: Option<u64>) -> Self {
        let seconds = retry_after_ms.map_or(RETRY_AFTER, |ms| ms.div_ceil(1000).max(RETRY_AFTER));
        Self { status: 503, title: "backend not available", detail, retry_after: Some(seconds) }
    }

    /// With other words.
    #[must_use]
    pub fn told(self, tell: impl FnOnce(&str) -> String) -> Self {
        Self { detail: tell(&self.detail), ..self }
    }

    /// What it says.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer, with the counts of a body that was read.
    pub fn answer(&self, counts: Option<&Counts>) -> Answer {
        let told = Told { title: self.title, status: self.status, detail: &self.detail, counts };
        let mut answer = Answer::of(self.status, problem::CONTENT_TYPE, line(&told));
        answer.headers.extend(self.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        answer
    }
}

#[derive(Serialize)]
struct Told<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    counts: Option<&'a Counts>,
}

impl Answer {
    fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body }
    }

    /// A JSON body with a line end.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::of(status, "application/json", line(body))
    }

    /// A problem that only a gateway has.
    pub fn problem(status: u16, title: &str, detail: &str) -> Self {
        Self::of(status, problem::CONTENT_TYPE, problem::body(status, title, detail).into_bytes())
    }
}

impl From<&Problem> for Answer {
    fn from(problem: &Problem) -> Self {
        let mut answer = Self::of(problem.status(), problem::CONTENT_TYPE, problem.body().into_bytes());
        answer.headers.extend(problem.allow().map(|methods| ("allow", methods.to_owned())));
        answer.headers.extend(problem.retry_after().map(|seconds| ("retry-after", seconds.to_string())));
        answer
    }
}

fn line(body: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(body).expect("all keys are text");
    line.push(b'\n');
    line
}
