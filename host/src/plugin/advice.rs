//! The contract's calls that need no open publisher: a plugin's judgement of a config, what it finds out about the
//! backend, what it tells a person to set up.

use metricast_records::{EventMetrics, Metrics, NetworkMetrics};

use super::fault::CallError;
use super::sandbox::{Sandbox, Surroundings};
use super::types::{Description, Finding, Snippet};
use crate::bindings::{PluginPre, lower, types as raw};
use crate::egress::Egress;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::untrusted;

pub(super) struct Advice {
    code: PluginPre<Surroundings>,
    identity: Identity,
    egress: Egress,
    limits: Limits,
}

impl Advice {
    /// From a plugin that reaches nothing.
    pub(super) fn new(code: PluginPre<Surroundings>, identity: Identity, limits: Limits) -> Self {
        Self { code, identity, egress: Egress::closed(), limits }
    }

    pub(super) fn with_egress(self, egress: Egress) -> Self {
        Self { egress, ..self }
    }

    pub(super) async fn describe(&mut self) -> Result<Description, CallError> {
        let mut sandbox = self.sandbox().await?;
        let (watch, guest, store) = sandbox.ready();
        let raw = watch.bound(guest.call_describe(store)).await?;
        Ok(untrusted::description(raw, &self.limits)?)
    }

    pub(super) async fn format_metrics(&mut self, metrics: &Metrics) -> Result<String, CallError> {
        let mut sandbox = self.sandbox().await?;
        let (watch, guest, store) = sandbox.ready();
        let (Metrics::Event(EventMetrics { attributes, .. }) | Metrics::Network(NetworkMetrics { attributes, .. })) =
            metrics;
        let attributes = lower::attributes(attributes);
        let metrics = match metrics {
            Metrics::Event(event) => raw::Metrics::Event(lower::event(event, &attributes)),
            Metrics::Network(network) => raw::Metrics::Network(lower::network(network, &attributes)),
        };
        Ok(watch.bound(guest.call_format_metrics(store, metrics)).await?)
    }

    pub(super) async fn check(&mut self, config: &str) -> Result<(), CallError> {
        let mut sandbox = self.sandbox().await?;
        let (watch, guest, store) = sandbox.ready();
        let judged = watch.bound(guest.call_check(store, config)).await?;
        judged.map_err(|error| untrusted::publish_error(error, &self.limits).into())
    }

    pub(super) async fn probe(&mut self, config: &str) -> Result<Vec<Finding>, CallError> {
        let mut sandbox = self.sandbox().await?;
        let (watch, guest, store) = sandbox.ready();
        let found = watch.bound(guest.call_probe(store, config)).await?;
        let found = found.map_err(|error| untrusted::publish_error(error, &self.limits))?;
        Ok(untrusted::findings(found, &self.limits)?)
    }

    pub(super) async fn snippets(&mut self, config: &str) -> Result<Vec<Snippet>, CallError> {
        let mut sandbox = self.sandbox().await?;
        let (watch, guest, store) = sandbox.ready();
        let told = watch.bound(guest.call_snippets(store, config)).await?;
        let told = told.map_err(|error| untrusted::publish_error(error, &self.limits))?;
        Ok(untrusted::snippets(told, &self.limits)?)
    }

    async fn sandbox(&self) -> Result<Sandbox, CallError> {
        Ok(Sandbox::new(&self.code, self.identity.clone(), &self.egress, &self.limits).await?)
    }
}
