//! What a plugin answers. The meaning of each case and field is that of `wit/types.wit`.

use metricast_records::Batch;
use thiserror::Error;

/// What became of each record of a batch: accepted + rejected + retryable = records, and no index stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many the backend has taken, or had already.
    pub accepted: u32,
    /// Never to be sent again.
    pub rejected: Vec<Rejection>,
    /// To be sent again, by index. A stateful plugin leaves it empty.
    pub retryable: Vec<u32>,
    /// Outcome not known, by index: a part of `retryable`.
    pub in_doubt: Vec<u32>,
    /// The backend's wish for how long to wait before `retryable` are sent again, milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Receipt {
    /// The backend has all of them.
    pub fn all_accepted(batch: &Batch) -> Self {
        Self { accepted: batch.len() as u32, ..Self::default() }
    }
}

/// One record that the backend will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its place in the batch: events first, then networks.
    pub index: u32,
    /// The backend's own words.
    pub reason: String,
}

/// Of a whole call. The host decides on the case, never on the words.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PublishError {
    /// The config cannot work. Where one key is at fault the text starts with its path and a colon.
    #[error("{0}")]
    Misconfigured(String),
    /// The backend refuses the credentials.
    #[error("{0}")]
    Unauthorized(String),
    /// The backend cannot be reached or asks to wait; the batch is sent again.
    #[error("{reason}")]
    Unavailable {
        /// What failed.
        reason: String,
        /// The backend's wish for how long to wait, milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The backend will never take this batch.
    #[error("{0}")]
    Rejected(String),
    /// `open` cannot use this state.
    #[error("{0}")]
    StateIncompatible(String),
    /// The plugin's own fault.
    #[error("{0}")]
    Internal(String),
}

impl PublishError {
    /// [`Misconfigured`](Self::Misconfigured), pointing at a key by its path: `hosts[0]`.
    pub fn misconfigured(path: impl std::fmt::Display, what: impl std::fmt::Display) -> Self {
        Self::Misconfigured(format!("{path}: {what}"))
    }

    /// [`Unavailable`](Self::Unavailable), to be tried again when the host sees fit.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after_ms: None }
    }
}

/// What a flush or a close left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Records accepted but not yet at the backend.
    pub pending: u64,
    /// What was given up since the last flush.
    pub rejected: Vec<LateRejection>,
    /// How long to wait before the next flush, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What keeps `pending` from the backend, for a person. Empty where nothing is pending, or it is only not yet
    /// sent.
    pub reason: String,
}

/// A record that was accepted into a buffer and given up later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRejection {
    /// Of its place in the queue.
    pub epoch: String,
    /// Of its place in the queue.
    pub offset: u64,
    /// Which leg of a composite; empty elsewhere.
    pub leg: String,
    /// The backend's own words.
    pub reason: String,
}

/// What an open publisher is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Holds state between calls that `snapshot` saves.
    pub stateful: bool,
    /// How many instances with this config may work side by side; at least 1.
    pub max_instances: u32,
    /// How often the host calls `flush`, milliseconds.
    pub flush_interval_ms: Option<u32>,
    /// `scrape` has something to say.
    pub scrapes: bool,
}

impl Default for Profile {
    /// Keeps nothing, buffers nothing, works alone.
    fn default() -> Self {
        Self { stateful: false, max_instances: 1, flush_interval_ms: None, scrapes: false }
    }
}

/// State, and up to where it has applied records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Of the plugin's own format.
    pub version: u32,
    /// The plugin's own bytes.
    pub state: Vec<u8>,
    /// Records with offsets below it are in the state, and are ignored when they come again.
    pub next_offset: u64,
}

/// How a [`Finding`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Records will arrive, and something about them may surprise.
    Warning,
    /// Records will not arrive.
    Bad,
    /// It could not be asked.
    Unknown,
}

/// One thing that a probe asked of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was asked of, where there are several: an origin, a stream. Empty: the backend as a whole.
    pub of: String,
    /// What was asked, in a few words: `reachable`.
    pub question: String,
    /// How it stands.
    pub verdict: Verdict,
    /// The answer, for a person.
    pub answer: String,
    /// What to do about it. Empty where the verdict is good.
    pub fix: String,
}

/// Something to paste into the backend's own set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Short, lower case, with hyphens: `role`.
    pub name: &'static str,
    /// What it is, and where it goes.
    pub about: String,
    /// The text itself.
    pub text: String,
}

/// What a scrape answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposition {
    /// The whole header value, with version and charset.
    pub content_type: String,
    /// Not compressed.
    pub body: Vec<u8>,
}
