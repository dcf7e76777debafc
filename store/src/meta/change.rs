//! What one transaction changes, and the bounds that each part of it keeps.

use std::time::Duration;

use super::error::MetaError;

/// The longest name of a publisher, key of a place, plugin or digest, in bytes.
pub const MAX_NAME: usize = 1024;

/// The longest reason of a dead letter in bytes; a longer one is cut.
pub const MAX_REASON: usize = 4096;

/// The bounds of the database.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Dead letters kept; the oldest filed goes first.
    pub max_letters: u64,
    /// Bytes of dead letters kept. A record that alone is larger is filed without its text.
    pub max_letter_bytes: u64,
    /// Answers of requests kept for their repetition; the oldest goes first.
    pub max_requests: u64,
    /// How long an answer is kept, by the times that come with requests.
    pub max_request_age: Duration,
    /// The largest answer in bytes.
    pub max_answer_bytes: usize,
    /// The most offsets that a publisher has answered above its cursor.
    pub max_skipped: usize,
    /// The largest `extra` of a publisher or a place in bytes.
    pub max_extra_bytes: usize,
    /// Memory for redb's pages in bytes.
    pub cache_bytes: usize,
    /// Bytes kept aside so that a full disk does not stop what must be written: 0 for none.
    pub ballast_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_letters: 100_000,
            max_letter_bytes: 256 << 20,
            max_requests: 1_000_000,
            max_request_age: Duration::from_hours(24),
            max_answer_bytes: 4096,
            max_skipped: 65_536,
            max_extra_bytes: 64 << 10,
            cache_bytes: 16 << 20,
            ballast_bytes: 4 << 20,
        }
    }
}

/// What one transaction changes: all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What changes of publishers.
    pub publishers: Vec<PublisherChange>,
    /// Publishers that are forgotten, with cursor and state. Their dead letters stay.
    pub forget: Vec<String>,
    /// Dead letters to file. One whose key is filed already changes nothing.
    pub letters: Vec<Letter>,
    /// Numbers of dead letters to remove; those that are gone already change nothing.
    pub remove_letters: Vec<u64>,
    /// Requests that are answered. The same digest again replaces the answer.
    pub requests: Vec<Request>,
    /// Inputs and how far they are read; `None` removes the place.
    pub places: Vec<(String, Option<Place>)>,
}

/// What changes of one publisher. What is `None` stays as it is; a publisher that is not there is made.
#[derive(Clone, Debug, Default)]
pub struct PublisherChange {
    /// Its name.
    pub name: String,
    /// The offset below which it has answered for every record; one below that which is kept changes nothing, nor does
    /// the state that belongs to it. Skipped offsets below it go.
    pub cursor: Option<u64>,
    /// Offsets at or above the cursor that it has answered for, or must never see again.
    pub skip: Vec<u64>,
    /// The state that belongs to that cursor.
    pub state: Option<StateChange>,
    /// The plugin that runs it.
    pub plugin: Option<Plugin>,
    /// When it last pushed, unix seconds.
    pub last_push: Option<f64>,
    /// When its plugin was last closed, unix seconds.
    pub last_close: Option<f64>,
    /// When it last stood in a configuration, unix seconds.
    pub seen: Option<u64>,
    /// Records newly dropped by policy, added to the count.
    pub dropped: u64,
    /// A small field for the caller's own use.
    pub extra: Option<Vec<u8>>,
}

/// A plugin as it was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Its name and version.
    pub name: String,
    /// The digest of its file.
    pub digest: String,
}

/// What becomes of a publisher's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// There is none any more.
    Remove,
    /// This one.
    Set(State),
}

/// What a plugin keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The version of the bytes, the plugin's own.
    pub version: u32,
    /// The offset behind the last record that is in it.
    pub next_offset: u64,
    /// The state itself.
    pub bytes: Vec<u8>,
}

/// Why a record or a line is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The plugin or its backend rejected it.
    Rejected,
    /// The plugin trapped on it.
    Poison,
    /// It was too old when its turn came.
    Expired,
    /// It came later than its publisher takes records.
    Late,
    /// A source could not read it as a record.
    Refused,
}

/// A record that a publisher will not deliver, or a line that is no record.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Why it is here.
    pub kind: Kind,
    /// What it is.
    pub origin: Origin,
    /// The reason in words.
    pub reason: String,
    /// The plugin as name and version, empty where none had it.
    pub plugin: String,
    /// How often it was sent.
    pub attempts: u64,
    /// When it was received, unix seconds.
    pub received: f64,
    /// When it was filed, unix seconds.
    pub filed: f64,
}

