//! What can happen to a request, and which of it leaves a healthy server behind.

use std::time::{Duration, UNIX_EPOCH};

/// How an answer says when one may come again (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// It does not.
    Unsaid,
    /// In so many seconds.
    Seconds(u32),
    /// At the time that it will be in so many seconds, as an HTTP date.
    Date(u32),
}

impl RetryAfter {
    /// The headers at this moment. A date comes with the `Date` that it is after: who has no clock of the server's own
    /// counts from there.
    pub(super) fn headers(self) -> Vec<(String, String)> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        match self {
            Self::Unsaid => Vec::new(),
            Self::Seconds(seconds) => vec![header("retry-after", seconds.to_string())],
            Self::Date(seconds) => {
                let now = UNIX_EPOCH + Duration::from_secs_f64(metricast::clock::now());
                let then = now + Duration::from_secs(u64::from(seconds));
                let date = httpdate::fmt_http_date;
                vec![header("date", date(now)), header("retry-after", date(then))]
            }
        }
    }
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is never answered; whether it arrived.
    Hang(bool),
    /// It arrives, and its answer comes a byte at a time with such a pause.
    SlowAnswer(Duration),
    /// It is read a piece at a time with such a pause, then arrives.
    SlowRequest(Duration),
    /// The connection is reset in the middle of its body.
    ResetInRequest,
    /// It arrives, and the connection is reset before the answer.
    ResetBeforeAnswer,
    /// It arrives, and the connection is reset in the middle of the answer.
    ResetInAnswer,
    /// It does not arrive, and the answer is this status.
    Status(u16, RetryAfter),
    /// It arrives, and the answer is this status all the same: a gateway did not wait for the server's own.
    LateStatus(u16),
    /// The answer is a success that is no JSON; whether it arrived.
    Malformed(bool),
    /// The answer ends before its length; whether it arrived.
    Truncated(bool),
    /// It arrives, and the answer of a `_bulk` lacks its last item.
    FewerItems,
    /// It arrives, and the answer of a `_bulk` has its last item twice.
    MoreItems,
    /// The answer says that all of a `_bulk` went well but has no item; whether it arrived.
    NoItems(bool),
    /// It arrives, and the answer of a `_bulk` has this status for its last item.
    ItemStatus(u16),
}

impl Fault {
    /// Those after which everything is as it was before. No answer among them says that nothing was written where
    /// something was.
    pub fn passing() -> Vec<Self> {
        let slow = Duration::from_millis(1);
        vec![
            Self::SlowAnswer(slow),
            Self::SlowRequest(slow),
            Self::ResetInRequest,
            Self::ResetBeforeAnswer,
            Self::ResetInAnswer,
            Self::Status(429, RetryAfter::Unsaid),
            Self::Status(429, RetryAfter::Seconds(1)),
            Self::Status(429, RetryAfter::Date(1)),
            Self::Status(503, RetryAfter::Unsaid),
            Self::Status(503, RetryAfter::Date(1)),
            Self::Status(413, RetryAfter::Unsaid),
            Self::LateStatus(502),
            Self::LateStatus(504),
            Self::Malformed(false),
            Self::Malformed(true),
            Self::Truncated(false),
            Self::Truncated(true),
            Self::FewerItems,
            Self::MoreItems,
            Self::NoItems(false),
            Self::NoItems(true),
            Self::ItemStatus(500),
        ]
    }

    /// Whether it is about the items of a `_bulk`.
    pub fn is_of_items(self) -> bool {
        matches!(self, Self::FewerItems | Self::MoreItems | Self::NoItems(_) | Self::ItemStatus(_))
    }

    /// Whether the request gets to the server.
    pub fn arrives(self) -> bool {
        match self {
            Self::ResetInRequest | Self::Status(..) => false,
            Self::Hang(arrives) | Self::Malformed(arrives) | Self::Truncated(arrives) | Self::NoItems(arrives) => {
                arrives
            }
            _ => true,
        }
    }
}
