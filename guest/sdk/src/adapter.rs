//! Between a [`Publisher`] and the bindings: what [`export!`](crate::export) names, and nobody else.

use std::cell::RefCell;
use std::marker::PhantomData;

use metricast_records::{Batch, BatchBuilder, Columns, EventMetrics, Metrics, MetricsRef, NetworkMetrics};

use crate::answer;
use crate::bindings::exports::metricast::publisher::publisher::{Guest, GuestPublisher, Publisher as Handle};
use crate::bindings::metricast::publisher::types as wit;
use crate::publisher::Publisher;
use crate::{config, dictionary, panic};

/// The plugin that a [`Publisher`] makes.
pub struct Plugin<P>(PhantomData<P>);

/// An open publisher.
pub struct Open<P>(RefCell<P>);

impl<P: Publisher> Guest for Plugin<P> {
    type Publisher = Open<P>;

    fn describe() -> wit::Description {
        let description = P::description();
        wit::Description {
            name: description.name.to_owned(),
            version: description.version.to_owned(),
            config_schema: description.config_schema.to_owned(),
            extra: P::extra()
                .iter()
                .map(|(key, value)| wit::Attribute { key: (*key).to_owned(), value: (*value).to_owned() })
                .collect(),
        }
    }

    fn format_metrics(metrics: wit::Metrics) -> String {
        dictionary::to_string(&Metrics::from(metrics).as_ref())
    }

    fn check(config: String) -> Result<(), wit::PublishError> {
        panic::log_panics();
        config::parse::<P>(&config)?;
        Ok(())
    }

    fn probe(config: String) -> Result<Vec<wit::Finding>, wit::PublishError> {
        panic::log_panics();
        let findings = P::probe(&config::parse::<P>(&config)?);
        Ok(findings.into_iter().map(wit::Finding::from).collect())
    }

    fn snippets(config: String) -> Result<Vec<wit::Snippet>, wit::PublishError> {
        panic::log_panics();
        let snippets = P::snippets(&config::read::<P>(&config)?)?;
        Ok(snippets.into_iter().map(wit::Snippet::from).collect())
    }
}

impl<P: Publisher> GuestPublisher for Open<P> {
    fn open(config: String, state: Option<wit::Saved>) -> Result<Handle, wit::PublishError> {
        panic::log_panics();
        let config = config::parse::<P>(&config)?;
        let publisher = P::open(config, state.map(answer::Saved::from))?;
        Ok(Handle::new(Self(RefCell::new(publisher))))
    }

    fn profile(&self) -> wit::Profile {
        self.0.borrow().profile().into()
    }

    fn publish_event_metrics(&self, metrics: wit::EventMetrics) -> Result<wit::Receipt, wit::PublishError> {
        self.publish_one(&MetricsRef::Event(EventMetrics::from(metrics).as_ref()))
    }

    fn publish_network_metrics(&self, metrics: wit::NetworkMetrics) -> Result<wit::Receipt, wit::PublishError> {
        self.publish_one(&MetricsRef::Network(NetworkMetrics::from(metrics).as_ref()))
    }

    fn publish_batch(&self, batch: wit::Batch) -> Result<wit::Receipt, wit::PublishError> {
        let batch = Batch::try_from(Columns::from(batch))
            .map_err(|error| wit::PublishError::Internal(format!("the host's batch is not valid: {error}")))?;
        Ok(self.0.borrow_mut().publish(&batch)?.into())
    }

    fn flush(&self) -> Result<wit::Flushed, wit::PublishError> {
        Ok(self.0.borrow_mut().flush()?.into())
    }

    fn close(&self) -> Result<wit::Flushed, wit::PublishError> {
        Ok(self.0.borrow_mut().close()?.into())
    }

    fn snapshot(&self) -> Option<wit::Saved> {
        self.0.borrow().snapshot().map(wit::Saved::from)
    }

    fn scrape(&self, accept: String) -> Option<wit::Exposition> {
        let exposition = self.0.borrow().scrape(&accept)?;
        Some(wit::Exposition { content_type: exposition.content_type, body: exposition.body })
    }
}

impl<P: Publisher> Open<P> {
    fn publish_one(&self, metrics: &MetricsRef<'_>) -> Result<wit::Receipt, wit::PublishError> {
        let internal = |error: &dyn std::fmt::Display| wit::PublishError::Internal(error.to_string());
        let mut builder = BatchBuilder::new();
        builder.push(metrics, now()).map_err(|error| internal(&error))?;
        // A caller of single records is held to the same rules as a batch.
        let batch = Batch::try_from(Columns::from(builder.finish())).map_err(|error| internal(&error))?;
        Ok(self.0.borrow_mut().publish(&batch)?.into())
    }
}

fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}
