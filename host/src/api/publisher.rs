//! The trait that every publisher has, of this crate and of others, and what can be wrong with a call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, Metrics, NetworkMetrics, dictionary};

use super::composite::Members;
use super::start::StartError;
use super::undelivered::Undelivered;
use super::valid::InvalidRecord;

/// Where a program hands its records over.
///
/// The publishers of this crate take a record into memory and deliver it behind the call; one of your own may do
/// as it likes. In a [`CompositePublisher`](crate::CompositePublisher) any may stand beside any other.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// use metricast::{EventMetrics, MetricsPublisher, NetworkMetrics, PublishError, async_trait};
///
/// /// Counts what it is given.
/// #[derive(Default)]
/// struct Counting(AtomicU64);
///
/// #[async_trait]
/// impl MetricsPublisher for Counting {
///     async fn publish_event_metrics(&self, _metrics: &EventMetrics) -> Result<(), PublishError> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
///
///     async fn publish_network_metrics(&self, metrics: &NetworkMetrics) -> Result<(), PublishError> {
///         if metrics.host == "localhost" {
///             return Err(PublishError::Rejected("not of this house".into()));
///         }
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher: Box<dyn MetricsPublisher> = Box::new(Counting::default());
/// let event = EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     status: "running".into(),
///     ..EventMetrics::default()
/// };
/// publisher.publish_event_metrics(&event).await?;
/// assert!(publisher.format_metrics(&event.into()).starts_with(r#"{"event_name":"Pay""#));
/// publisher.close(Duration::from_secs(1)).await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait MetricsPublisher: Send + Sync {
    /// Takes one event.
    ///
    /// A publisher of this crate returns as soon as the record is in its memory. It waits only while its queue is full,
    /// and, at the first call of a publisher that was not [started](Self::start), until that is done. Dropping the
    /// future before it is ready means that the record was not taken.
    ///
    /// # Errors
    /// [`PublishError`]: the record was not taken.
    async fn publish_event_metrics(&self, metrics: &EventMetrics) -> Result<(), PublishError>;

    /// Takes one network operation, as [`publish_event_metrics`](Self::publish_event_metrics).
    ///
    /// # Errors
    /// [`PublishError`]: the record was not taken.
    async fn publish_network_metrics(&self, metrics: &NetworkMetrics) -> Result<(), PublishError>;

    /// What logs and reports call it.
    #[expect(clippy::unnecessary_literal_bound, reason = "others answer with a field")]
    fn name(&self) -> &str {
        "publisher"
    }

    /// The standard dictionary of a record: a JSON object with the record's fields, `timestamp` (RFC 3339, UTC, of the
    /// end or else the start), `metric_type` and `duration` (seconds; not there while there is no end).
    fn format_metrics(&self, metrics: &Metrics) -> String {
        dictionary::to_string(&metrics.as_ref())
    }

    /// Opens what has to be open before the first record, and says what is wrong with the settings. It need not be
    /// called: the first record does. A backend that is away is no error.
    ///
    /// # Errors
    /// Where it can never publish as it is set up.
    async fn start(&self) -> Result<(), StartError> {
        Ok(())
    }

    /// Waits until all that was taken before this call is at the backend, and no longer than `within`.
    ///
    /// # Errors
    /// With what is not delivered. What still waits goes on to be tried.
    async fn flush(&self, within: Duration) -> Result<(), Undelivered> {
        let _ = within;
        Ok(())
    }

    /// Takes no more records, delivers what was taken, and ends; after `within` it ends without.
    ///
    /// # Errors
    /// With what is not delivered. What still waited is lost.
    async fn close(&self, within: Duration) -> Result<(), Undelivered> {
        let _ = within;
        Ok(())
    }

    /// What a composite makes legs of; a publisher of another crate is a leg by itself.
    #[doc(hidden)]
    fn members(&self) -> Option<Members> {
        None
    }
}

/// Why a record was not taken.
///
/// ```
/// use metricast::{EventMetrics, MetricsPublisher, PrometheusPublisher, PublishError};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = PrometheusPublisher::new(0);
/// let nameless = EventMetrics { status: "completed".into(), ..EventMetrics::default() };
/// let refused = publisher.publish_event_metrics(&nameless).await.unwrap_err();
/// assert!(matches!(&refused, PublishError::Invalid(_)));
/// assert_eq!(refused.to_string(), "event_name is empty: a record needs one");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It has a value that no record has.
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    /// The publisher cannot work as it is set up; it stays so.
    #[error(transparent)]
    Start(#[from] Arc<StartError>),
    /// The queue has no room, and this call does not wait.
    #[error("the queue is full")]
    Full,
    /// The publisher is closed.
    #[error("the publisher is closed")]
    Closed,
    /// A publisher of your own: the backend cannot be reached. A composite tries again.
    #[error("the backend is not available: {0}")]
    Unavailable(String),
    /// A publisher of your own: the backend will never take this record. A composite counts and reports it.
    #[error("the backend rejects it: {0}")]
    Rejected(String),
}
