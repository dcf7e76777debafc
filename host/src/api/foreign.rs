//! A publisher of another crate as a leg: what the delivery of a plugin does for it, too. It is handed records one by
//! one, those that it calls [unavailable](PublishError::Unavailable) again after a pause; one that it panics on is
//! rejected, and one that it has no answer for in time is tried again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use metricast_records::{Batch, MetricsRef};
use tokio::time::timeout;

use super::publisher::{MetricsPublisher, PublishError};
use super::undelivered::{Shortfall, Undelivered, Untaken};
use crate::delivery::{Opener, Sandbox};
use crate::plugin::{self, CallError, Exposition, Flushed, Profile, Receipt, Rejection, Saved};

/// How long one record may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// It may be handed one batch at a time: records come in their order.
const ONE: std::num::NonZeroU32 = std::num::NonZeroU32::MIN;

#[derive(Clone)]
pub(super) struct Foreign {
    publisher: Arc<dyn MetricsPublisher>,
    /// It gets no more records. A delivery whose thread is blocked hears of its end too late.
    is_over: Arc<AtomicBool>,
}

impl Opener for Foreign {
    type Sandbox = Self;

    fn plugin(&self) -> String {
        "a publisher of this program".to_owned()
    }

    async fn open(&self, _state: Option<Saved>) -> Result<Self, CallError> {
        Ok(self.clone())
    }
}

impl Foreign {
    pub(super) fn new(publisher: Arc<dyn MetricsPublisher>) -> Self {
        Self { publisher, is_over: Arc::default() }
    }

    pub(super) fn is_over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_over)
    }

    async fn hand_over(&self, metrics: MetricsRef<'_>) -> Answer {
        let call = async {
            match metrics {
                MetricsRef::Event(metrics) => self.publisher.publish_event_metrics(&metrics.to_owned()).await,
                MetricsRef::Network(metrics) => self.publisher.publish_network_metrics(&metrics.to_owned()).await,
            }
        };
        match timeout(PATIENCE, AssertUnwindSafe(call).catch_unwind()).await {
            Ok(Ok(Ok(()))) => Answer::Taken,
            Ok(Ok(Err(error @ (PublishError::Unavailable(_) | PublishError::Full)))) => {
                Answer::Later(error.to_string())
            }
            Ok(Ok(Err(error))) => Answer::Never(error.to_string()),
            Ok(Err(panic)) => Answer::Never(format!("it panicked: {}", words(&*panic))),
            Err(_elapsed) => Answer::Unknown,
        }
    }
}

/// What became of one record.
enum Answer {
    Taken,
    Later(String),
    Never(String),
    Unknown,
}

impl Sandbox for Foreign {
    fn profile(&self) -> Profile {
        Profile { stateful: false, max_instances: ONE, flush_interval: None, scrapes: false }
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<Receipt, CallError> {
        let mut receipt = Receipt::default();
        for record in batch.records() {
            if self.is_over.load(Ordering::Relaxed) {
                receipt.retryable.extend(record.index..batch.len() as u32);
                break;
            }
            match self.hand_over(record.metrics).await {
                Answer::Taken => receipt.accepted += 1,
                Answer::Never(reason) => receipt.rejected.push(Rejection { index: record.index, reason }),
                Answer::Later(reason) if record.index == 0 => {
                    return Err(plugin::PublishError::Unavailable { reason, retry_after: None }.into());
                }
                Answer::Later(_) => {
                    // Those behind it wait with it.
                    receipt.retryable.extend(record.index..batch.len() as u32);
                    break;
                }
                Answer::Unknown => {
                    receipt.retryable.extend(record.index..batch.len() as u32);
                    receipt.in_doubt.push(record.index);
                    break;
                }
            }
        }
        Ok(receipt)
    }

    async fn flush(&self) -> Result<Flushed, CallError> {
        Ok(Flushed::default())
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        Ok(Flushed::default())
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        Ok(None)
    }

    async fn scrape(&self, _accept: &str) -> Result<Option<Exposition>, CallError> {
        Ok(None)
    }
}

/// Its own flush or close, which may panic like any other call of it.
pub(super) async fn settled(
    name: &str,
    call: impl Future<Output = Result<(), Undelivered>>,
    within: Duration,
) -> Result<(), Undelivered> {
    let trouble = match timeout(within, AssertUnwindSafe(call).catch_unwind()).await {
        Ok(Ok(settled)) => return settled,
        Ok(Err(panic)) => format!("it panicked: {}", words(&*panic)),
        Err(_elapsed) => "it was not done in time".to_owned(),
    };
    let shortfall = Shortfall { publisher: name.to_owned(), why: Some(trouble), ..Shortfall::default() };
    Undelivered::of([shortfall], Untaken::default())
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}
