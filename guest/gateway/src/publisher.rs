//! What the gateway has around it: a plugin with the contract of `wit/publisher.wit`, a place for its config, a clock.
//!
//! Traits, so that all of the gateway's rules are tested without a component; `component` has the one that
//! stands before the bindings. The meaning of each field is that of `wit/types.wit`.

use std::time::Duration;

use metricast_records::Batch;

/// Where the gateway runs and what it runs with.
pub trait Surroundings {
    /// An open publisher.
    type Publisher: Publisher;

    /// Name and version of the plugin.
    fn plugin(&self) -> (String, String);
    /// Judges a config without any I/O.
    ///
    /// # Errors
    /// [`PublishError::Misconfigured`]
    fn check(&self, config: &str) -> Result<(), PublishError>;
    /// Opens a publisher that has no state.
    ///
    /// # Errors
    /// [`PublishError`]
    fn open(&self, config: &str) -> Result<Self::Publisher, PublishError>;
    /// The config that was made part of the component.
    fn settings(&self) -> Option<String>;
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// Seconds since the Unix epoch.
    fn time(&self) -> f64;
    /// Since some moment, never back.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, duration: Duration);
    /// Nobody has had it before.
    fn random(&self) -> u128;
    /// A line for the host's log.
    fn log(&self, line: &str);
}

/// An open publisher. Dropping it loses what it holds.
pub trait Publisher {
    /// What it is like.
    fn profile(&self) -> Profile;
    /// Many records.
    ///
    /// # Errors
    /// [`PublishError`], of all of them.
    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError>;
    /// Sends what is due.
    ///
    /// # Errors
    /// [`PublishError`]
    fn flush(&self) -> Result<Flushed, PublishError>;
    /// The exposition that suits an Accept header.
    fn scrape(&self, accept: &str) -> Option<Exposition>;
}

/// What the gateway asks of a profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile {
    /// Keeps state between calls.
    pub stateful: bool,
    /// Has something to scrape.
    pub scrapes: bool,
}

/// What became of each record of a batch.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// How many the backend has.
    pub accepted: u32,
    /// Index and reason of each that is never to be sent again.
    pub rejected: Vec<(u32, String)>,
    /// To be sent again, by index.
    pub retryable: Vec<u32>,
    /// Whether the outcome of some of these is not known.
    pub in_doubt: bool,
    /// The backend's wish for how long to wait, milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What a flush left behind.
#[derive(Clone, Debug, Default)]
pub struct Flushed {
    /// Records accepted but not yet at the backend.
    pub pending: u64,
    /// What was given up since the last flush.
    pub rejected: Vec<LateRejection>,
    /// The wish for how long to wait, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// What keeps `pending` from the backend; empty where nothing is known to.
    pub reason: String,
}

/// A record that was accepted into a buffer and given up later.
#[derive(Clone, Debug)]
pub struct LateRejection {
    /// With `offset` it names the record.
    pub epoch: String,
    /// With `epoch` it names the record.
    pub offset: u64,
    /// Which leg of a composite; empty elsewhere.
    pub leg: String,
    /// The backend's own words.
    pub reason: String,
}

/// What a scrape answers.
#[derive(Clone, Debug)]
pub struct Exposition {
    /// The whole header value.
    pub content_type: String,
    /// Not compressed.
    pub body: Vec<u8>,
}

/// Of a whole call.
#[derive(Clone, Debug)]
pub enum PublishError {
    /// The config cannot work.
    Misconfigured(String),
    /// The backend refuses the credentials.
    Unauthorized(String),
    /// The backend cannot be reached or asks to wait.
    Unavailable {
        /// What failed.
        reason: String,
        /// The backend's wish for how long to wait, milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The backend will never take this batch.
    Rejected(String),
    /// The plugin's own fault, and the cases that no gateway meets.
    Internal(String),
}
