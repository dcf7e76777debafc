//! The trait that a plugin is.

use metricast_records::Batch;
use serde::de::DeserializeOwned;

use crate::answer::{Exposition, Finding, Flushed, Profile, PublishError, Receipt, Saved, Snippet};

/// Who a plugin is and what config it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Short, lower case, with hyphens: `elasticsearch`.
    pub name: &'static str,
    /// Semantic version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// JSON Schema of the config, an object. Its `properties` are the keys that the config may have: others are
    /// refused, with the nearest one named.
    pub config_schema: &'static str,
}

/// A backend. The host calls one method at a time and waits for the answer.
pub trait Publisher: Sized + 'static {
    /// The config, from JSON. Keys are checked against the schema before; types and values are checked here.
    type Config: DeserializeOwned;

    /// Who this is; the same at every call.
    fn description() -> Description;

    /// What a host may want to know beyond the description, as key and value: the keys are those that `description.extra`
    /// of the contract lists.
    fn extra() -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Judges a config without I/O, beyond what its type says. Called before every `open` too.
    ///
    /// # Errors
    /// [`PublishError::Misconfigured`], best made with [`PublishError::misconfigured`].
    fn check(config: &Self::Config) -> Result<(), PublishError> {
        let _ = config;
        Ok(())
    }

    /// What the backend says to a config before any record is sent. Asks and changes nothing; what hangs on something
    /// that already failed is left out.
    fn probe(config: &Self::Config) -> Vec<Finding> {
        let _ = config;
        Vec::new()
    }

    /// What a person needs to set the backend up, ready to paste. Without I/O. The config was not given to
    /// [`check`](Self::check): it may be of several openings, and lack what a person has only once the backend is set up.
    ///
    /// # Errors
    /// [`PublishError::Misconfigured`], where what is asked for cannot be made of the config.
    fn snippets(config: &Self::Config) -> Result<Vec<Snippet>, PublishError> {
        let _ = config;
        Ok(Vec::new())
    }

    /// Opens a publisher, with the state that an earlier one's `snapshot` gave. May talk to the backend.
    ///
    /// # Errors
    /// Any; [`PublishError::StateIncompatible`] where the state cannot be used.
    fn open(config: Self::Config, state: Option<Saved>) -> Result<Self, PublishError>;

    /// What this publisher is like. Does not change while it is open.
    fn profile(&self) -> Profile {
        Profile::default()
    }

    /// Takes many records. Records without a place in a queue come as a batch with an empty epoch.
    ///
    /// # Errors
    /// One that is of all the records; what differs from record to record is a [`Receipt`].
    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError>;

    /// Sends what is due at an interval ([`Profile::flush_interval_ms`]).
    ///
    /// # Errors
    /// What the backend said; it is tried again at the next interval.
    fn flush(&mut self) -> Result<Flushed, PublishError> {
        Ok(Flushed::default())
    }

    /// Sends the last of it. After it only `snapshot` is called.
    ///
    /// # Errors
    /// What the backend said.
    fn close(&mut self) -> Result<Flushed, PublishError> {
        self.flush()
    }

    /// The state to save: all records of the calls that were answered and no part of any other.
    fn snapshot(&self) -> Option<Saved> {
        None
    }

    /// The exposition that suits an HTTP Accept header.
    fn scrape(&self, accept: &str) -> Option<Exposition> {
        let _ = accept;
        None
    }
}
