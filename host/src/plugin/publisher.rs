//! The contract's calls on one open publisher, each bounded, its answer checked.

use metricast_records::{Batch, EventMetrics, NetworkMetrics};
use wasmtime::component::ResourceAny;

use super::OpenOptions;
use super::fault::CallError;
use super::sandbox::{Sandbox, Surroundings};
use super::types::{Exposition, Flushed, Profile, Receipt, Saved};
use crate::bindings::{PluginPre, lower, types as raw};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::untrusted;

pub(super) struct OpenPublisher {
    sandbox: Sandbox,
    resource: ResourceAny,
    profile: Profile,
    limits: Limits,
}

impl OpenPublisher {
    pub(super) async fn open(
        code: &PluginPre<Surroundings>,
        identity: Identity,
        options: OpenOptions,
    ) -> Result<Self, CallError> {
        let OpenOptions { config, state, egress, limits, .. } = options;
        let mut sandbox = Sandbox::new(code, identity, &egress, &limits).await?;
        let state = state.as_ref().map(|saved| raw::SavedParam {
            version: saved.version,
            state: &saved.state,
            next_offset: saved.next_offset,
        });

        let (watch, guest, store) = sandbox.ready();
        let opened = watch.bound(guest.publisher().call_open(store, &config, state)).await?;
        let resource = opened.map_err(|error| untrusted::publish_error(error, &limits))?;

        let (watch, guest, store) = sandbox.ready();
        let profile = watch.bound(guest.publisher().call_profile(store, resource)).await?;
        let profile = untrusted::profile(profile)?;
        Ok(Self { sandbox, resource, profile, limits })
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) async fn publish(&mut self, batch: &Batch) -> Result<Receipt, CallError> {
        let (watch, guest, store) = self.sandbox.ready();
        let columns = lower::batch(batch);
        let answer = watch.bound(guest.publisher().call_publish_batch(store, self.resource, columns)).await?;
        self.receipt(answer, batch.len())
    }

    pub(super) async fn publish_event(&mut self, metrics: &EventMetrics) -> Result<Receipt, CallError> {
        let attributes = lower::attributes(&metrics.attributes);
        let metrics = lower::event(metrics, &attributes);
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_publish_event_metrics(store, self.resource, metrics)).await?;
        self.receipt(answer, 1)
    }

    pub(super) async fn publish_network(&mut self, metrics: &NetworkMetrics) -> Result<Receipt, CallError> {
        let attributes = lower::attributes(&metrics.attributes);
        let metrics = lower::network(metrics, &attributes);
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_publish_network_metrics(store, self.resource, metrics)).await?;
        self.receipt(answer, 1)
    }

    pub(super) async fn flush(&mut self) -> Result<Flushed, CallError> {
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_flush(store, self.resource)).await?;
        self.flushed(answer)
    }

    pub(super) async fn close(&mut self) -> Result<Flushed, CallError> {
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_close(store, self.resource)).await?;
        self.flushed(answer)
    }

    pub(super) async fn snapshot(&mut self) -> Result<Option<Saved>, CallError> {
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_snapshot(store, self.resource)).await?;
        Ok(untrusted::saved(answer, self.profile.stateful, &self.limits)?)
    }

    pub(super) async fn scrape(&mut self, accept: &str) -> Result<Option<Exposition>, CallError> {
        let (watch, guest, store) = self.sandbox.ready();
        let answer = watch.bound(guest.publisher().call_scrape(store, self.resource, accept)).await?;
        Ok(untrusted::exposition(answer, &self.limits)?)
    }

    fn receipt(&self, answer: Result<raw::Receipt, raw::PublishError>, records: usize) -> Result<Receipt, CallError> {
        let receipt = answer.map_err(|error| untrusted::publish_error(error, &self.limits))?;
        Ok(untrusted::receipt(receipt, records, self.profile.stateful, &self.limits)?)
    }

    fn flushed(&self, answer: Result<raw::Flushed, raw::PublishError>) -> Result<Flushed, CallError> {
        let flushed = answer.map_err(|error| untrusted::publish_error(error, &self.limits))?;
        Ok(untrusted::flushed(flushed, &self.limits)?)
    }
}
