//! What passes between the host and a plugin, as the rest of the host sees it: checked, and free of generated types.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// What a plugin is.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Short, lower case, with hyphens: `elasticsearch`.
    pub name: String,
    /// The plugin's own semantic version.
    pub version: String,
    /// JSON Schema of the config.
    pub config_schema: Value,
    /// What later versions of the contract say.
    pub extra: Vec<(String, String)>,
}

/// What an open publisher is like, which its config decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// It holds state between calls that a snapshot saves: one instance, and it answers for whole batches.
    pub stateful: bool,
    /// How many instances with this config may work side by side; 1 for a stateful one.
    pub max_instances: NonZeroU32,
    /// How often to call `flush`; `None` is never.
    pub flush_interval: Option<Duration>,
    /// `scrape` has something to say.
    pub scrapes: bool,
}

/// One record that the backend will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Of the batch: events first, then networks.
    pub index: u32,
    /// The backend's own words.
    pub reason: String,
}

/// What became of each record of a batch. The three counts add up to the batch, and no index stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// How many the backend has taken.
    pub accepted: u32,
    /// Never to be sent again; ascending by index.
    pub rejected: Vec<Rejection>,
    /// To be sent again, by index, ascending. Empty for a stateful publisher.
    pub retryable: Vec<u32>,
    /// Outcome not known, by index, ascending; a part of `retryable`.
    pub in_doubt: Vec<u32>,
    /// How long to wait before `retryable` are sent again.
    pub retry_after: Option<Duration>,
}

/// A record that was accepted into a buffer and given up later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRejection {
    /// Of the record's place in the queue.
    pub epoch: String,
    /// Of the record's place in the queue.
    pub offset: u64,
    /// Which leg of a composite; empty elsewhere.
    pub leg: String,
    /// The backend's own words.
    pub reason: String,
}

impl fmt::Display for LateRejection {
    /// Why, and whose doing it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.leg.as_str() {
            "" => f.write_str(&self.reason),
            leg => write!(f, "{leg}: {}", self.reason),
        }
    }
}

/// What a flush or a close left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Records accepted but not yet at the backend.
    pub pending: u64,
    /// What was given up since the last flush.
    pub rejected: Vec<LateRejection>,
    /// How long to wait before the next flush.
    pub retry_after: Option<Duration>,
    /// What keeps `pending` from the backend; empty where nothing is known to.
    pub reason: String,
}

/// A publisher's state, as a snapshot gives it and `open` takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Saved {
    /// Of the plugin's own format.
    pub version: u32,
    /// The plugin's own bytes.
    pub state: Bytes,
    /// Records with offsets below it are in the state.
    pub next_offset: u64,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("version", &self.version)
            .field("bytes", &self.state.len())
            .field("next_offset", &self.next_offset)
            .finish()
    }
}

/// What a scrape answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposition {
    /// The whole header value.
    pub content_type: String,
    /// Not compressed.
    pub body: Bytes,
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

/// One thing that a probe asked of the backend; each text fits on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was asked of: an origin, a stream; empty for the backend as a whole.
    pub of: String,
    /// What was asked, in a few words.
    pub question: String,
    /// How it stands.
    pub verdict: Verdict,
    /// The answer, for a person.
    pub answer: String,
    /// What to do about it; empty where the verdict is good.
    pub fix: String,
}

/// Something to paste into the backend's own set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Short, lower case, with hyphens: `role`.
    pub name: String,
    /// What it is, and where it goes, on one line.
    pub about: String,
    /// The text itself: lines, without other control characters.
    pub text: String,
}

/// A plugin's answer for a whole call that did not do what was asked. The host decides on the case, never on the words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The config cannot work. Where one key is at fault the text starts with its path and a colon.
    #[error("{0}")]
    Misconfigured(String),
    /// The backend refuses the credentials; tried again slowly.
    #[error("the backend refuses the credentials: {0}")]
    Unauthorized(String),
    /// The backend cannot be reached or asks to wait; the whole batch is sent again.
    #[error("the backend is not available: {reason}")]
    Unavailable {
        /// What failed, for a person.
        reason: String,
        /// The backend's own wish.
        retry_after: Option<Duration>,
    },
    /// The backend will never take this batch.
    #[error("the backend rejects it: {0}")]
    Rejected(String),
    /// The state that `open` was given cannot be used.
    #[error("the saved state cannot be used: {0}")]
    StateIncompatible(String),
    /// The plugin's own fault; sent again a bounded number of times.
    #[error("a fault of the plugin: {0}")]
    Internal(String),
}
