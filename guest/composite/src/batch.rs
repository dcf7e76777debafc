//! The contract's batch and the crate of records': parts of a batch, single records, and what a batch weighs.
//!
//! A batch that every leg takes passes through as it came; only parts are built anew.

use metricast_records::batch::{AttributeColumns, EventColumns, NetworkColumns};
use metricast_records::{self as records, BatchBuilder, BatchError, Columns, MetricsRef};

use crate::types::{Attribute, Attributes, Batch, EventMetrics, Events, NetworkMetrics, Networks};

/// How many records there are.
pub(crate) fn len(batch: &Batch) -> usize {
    batch.offsets.len()
}

/// The memory that a batch holds, in bytes, near enough.
pub(crate) fn weight(batch: &Batch) -> usize {
    const RECORD: usize = 96;
    batch.text.len() + 4 * batch.ends.len() + 8 * batch.attributes.keys.len() + RECORD * len(batch)
}

/// The offset behind the last record; 0 where there is none.
pub(crate) fn behind(batch: &Batch) -> u64 {
    batch.offsets.iter().max().map_or(0, |last| last.saturating_add(1))
}

/// The records at these places, each of which is one of the batch's.
///
/// # Errors
/// Where the batch is not valid.
pub(crate) fn select(batch: &Batch, indexes: &[u32], redelivered: bool) -> Result<Batch, BatchError> {
    let whole = records::Batch::try_from(columns(batch.clone()))?;
    Ok(lower(&whole.select(indexes).with_redelivered(redelivered)))
}

/// A batch that came out of a saved state.
///
/// # Errors
/// Where it is not valid.
pub(crate) fn checked(batch: Batch) -> Result<Batch, BatchError> {
    records::Batch::try_from(columns(batch)).map(|batch| lower(&batch))
}

/// A batch of one event that has no place in a queue.
///
/// # Errors
/// Where it is not valid.
pub fn of_event(event: EventMetrics, received: f64) -> Result<Batch, String> {
    let event = records::EventMetrics {
        event_name: event.event_name,
        task_id: event.task_id,
        start_time: event.start_time,
        end_time: event.end_time,
        status: event.status,
        error: event.error,
        retry_count: event.retry_count,
        process_id: event.process_id,
        attributes: pairs(event.attributes),
    };
    of_one(&MetricsRef::Event(event.as_ref()), received)
}

/// A batch of one network operation that has no place in a queue.
///
/// # Errors
/// Where it is not valid.
pub fn of_network(network: NetworkMetrics, received: f64) -> Result<Batch, String> {
    let network = records::NetworkMetrics {
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
    };
    of_one(&MetricsRef::Network(network.as_ref()), received)
}

fn of_one(metrics: &MetricsRef<'_>, received: f64) -> Result<Batch, String> {
    let mut builder = BatchBuilder::new();
    builder.push(metrics, received).map_err(|error| error.to_string())?;
    // A caller of single records is held to the same rules as a batch.
    checked(lower(&builder.finish())).map_err(|error| error.to_string())
}

fn pairs(attributes: Vec<Attribute>) -> Vec<(String, String)> {
    attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect()
}

fn columns(batch: Batch) -> Columns {
    let (events, networks, attributes) = (batch.events, batch.networks, batch.attributes);
    Columns {
        text: batch.text,
        ends: batch.ends,
        events: EventColumns {
            event_name: events.event_name,
            task_id: events.task_id,
            start_time: events.start_time,
            end_time: events.end_time,
            status: events.status,
            error: events.error,
            retry_count: events.retry_count,
            process_id: events.process_id,
        },
        networks: NetworkColumns {
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
        attributes: AttributeColumns {
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

/// What a batch of the crate of records is in the contract.
pub(crate) fn lower(batch: &records::Batch) -> Batch {
    let (events, networks, attributes) = (batch.event_columns(), batch.network_columns(), batch.attribute_columns());
    Batch {
        text: batch.text_bytes().to_vec(),
        ends: batch.ends().to_vec(),
        events: Events {
            event_name: events.event_name.clone(),
            task_id: events.task_id.clone(),
            start_time: events.start_time.clone(),
            end_time: events.end_time.clone(),
            status: events.status.clone(),
            error: events.error.clone(),
            retry_count: events.retry_count.clone(),
            process_id: events.process_id.clone(),
        },
        networks: Networks {
            operation: networks.operation.clone(),
            task_id: networks.task_id.clone(),
            host: networks.host.clone(),
            port: networks.port.clone(),
            start_time: networks.start_time.clone(),
            end_time: networks.end_time.clone(),
            bytes_sent: networks.bytes_sent.clone(),
            bytes_received: networks.bytes_received.clone(),
            error: networks.error.clone(),
        },
        attributes: Attributes {
            row_ends: attributes.row_ends.clone(),
            keys: attributes.keys.clone(),
            values: attributes.values.clone(),
        },
        epoch: batch.epoch().to_owned(),
        offsets: batch.offsets().to_vec(),
        received: batch.received().to_vec(),
        redelivered: batch.redelivered(),
    }
}
