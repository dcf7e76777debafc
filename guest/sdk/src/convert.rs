//! The bindings' types to ours and back, field by field. Lists move, nothing is copied.

use metricast_records::{Columns, EventMetrics, Metrics, NetworkMetrics, batch};

use crate::answer;
use crate::bindings::metricast::publisher::types as wit;

impl From<wit::Batch> for Columns {
    fn from(batch: wit::Batch) -> Self {
        let attributes = batch.attributes;
        Self {
            text: batch.text,
            ends: batch.ends,
            events: batch.events.into(),
            networks: batch.networks.into(),
            attributes: batch::AttributeColumns {
                row_ends: attributes.row_ends,
                keys: attributes.keys,
                values: attributes.values,
            },
            epoch: batch.epoch,
            offsets: batch.offsets,
            received: batch.received,
            redelivered: batch.redelivered,
        }
    }
}

impl From<wit::Events> for batch::EventColumns {
    fn from(events: wit::Events) -> Self {
        Self {
            event_name: events.event_name,
            task_id: events.task_id,
            start_time: events.start_time,
            end_time: events.end_time,
            status: events.status,
            error: events.error,
            retry_count: events.retry_count,
            process_id: events.process_id,
        }
    }
}

impl From<wit::Networks> for batch::NetworkColumns {
    fn from(networks: wit::Networks) -> Self {
        Self {
            operation: networks.operation,
            task_id: networks.task_id,
            host: networks.host,
            port: networks.port,
            start_time: networks.start_time,
            end_time: networks.end_time,
            bytes_sent: networks.bytes_sent,
            bytes_received: networks.bytes_received,
            error: networks.error,
        }
    }
}

impl From<wit::Metrics> for Metrics {
    fn from(metrics: wit::Metrics) -> Self {
        match metrics {
            wit::Metrics::Event(event) => Self::Event(event.into()),
            wit::Metrics::Network(network) => Self::Network(network.into()),
        }
    }
}

impl From<wit::EventMetrics> for EventMetrics {
    fn from(event: wit::EventMetrics) -> Self {
        Self {
            event_name: event.event_name,
            task_id: event.task_id,
            start_time: event.start_time,
            end_time: event.end_time,
            status: event.status,
            error: event.error,
            retry_count: event.retry_count,
            process_id: event.process_id,
            attributes: pairs(event.attributes),
        }
    }
}

impl From<wit::NetworkMetrics> for NetworkMetrics {
    fn from(network: wit::NetworkMetrics) -> Self {
        Self {
            operation: network.operation,
            task_id: network.task_id,
            host: network.host,
            port: network.port,
            start_time: network.start_time,
            end_time: network.end_time,
            bytes_sent: network.bytes_sent,
            bytes_received: network.bytes_received,
            error: network.error,
            attributes: pairs(network.attributes),
        }
    }
}

fn pairs(attributes: Vec<wit::Attribute>) -> Vec<(String, String)> {
    attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect()
}

impl From<answer::Receipt> for wit::Receipt {
    fn from(receipt: answer::Receipt) -> Self {
        let rejected = receipt.rejected.into_iter();
        Self {
            accepted: receipt.accepted,
            rejected: rejected.map(|it| wit::Rejection { index: it.index, reason: it.reason }).collect(),
            retryable: receipt.retryable,
            in_doubt: receipt.in_doubt,
            retry_after_ms: receipt.retry_after_ms,
        }
    }
}

impl From<answer::PublishError> for wit::PublishError {
    fn from(error: answer::PublishError) -> Self {
        use answer::PublishError as Ours;
        match error {
            Ours::Misconfigured(text) => Self::Misconfigured(text),
            Ours::Unauthorized(text) => Self::Unauthorized(text),
            Ours::Unavailable { reason, retry_after_ms } => {
                Self::Unavailable(wit::Unavailable { reason, retry_after_ms })
            }
            Ours::Rejected(text) => Self::Rejected(text),
            Ours::StateIncompatible(text) => Self::StateIncompatible(text),
            Ours::Internal(text) => Self::Internal(text),
        }
    }
}

impl From<answer::Flushed> for wit::Flushed {
    fn from(flushed: answer::Flushed) -> Self {
        let rejected = flushed.rejected.into_iter().map(|late| wit::LateRejection {
            epoch: late.epoch,
            offset: late.offset,
            leg: late.leg,
            reason: late.reason,
        });
        Self {
            pending: flushed.pending,
            rejected: rejected.collect(),
            retry_after_ms: flushed.retry_after_ms,
            reason: flushed.reason,
        }
    }
}

impl From<answer::Profile> for wit::Profile {
    fn from(profile: answer::Profile) -> Self {
        Self {
            stateful: profile.stateful,
            max_instances: profile.max_instances,
            flush_interval_ms: profile.flush_interval_ms,
            scrapes: profile.scrapes,
        }
    }
}

impl From<answer::Finding> for wit::Finding {
    fn from(finding: answer::Finding) -> Self {
        let verdict = match finding.verdict {
            answer::Verdict::Good => wit::Verdict::Good,
            answer::Verdict::Warning => wit::Verdict::Warning,
            answer::Verdict::Bad => wit::Verdict::Bad,
            answer::Verdict::Unknown => wit::Verdict::Unknown,
        };
        Self { of: finding.of, question: finding.question, verdict, answer: finding.answer, fix: finding.fix }
    }
}

impl From<answer::Snippet> for wit::Snippet {
    fn from(snippet: answer::Snippet) -> Self {
        Self { name: snippet.name.to_owned(), about: snippet.about, text: snippet.text }
    }
}

impl From<answer::Saved> for wit::Saved {
    fn from(saved: answer::Saved) -> Self {
        Self { version: saved.version, state: saved.state, next_offset: saved.next_offset }
    }
}

impl From<wit::Saved> for answer::Saved {
    fn from(saved: wit::Saved) -> Self {
        Self { version: saved.version, state: saved.state, next_offset: saved.next_offset }
    }
}
