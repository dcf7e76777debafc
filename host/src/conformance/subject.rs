//! The plugin that is judged, and what it is opened with.

use std::sync::Arc;

use metricast_records::Batch;

use super::report::Amiss;
use crate::egress::Secrets;
use crate::grants::Grants;
use crate::limits::Limits;
use crate::plugin::{CallError, Exposition, Instance, OpenOptions, Plugin, PublishError, Receipt, Saved};

/// Formats that scrapers ask for, and one that nobody has.
pub(super) const ACCEPTS: [&str; 4] = [
    "text/plain",
    "application/openmetrics-text; version=1.0.0",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
    "nonsense/*; q=x",
];

pub(super) struct Subject {
    pub(super) plugin: Plugin,
    pub(super) options: OpenOptions,
    pub(super) limits: Limits,
}

impl Subject {
    pub(super) fn new(plugin: Plugin, options: OpenOptions, limits: Limits) -> Self {
        Self { plugin, options, limits }
    }

    /// The settings as the plugin sees them.
    pub(super) fn settings(&self) -> &str {
        self.options.config()
    }

    /// Opens it with nothing saved.
    pub(super) async fn open(&self) -> Result<Instance, Amiss> {
        Ok(self.plugin.open(self.options.clone()).await?)
    }

    /// Opens it from a saved state.
    pub(super) async fn open_from(&self, saved: Saved) -> Result<Instance, CallError> {
        self.plugin.open(self.options.clone().with_state(Some(saved))).await
    }

    /// Opens it with settings that name nothing it could reach.
    pub(super) async fn open_with(&self, settings: &str) -> Result<Instance, CallError> {
        let (grants, secrets) = (Grants::default(), Secrets::default());
        self.plugin.open(OpenOptions::new("conformance", settings, grants, secrets, self.limits.clone())).await
    }

    /// An instance of a plugin that keeps state.
    pub(super) async fn stateful(&self) -> Result<Instance, Amiss> {
        let instance = self.open().await?;
        if instance.profile().stateful { Ok(instance) } else { Err(Amiss::DoesNotApply("it keeps no state")) }
    }
}

/// Publishes a batch; `None` where the plugin will not take it as a whole, which it may.
pub(super) async fn publish(instance: &Instance, batch: &Arc<Batch>) -> Result<Option<Receipt>, Amiss> {
    match instance.publish(batch.clone()).await {
        Ok(receipt) => Ok(Some(receipt)),
        Err(CallError::Publish(PublishError::Rejected(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Everything that a scraper can see.
pub(super) async fn shown(instance: &Instance) -> Result<Vec<Option<Exposition>>, Amiss> {
    let mut shown = Vec::new();
    for accept in ACCEPTS {
        shown.push(instance.scrape(accept).await?);
    }
    Ok(shown)
}

/// What a plugin that keeps state saves.
pub(super) async fn saved(instance: &Instance) -> Result<Saved, Amiss> {
    let saved = instance.snapshot().await?;
    saved.ok_or_else(|| Amiss::Broken("it keeps state, and its snapshot is none".to_owned()))
}
