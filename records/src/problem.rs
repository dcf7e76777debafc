//! Why a request to `POST /v1/records` is not answered with counts: the status, the words and the body of the answer,
//! the same in every program that takes records over HTTP.
//!
//! How a request is read, how long and how much of it, is the server's own; so is what becomes of the connection.

use serde::Serialize;
use thiserror::Error;

use crate::body::UnknownType;
use crate::encoding::UnknownEncoding;

/// The Content-Type of [`Problem::body`].
pub const CONTENT_TYPE: &str = "application/problem+json";

/// The path that records are posted to.
pub const RECORDS: &str = "/v1/records";

/// What stands in Retry-After where nothing is known better, seconds.
pub const RETRY_AFTER: u64 = 1;

/// Why there are no counts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// The path is none that the server has.
    #[error("{method} {path} is nothing here: {there}")]
    Elsewhere {
        /// Of the request.
        method: String,
        /// Of the request, without the query.
        path: String,
        /// What there is.
        there: &'static str,
    },
    /// The path is there, and not with this method.
    #[error("{method} gets nothing here: {instead}")]
    WrongMethod {
        /// Of the request.
        method: String,
        /// The methods that do, as in the header Allow.
        allow: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The Content-Type is not known.
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    /// The Content-Encoding is not known.
    #[error(transparent)]
    UnknownEncoding(#[from] UnknownEncoding),
    /// The body is too large.
    #[error("the body is larger than {limit} bytes (decompressed); send it in parts")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// The body has no end.
    #[error("the body breaks off before the end of its {0}")]
    CutOff(&'static str),
    /// The body is not packed as it says.
    #[error("the body cannot be unpacked as {encoding}, which its content encoding names: {reason}")]
    NotUnpacked {
        /// What it names.
        encoding: &'static str,
        /// Why not.
        reason: String,
    },
    /// The connection broke.
    #[error("the body could not be read: {0}")]
    Unreadable(String),
    /// The body took too long.
    #[error("the body did not arrive within {seconds} s")]
    Slow {
        /// How long it was waited for.
        seconds: u64,
    },
    /// Memory for bodies is used up.
    #[error("other bodies hold all the memory there is for bodies: nothing of this one was stored, send it again")]
    Crowded,
    /// The key that tells a request from others is none.
    #[error("a request has one Idempotency-Key of 1 to {longest} bytes, or none: nothing of the body was stored")]
    BadKey {
        /// In bytes.
        longest: usize,
    },
    /// The key was that of another body.
    #[error(
        "this Idempotency-Key came with another body before: nothing of this one was stored, \
         each body needs a key of its own"
    )]
    OtherBody,
    /// A body with this key is being taken in.
    #[error("a body with this Idempotency-Key is being taken in: send it again for the answer")]
    UnderWay,
    /// What takes the records in is full.
    #[error("{0}: nothing of the body was stored, send it again")]
    NoRoom(String),
    /// The server's own fault.
    #[error("reading the body failed")]
    Broken,
}

impl Problem {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unreadable(_) | Self::CutOff(_) | Self::NotUnpacked { .. } | Self::BadKey { .. } => 400,
            Self::UnderWay => 409,
            Self::OtherBody => 422,
            Self::Elsewhere { .. } => 404,
            Self::WrongMethod { .. } => 405,
            Self::Slow { .. } => 408,
            Self::TooLarge { .. } => 413,
            Self::UnknownType(_) | Self::UnknownEncoding(_) => 415,
            Self::Broken => 500,
            Self::Crowded | Self::NoRoom(_) => 503,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::CutOff(_) | Self::NotUnpacked { .. } => "body broken",
            Self::BadKey { .. } => "bad key",
            Self::OtherBody => "key of another body",
            Self::UnderWay => "under way",
            Self::Elsewhere { .. } => "not found",
            Self::WrongMethod { .. } => "method not allowed",
            Self::Slow { .. } => "body too slow",
            Self::TooLarge { .. } => "body too large",
            Self::UnknownType(_) | Self::UnknownEncoding(_) => "unknown form",
            Self::Broken => "metricast's own fault",
            Self::Crowded | Self::NoRoom(_) => "no room",
        }
    }

    /// The body of the answer, with a line end.
    pub fn body(&self) -> String {
        body(self.status(), self.title(), &self.to_string())
    }

    /// What stands in the header Allow.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::WrongMethod { allow, .. } => Some(allow),
            _ => None,
        }
    }

    /// What stands in the header Retry-After, seconds.
    pub fn retry_after(&self) -> Option<u64> {
        matches!(self.status(), 409 | 503).then_some(RETRY_AFTER)
    }
}

/// The body of an answer that is [`CONTENT_TYPE`] ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), with a line end.
pub fn body(status: u16, title: &str, detail: &str) -> String {
    let members = Members { title, status, detail };
    serde_json::to_string(&members).expect("all keys are text") + "\n"
}

#[derive(Serialize)]
struct Members<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_and_why() {
        assert_eq!(
            Problem::TooLarge { limit: 7 }.body(),
            "{\"title\":\"body too large\",\"status\":413,\"detail\":\"the body is larger than 7 bytes (decompressed); send it in parts\"}\n"
        );
        let elsewhere = Problem::Elsewhere { method: "GET".to_owned(), path: "/x".to_owned(), there: "this is" };
        assert_eq!(elsewhere.to_string(), "GET /x is nothing here: this is");
        assert_eq!((elsewhere.status(), elsewhere.allow(), elsewhere.retry_after()), (404, None, None));
    }

    #[test]
    fn who_finds_no_room_is_told_when_to_come_again() {
        assert_eq!((Problem::UnderWay.status(), Problem::UnderWay.retry_after()), (409, Some(1)));
        for problem in [Problem::Crowded, Problem::NoRoom("the queue is full".to_owned())] {
            assert_eq!((problem.status(), problem.retry_after()), (503, Some(1)));
            assert!(problem.to_string().contains("nothing of"), "{problem}");
        }
    }
}
