//! What a delivery needs of a plugin, so that it can be tested with a scripted one.

use std::future::Future;
use std::sync::Arc;

use metricast_records::Batch;

use crate::plugin::{CallError, Exposition, Flushed, Instance, OpenOptions, Plugin, Profile, Receipt, Saved};

/// Opens instances of one publisher.
pub trait Opener: Send + Sync + 'static {
    /// What it opens.
    type Sandbox: Sandbox;

    /// The plugin's name and version.
    fn plugin(&self) -> String;
    /// Opens one more, with a state that an earlier one gave.
    fn open(&self, state: Option<Saved>) -> impl Future<Output = Result<Self::Sandbox, CallError>> + Send;
}

/// An open publisher.
pub trait Sandbox: Clone + Send + Sync + 'static {
    /// What it is like.
    fn profile(&self) -> Profile;
    /// Hands a batch over.
    fn publish(&self, batch: Arc<Batch>) -> impl Future<Output = Result<Receipt, CallError>> + Send;
    /// Lets it send what is due.
    fn flush(&self) -> impl Future<Output = Result<Flushed, CallError>> + Send;
    /// Lets it send the last.
    fn close(&self) -> impl Future<Output = Result<Flushed, CallError>> + Send;
    /// Its state.
    fn snapshot(&self) -> impl Future<Output = Result<Option<Saved>, CallError>> + Send;
    /// What it shows to a scraper that accepts this.
    fn scrape(&self, accept: &str) -> impl Future<Output = Result<Option<Exposition>, CallError>> + Send;
}

/// A plugin with the options that all instances of one publisher are opened with.
pub(crate) struct PluginOpener {
    pub(crate) plugin: Plugin,
    pub(crate) options: OpenOptions,
}

impl Opener for PluginOpener {
    type Sandbox = Instance;

    fn plugin(&self) -> String {
        self.plugin.label().to_owned()
    }

    async fn open(&self, state: Option<Saved>) -> Result<Instance, CallError> {
        self.plugin.open(self.options.clone().with_state(state)).await
    }
}

impl Sandbox for Instance {
    fn profile(&self) -> Profile {
        *Instance::profile(self)
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        Instance::publish(self, batch).await
    }

    async fn flush(&self) -> Result<Flushed, CallError> {
        Instance::flush(self).await
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        Instance::close(self).await
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        Instance::snapshot(self).await
    }

    async fn scrape(&self, accept: &str) -> Result<Option<Exposition>, CallError> {
        Instance::scrape(self, accept).await
    }
}
