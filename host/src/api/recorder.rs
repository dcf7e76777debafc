//! The end of a publisher for code that must not wait.

use std::sync::Arc;

use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};

use super::intake::Intake;
use super::publisher::PublishError;

/// Hands records over without ever waiting: for callbacks, locks held, and [`MetricsLayer`](crate::MetricsLayer). Cheap
/// to clone; it does not keep its publisher alive.
///
/// Before its publisher has started it takes some 1,000 records, which go out once it has.
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{EventMetrics, MetricsPublisher, PrometheusPublisher, PublishError};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = PrometheusPublisher::new(0);
/// let recorder = publisher.recorder();
/// let event = EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     status: "running".into(),
///     ..EventMetrics::default()
/// };
/// recorder.record_event(&event)?;
/// publisher.close(Duration::from_secs(10)).await?;
/// assert!(matches!(recorder.record_event(&event), Err(PublishError::Closed)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    intake: Arc<Intake>,
}

impl Recorder {
    pub(super) fn new(intake: Arc<Intake>) -> Self {
        Self { intake }
    }

    /// Takes one event.
    ///
    /// ```
    /// # use metricast::{EventMetrics, PrometheusPublisher};
    /// let publisher = PrometheusPublisher::new(0);
    /// let nameless = publisher.recorder().record_event(&EventMetrics::default()).unwrap_err();
    /// assert_eq!(nameless.to_string(), "event_name is empty: a record needs one");
    /// ```
    ///
    /// # Errors
    /// [`PublishError::Full`] where there is no room: the next flush or close counts the record as `unqueued`. What else
    /// is in the record's way.
    pub fn record_event(&self, metrics: &EventMetrics) -> Result<(), PublishError> {
        self.record(&MetricsRef::Event(metrics.as_ref()))
    }

    /// Takes one network operation.
    ///
    /// ```
    /// # use metricast::{NetworkMetrics, PrometheusPublisher};
    /// # let publisher = PrometheusPublisher::new(0);
    /// # let recorder = publisher.recorder();
    /// let connect = NetworkMetrics { operation: "connect".into(), host: "db".into(), ..NetworkMetrics::default() };
    /// recorder.record_network(&connect)?;
    /// # Ok::<(), metricast::PublishError>(())
    /// ```
    ///
    /// # Errors
    /// As [`record_event`](Self::record_event).
    pub fn record_network(&self, metrics: &NetworkMetrics) -> Result<(), PublishError> {
        self.record(&MetricsRef::Network(metrics.as_ref()))
    }

    /// As [`record_event`](Self::record_event) for a caller that is not told what is wrong: a flush or close tells.
    pub(super) fn record_span(&self, metrics: &EventMetrics) {
        if let Err(PublishError::Invalid(invalid)) = self.record_event(metrics) {
            self.intake.note_invalid(&metrics.event_name, &invalid);
        }
    }

    /// Tells publishers apart.
    pub(super) fn publisher(&self) -> usize {
        Arc::as_ptr(&self.intake).addr()
    }

    fn record(&self, metrics: &MetricsRef<'_>) -> Result<(), PublishError> {
        let taken = self.intake.offer(metrics);
        if matches!(taken, Err(PublishError::Full)) {
            self.intake.note_unqueued();
        }
        taken
    }
}
