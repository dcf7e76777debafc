//! The host's records as the contract's types. Columns are handed on as the slices that they are: the one copy of a
//! batch is the one into the plugin's memory.

use metricast_records::{Batch, EventMetrics, NetworkMetrics};

use super::types;

pub(crate) fn batch(batch: &Batch) -> types::Batch<'_> {
    let (events, networks, attributes) = (batch.event_columns(), batch.network_columns(), batch.attribute_columns());
    types::Batch {
        text: batch.text_bytes(),
        ends: batch.ends(),
        events: types::Events {
            event_name: &events.event_name,
            task_id: &events.task_id,
            start_time: &events.start_time,
            end_time: &events.end_time,
            status: &events.status,
            error: &events.error,
            retry_count: &events.retry_count,
            process_id: &events.process_id,
        },
        networks: types::Networks {
            operation: &networks.operation,
            task_id: &networks.task_id,
            host: &networks.host,
            port: &networks.port,
            start_time: &networks.start_time,
            end_time: &networks.end_time,
            bytes_sent: &networks.bytes_sent,
            bytes_received: &networks.bytes_received,
            error: &networks.error,
        },
        attributes: types::Attributes {
            row_ends: &attributes.row_ends,
            keys: &attributes.keys,
            values: &attributes.values,
        },
        epoch: batch.epoch(),
        offsets: batch.offsets(),
        received: batch.received(),
        redelivered: batch.redelivered(),
    }
}

/// The attributes of a single record, for [`event`] and [`network`] to borrow.
pub(crate) fn attributes(pairs: &[(String, String)]) -> Vec<types::AttributeParam<'_>> {
    pairs.iter().map(|(key, value)| types::AttributeParam { key, value }).collect()
}

pub(crate) fn event<'a>(
    metrics: &'a EventMetrics,
    attributes: &'a [types::AttributeParam<'a>],
) -> types::EventMetrics<'a> {
    types::EventMetrics {
        event_name: &metrics.event_name,
        task_id: &metrics.task_id,
        start_time: metrics.start_time,
        end_time: metrics.end_time,
        status: &metrics.status,
        error: metrics.error.as_deref(),
        retry_count: metrics.retry_count,
        process_id: metrics.process_id,
        attributes,
    }
}

pub(crate) fn network<'a>(
    metrics: &'a NetworkMetrics,
    attributes: &'a [types::AttributeParam<'a>],
) -> types::NetworkMetrics<'a> {
    types::NetworkMetrics {
        operation: &metrics.operation,
        task_id: metrics.task_id.as_deref(),
        host: &metrics.host,
        port: metrics.port,
        start_time: metrics.start_time,
        end_time: metrics.end_time,
        bytes_sent: metrics.bytes_sent,
        bytes_received: metrics.bytes_received,
        error: metrics.error.as_deref(),
        attributes,
    }
}
