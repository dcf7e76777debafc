//! What a composite needs of a leg: a plugin, and an open publisher of it.

use crate::types::{Batch, Description, Exposition, Finding, Flushed, Profile, PublishError, Receipt, Saved, Snippet};

/// A plugin that is composed in. The meaning of each function is that of `wit/publisher.wit`.
pub trait Leg {
    /// Who it is.
    fn describe(&self) -> Description;

    /// Judges its config.
    ///
    /// # Errors
    /// `misconfigured`.
    fn check(&self, config: &str) -> Result<(), PublishError>;

    /// Asks its backend.
    ///
    /// # Errors
    /// `misconfigured`.
    fn probe(&self, config: &str) -> Result<Vec<Finding>, PublishError>;

    /// What a person needs to set its backend up.
    ///
    /// # Errors
    /// `misconfigured`.
    fn snippets(&self, config: &str) -> Result<Vec<Snippet>, PublishError>;

    /// Opens a publisher.
    ///
    /// # Errors
    /// Any.
    fn open(&self, config: &str, state: Option<&Saved>) -> Result<Box<dyn OpenLeg>, PublishError>;
}

/// An open publisher of a leg.
pub trait OpenLeg {
    /// What it is like.
    fn profile(&self) -> Profile;

    /// Takes many records.
    ///
    /// # Errors
    /// One that is of all of them.
    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError>;

    /// Sends what is due.
    ///
    /// # Errors
    /// What its backend said.
    fn flush(&self) -> Result<Flushed, PublishError>;

    /// Sends the last of it.
    ///
    /// # Errors
    /// What its backend said.
    fn close(&self) -> Result<Flushed, PublishError>;

    /// Its state.
    fn snapshot(&self) -> Option<Saved>;

    /// What it exposes.
    fn scrape(&self, accept: &str) -> Option<Exposition>;
}
