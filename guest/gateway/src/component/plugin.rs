//! The plugin that this component is composed with, its config, and the clocks of the host.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use metricast_records::Batch;

use crate::bindings::metricast::publisher::publisher::{self as import, Publisher as Handle};
use crate::bindings::metricast::publisher::settings;
use crate::bindings::metricast::publisher::types as wit;
use crate::bindings::wasi::clocks::wall_clock;
use crate::publisher::{Exposition, Flushed, LateRejection, Profile, PublishError, Publisher, Receipt, Surroundings};

/// What stands around a composed gateway.
pub(super) struct Composed {
    started: Instant,
}

impl Composed {
    pub(super) fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Surroundings for Composed {
    type Publisher = Handle;

    fn plugin(&self) -> (String, String) {
        let description = import::describe();
        (description.name, description.version)
    }

    fn check(&self, config: &str) -> Result<(), PublishError> {
        Ok(import::check(config)?)
    }

    fn open(&self, config: &str) -> Result<Handle, PublishError> {
        Ok(Handle::open(config, None)?)
    }

    fn settings(&self) -> Option<String> {
        settings::get()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn time(&self) -> f64 {
        let now = wall_clock::now();
        Duration::new(now.seconds, now.nanoseconds).as_secs_f64()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// std's keys come from `wasi:random`.
    fn random(&self) -> u128 {
        let half = |_| {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(wall_clock::now().seconds);
            u128::from(hasher.finish())
        };
        half(()) << u64::BITS | half(())
    }

    fn log(&self, line: &str) {
        eprintln!("{}", line.replace(['\r', '\n'], " | "));
    }
}

impl Publisher for Handle {
    fn profile(&self) -> Profile {
        let profile = Handle::profile(self);
        Profile { stateful: profile.stateful, scrapes: profile.scrapes }
    }

    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError> {
        let receipt = self.publish_batch(&lowered(batch))?;
        Ok(Receipt {
            accepted: receipt.accepted,
            rejected: receipt.rejected.into_iter().map(|one| (one.index, one.reason)).collect(),
            retryable: receipt.retryable,
            in_doubt: !receipt.in_doubt.is_empty(),
            retry_after_ms: receipt.retry_after_ms,
        })
    }

    fn flush(&self) -> Result<Flushed, PublishError> {
        let flushed = Handle::flush(self)?;
        let late = flushed.rejected.into_iter().map(|late| LateRejection {
            epoch: late.epoch,
            offset: late.offset,
            leg: late.leg,
            reason: late.reason,
        });
        Ok(Flushed {
            pending: flushed.pending,
            rejected: late.collect(),
            retry_after_ms: flushed.retry_after_ms,
            reason: flushed.reason,
        })
    }

    fn scrape(&self, accept: &str) -> Option<Exposition> {
        let exposition = Handle::scrape(self, accept)?;
        Some(Exposition { content_type: exposition.content_type, body: exposition.body })
    }
}

fn lowered(batch: &Batch) -> wit::Batch {
    let (events, networks, attributes) =
        (batch.event_columns().clone(), batch.network_columns().clone(), batch.attribute_columns().clone());
    wit::Batch {
        text: batch.text_bytes().to_vec(),
        ends: batch.ends().to_vec(),
        events: wit::Events {
            event_name: events.event_name,
            task_id: events.task_id,
            start_time: events.start_time,
            end_time: events.end_time,
            status: events.status,
            error: events.error,
            retry_count: events.retry_count,
            process_id: events.process_id,
        },
        networks: wit::Networks {
            operation: networks.operation,
            task_id: networks.task_id,
            host: networks.host,
            port: networks.port,
            start_time: networks.start_time,
            end_time: networks.end_time,
            bytes_sent: networks.bytes_sent,
            bytes_received: networks.bytes_received,
            error: networks.error,
        },
        attributes: wit::Attributes { row_ends: attributes.row_ends, keys: attributes.keys, values: attributes.values },
        epoch: batch.epoch().to_owned(),
        offsets: batch.offsets().to_vec(),
        received: batch.received().to_vec(),
        redelivered: batch.redelivered(),
    }
}

impl From<wit::PublishError> for PublishError {
    fn from(error: wit::PublishError) -> Self {
        match error {
            wit::PublishError::Misconfigured(text) => Self::Misconfigured(text),
            wit::PublishError::Unauthorized(text) => Self::Unauthorized(text),
            wit::PublishError::Unavailable(wit::Unavailable { reason, retry_after_ms }) => {
                Self::Unavailable { reason, retry_after_ms }
            }
            wit::PublishError::Rejected(text) => Self::Rejected(text),
            wit::PublishError::StateIncompatible(text) | wit::PublishError::Internal(text) => Self::Internal(text),
        }
    }
}
