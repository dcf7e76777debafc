//! What Loki's answer to a push says. A pure function of the answer; what follows from it is `send`'s.
//!
//! | status | meaning |
//! |---|---|
//! | 2xx but 260 | every line is stored |
//! | 400, 409, 422 and other 4xx | some lines are bad, the others are stored |
//! | 401, 403 | the token is refused |
//! | 404, 405, 406, 415 | nothing takes Loki's pushes there |
//! | 413 | too large |
//! | 429 | over a limit: none or some are stored |
//! | 260, 3xx, 408, 425, 503 | nothing is stored: sent again later. Loki says 260 while an operator blocks a tenant |
//! | 500 and up | nobody knows |

use metricast_sdk::PublishError;
use metricast_sdk::http::Response;

use super::refusal::Refusal;
use crate::cause::told;

/// What Loki answers where taking lines is switched off (`block_ingestion_status_code`).
const BLOCKED: u16 = 260;

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// All of it is there.
    Taken,
    /// Some lines are bad, the others are there.
    Refused {
        /// Loki's words, for a person.
        reason: String,
        /// The same, read.
        refusal: Refusal,
    },
    /// The credentials are refused.
    Unauthorized(String),
    /// Nothing takes pushes there.
    Nowhere(String),
    /// Less at a time may be taken.
    TooLarge(String),
    /// Over a limit of the tenant or the stream.
    Limited(PublishError),
    /// Nothing is there, and it is sent again.
    Later(PublishError),
    /// Some of it may be there, and it is sent again.
    InDoubt(PublishError),
}

/// What the answer to a push says.
pub(crate) fn classify(response: &Response) -> Answer {
    let told = || told(response);
    let later =
        || PublishError::Unavailable { reason: format!("Loki: {}", told()), retry_after_ms: response.retry_after_ms() };
    match response.status {
        BLOCKED | 300..=399 | 408 | 425 | 503 => Answer::Later(later()),
        200..300 => Answer::Taken,
        401 | 403 => Answer::Unauthorized(told()),
        404 | 405 | 406 | 415 => Answer::Nowhere(told()),
        413 => Answer::TooLarge(told()),
        429 => Answer::Limited(later()),
        500.. => Answer::InDoubt(later()),
        _ => Answer::Refused { reason: told(), refusal: Refusal::read(&String::from_utf8_lossy(&response.body)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Answer {
        let headers = vec![("retry-after".to_owned(), "7".to_owned())];
        classify(&Response { status, headers, body: b"why".to_vec() })
    }

    #[test]
    fn each_status_has_its_meaning() {
        let later =
            |status| PublishError::Unavailable { reason: format!("Loki: {status} why"), retry_after_ms: Some(7000) };
        for status in [200, 202, 204] {
            assert_eq!(answer(status), Answer::Taken);
        }
        for status in [400, 409, 422, 499] {
            assert!(matches!(answer(status), Answer::Refused { reason, .. } if reason == format!("{status} why")));
        }
        for status in [401, 403] {
            assert_eq!(answer(status), Answer::Unauthorized(format!("{status} why")));
        }
        for status in [404, 405, 406, 415] {
            assert_eq!(answer(status), Answer::Nowhere(format!("{status} why")));
        }
        assert_eq!(answer(413), Answer::TooLarge("413 why".to_owned()));
        assert_eq!(answer(429), Answer::Limited(later(429)));
        for status in [BLOCKED, 302, 408, 425, 503] {
            assert_eq!(answer(status), Answer::Later(later(status)));
        }
        for status in [500, 502, 504] {
            assert_eq!(answer(status), Answer::InDoubt(later(status)));
        }
    }
}