/// What a dead letter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A record of the log, for one publisher. (publisher, epoch, offset) is its key.
    Record {
        /// The publisher.
        publisher: String,
        /// The epoch of its offset.
        epoch: [u8; 12],
        /// Its offset.
        offset: u64,
        /// It as JSON, or `None` where it is gone.
        record: Option<String>,
    },
    /// A line that a source refused; its number in the database is its only key. Its kind is [`Kind::Refused`].
    Line {
        /// The source: a file's name, an address.
        source: String,
        /// The line in it, from 1.
        line: u64,
        /// The line's bytes, or `None` where they are gone.
        raw: Option<Vec<u8>>,
    },
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The digest of its key.
    pub digest: [u8; 32],
    /// When it came, unix seconds.
    pub time: f64,
    /// The log's offset behind its records.
    pub next_offset: u64,
    /// What it was answered.
    pub answer: Vec<u8>,
}

/// How far an input is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes read.
    pub bytes: u64,
    /// Lines read.
    pub line: u64,
    /// A small field for the caller's own use.
    pub extra: Vec<u8>,
}

impl Letter {
    /// The publisher, empty for a refused line.
    pub fn publisher(&self) -> &str {
        match &self.origin {
            Origin::Record { publisher, .. } => publisher,
            Origin::Line { .. } => "",
        }
    }

    /// The record's text or the line's bytes.
    pub(super) fn body(&self) -> Option<&[u8]> {
        match &self.origin {
            Origin::Record { record, .. } => record.as_deref().map(str::as_bytes),
            Origin::Line { raw, .. } => raw.as_deref(),
        }
    }

    fn check(&self) -> Result<(), MetaError> {
        match &self.origin {
            Origin::Record { publisher, .. } => check_name("a dead letter's publisher in bytes", publisher)?,
            Origin::Line { source, .. } => at_most("a refused line's source in bytes", source.len(), MAX_NAME)?,
        }
        if (self.kind == Kind::Refused) != matches!(self.origin, Origin::Line { .. }) {
            return Err(MetaError::Contradiction("refused are lines, and every other dead letter is a record"));
        }
        at_most("a dead letter's plugin in bytes", self.plugin.len(), MAX_NAME)
    }
}

impl Change {
    /// Whether each part keeps its bound.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), MetaError> {
        for publisher in &self.publishers {
            publisher.check(limits)?;
        }
        self.letters.iter().try_for_each(Letter::check)?;
        for request in &self.requests {
            at_most("a request's answer in bytes", request.answer.len(), limits.max_answer_bytes)?;
        }
        for (key, place) in &self.places {
            check_name("the key of a place in bytes", key)?;
            let extra = place.as_ref().map_or(0, |place| place.extra.len());
            at_most("a place's extra in bytes", extra, limits.max_extra_bytes)?;
        }
        Ok(())
    }

    /// About the bytes that it writes.
    pub(super) fn weight(&self) -> usize {
        let states = self.publishers.iter().map(|publisher| match &publisher.state {
            Some(StateChange::Set(state)) => state.bytes.len(),
            _ => 0,
        });
        let letters = self.letters.iter().map(|letter| letter.body().map_or(0, <[u8]>::len));
        states.sum::<usize>() + letters.sum::<usize>()
    }
}

impl PublisherChange {
    fn check(&self, limits: &Limits) -> Result<(), MetaError> {
        check_name("a publisher's name in bytes", &self.name)?;
        if let Some(plugin) = &self.plugin {
            at_most("a plugin's name in bytes", plugin.name.len(), MAX_NAME)?;
            at_most("a plugin's digest in bytes", plugin.digest.len(), MAX_NAME)?;
        }
        if let Some(StateChange::Set(state)) = &self.state {
            at_most("a publisher's state in bytes", state.bytes.len(), u32::MAX as usize)?;
        }
        at_most("a publisher's extra in bytes", self.extra.as_ref().map_or(0, Vec::len), limits.max_extra_bytes)
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), MetaError> {
    if name.is_empty() {
        return Err(MetaError::Contradiction("a publisher, or a place, has an empty name"));
    }
    at_most(what, name.len(), MAX_NAME)
}

pub(super) fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), MetaError> {
    if found <= limit { Ok(()) } else { Err(MetaError::TooMuch { what, limit: limit as u64, found: found as u64 }) }
}
