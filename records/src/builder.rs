//! Builds a [`Batch`], one record at a time or from rows of other batches.
//!
//! Each distinct text is kept once. Records are counted from 0 in the order of their arrival; a queue gives them
//! their place for good with [`Batch::placed`].

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use thiserror::Error;

use crate::batch::{ABSENT, AttributeColumns, Batch, EventColumns, NetworkColumns};
use crate::metrics::{Attributes, Event, MetricsRef, Network};

/// The record does not fit: a batch's indexes of text have 32 bits. The batch is as it was before.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a batch holds at most 4 GiB of text")]
pub struct TextFull;

/// A batch that grows.
#[derive(Debug, Default)]
pub struct BatchBuilder {
    strings: Interner,
    events: EventColumns,
    networks: NetworkColumns,
    event_rows: Rows,
    network_rows: Rows,
    epoch: String,
    redelivered: bool,
    pushed: u64,
}

/// What the rows of one kind have besides their fields.
#[derive(Debug, Default)]
struct Rows {
    attributes: AttributeColumns,
    offsets: Vec<u64>,
    received: Vec<f64>,
}

impl BatchBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with room for as much as a batch has, and a little more: for one that will be like it.
    pub fn with_room_for(batch: &Batch) -> Self {
        let events = with_slack(batch.events.event_name.len());
        let networks = with_slack(batch.networks.operation.len());
        let attributes = with_slack(batch.attributes.keys.len());
        Self {
            strings: Interner::with_room_for(batch.ends.len(), batch.text.len()),
            events: EventColumns {
                event_name: Vec::with_capacity(events),
                task_id: Vec::with_capacity(events),
                start_time: Vec::with_capacity(events),
                end_time: Vec::with_capacity(events),
                status: Vec::with_capacity(events),
                error: Vec::with_capacity(events),
                retry_count: Vec::with_capacity(events),
                process_id: Vec::with_capacity(events),
            },
            networks: NetworkColumns {
                operation: Vec::with_capacity(networks),
                task_id: Vec::with_capacity(networks),
                host: Vec::with_capacity(networks),
                port: Vec::with_capacity(networks),
                start_time: Vec::with_capacity(networks),
                end_time: Vec::with_capacity(networks),
                bytes_sent: Vec::with_capacity(networks),
                bytes_received: Vec::with_capacity(networks),
                error: Vec::with_capacity(networks),
            },
            // The rows of all records come together in those of the events at the end.
            event_rows: Rows::with_room_for(with_slack(batch.len()), attributes),
            network_rows: Rows::with_room_for(networks, 0),
            ..Self::default()
        }
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.event_rows.offsets.len() + self.network_rows.offsets.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of distinct text it holds: what a caller goes by that cuts batches by size.
    pub fn text_len(&self) -> usize {
        self.strings.text.len()
    }

    /// Adds a record that was taken in at `received`, seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`TextFull`]
    pub fn push(&mut self, metrics: &MetricsRef<'_>, received: f64) -> Result<(), TextFull> {
        let offset = self.pushed;
        self.push_at(metrics, offset, received)?;
        self.pushed += 1;
        Ok(())
    }

    /// Adds rows of another batch, with their places in its queue. The first rows give the epoch.
    ///
    /// # Errors
    /// [`TextFull`]
    ///
    /// # Panics
    /// Where an index is not of `batch`, or where rows of another epoch are in here already.
    pub fn append(&mut self, batch: &Batch, rows: impl IntoIterator<Item = usize>) -> Result<(), TextFull> {
        if self.is_empty() {
            batch.epoch().clone_into(&mut self.epoch);
        }
        assert_eq!(self.epoch, batch.epoch(), "one batch holds one epoch");
        self.redelivered |= batch.redelivered();
        for row in rows {
            let record = batch.record(row);
            self.push_at(&record.metrics, record.offset, record.received)?;
        }
        Ok(())
    }

    /// The batch.
    pub fn finish(mut self) -> Batch {
        let mut attributes = self.event_rows.attributes;
        let shift = attributes.keys.len() as u32;
        let network = self.network_rows.attributes;
        attributes.row_ends.extend(network.row_ends.into_iter().map(|end| end + shift));
        attributes.keys.extend(network.keys);
        attributes.values.extend(network.values);
        self.event_rows.offsets.extend(self.network_rows.offsets);
        self.event_rows.received.extend(self.network_rows.received);
        Batch {
            text: self.strings.text,
            ends: self.strings.ends,
            events: self.events,
            networks: self.networks,
            attributes,
            epoch: self.epoch,
            offsets: self.event_rows.offsets,
            received: self.event_rows.received,
            redelivered: self.redelivered,
        }
    }

    fn push_at(&mut self, metrics: &MetricsRef<'_>, offset: u64, received: f64) -> Result<(), TextFull> {
        if self.strings.text.len() + text_len(metrics) > u32::MAX as usize {
            return Err(TextFull);
        }
        match metrics {
            MetricsRef::Event(event) => {
                self.push_event(event);
                self.event_rows.push(&mut self.strings, event.attributes, offset, received);
            }
            MetricsRef::Network(network) => {
                self.push_network(network);
                self.network_rows.push(&mut self.strings, network.attributes, offset, received);
            }
        }
        Ok(())
    }

    fn push_event(&mut self, event: &Event<'_>) {
        let (columns, strings) = (&mut self.events, &mut self.strings);
        columns.event_name.push(strings.intern(event.event_name));
        columns.task_id.push(strings.intern(event.task_id));
        columns.start_time.push(event.start_time);
        columns.end_time.push(event.end_time.unwrap_or(f64::NAN));
        columns.status.push(strings.intern(event.status));
        columns.error.push(strings.intern_optional(event.error));
        columns.retry_count.push(event.retry_count);
        columns.process_id.push(event.process_id.unwrap_or(ABSENT));
    }

    fn push_network(&mut self, network: &Network<'_>) {
        let (columns, strings) = (&mut self.networks, &mut self.strings);
        columns.operation.push(strings.intern(network.operation));
        columns.task_id.push(strings.intern_optional(network.task_id));
        columns.host.push(strings.intern(network.host));
        columns.port.push(network.port);
        columns.start_time.push(network.start_time);
        columns.end_time.push(network.end_time.unwrap_or(f64::NAN));
        columns.bytes_sent.push(network.bytes_sent);
        columns.bytes_received.push(network.bytes_received);
        columns.error.push(strings.intern_optional(network.error));
    }
}

impl Rows {
    fn with_room_for(rows: usize, attributes: usize) -> Self {
        Self {
            attributes: AttributeColumns {
                row_ends: Vec::with_capacity(rows),
                keys: Vec::with_capacity(attributes),
                values: Vec::with_capacity(attributes),
            },
            offsets: Vec::with_capacity(rows),
            received: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, strings: &mut Interner, attributes: Attributes<'_>, offset: u64, received: f64) {
        for (key, value) in attributes.iter() {
            self.attributes.keys.push(strings.intern(key));
            self.attributes.values.push(strings.intern(value));
        }
        self.attributes.row_ends.push(self.attributes.keys.len() as u32);
        self.offsets.push(offset);
        self.received.push(received);
    }
}

impl Batch {
    /// A batch of some of the records, in the order of their indexes.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len), or where the indexes do not ascend.
    #[must_use]
    pub fn select(&self, indexes: &[u32]) -> Self {
        assert!(indexes.is_sorted_by(|a, b| a < b), "indexes ascend");
        let mut builder = BatchBuilder::new();
        let fits = builder.append(self, indexes.iter().map(|&index| index as usize));
        debug_assert_eq!(fits, Ok(()), "a part of a batch fits where the whole did");
        builder.finish()
    }
}

fn text_len(metrics: &MetricsRef<'_>) -> usize {
    let own = match metrics {
        MetricsRef::Event(event) => {
            event.event_name.len() + event.task_id.len() + event.status.len() + event.error.map_or(0, str::len)
        }
        MetricsRef::Network(network) => {
            network.operation.len()
                + network.task_id.map_or(0, str::len)
                + network.host.len()
                + network.error.map_or(0, str::len)
        }
    };
    own + metrics.attributes().iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
}

/// An eighth more.
fn with_slack(length: usize) -> usize {
    length + length / 8
}

/// Every distinct string once, end to end.
#[derive(Debug)]
struct Interner {
    text: String,
    ends: Vec<u32>,
    indexes: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Interner {
    fn default() -> Self {
        Self { text: String::new(), ends: vec![0], indexes: HashTable::new(), hasher: RandomState::default() }
    }
}

impl Interner {
    fn with_room_for(strings: usize, text: usize) -> Self {
        let (strings, text) = (with_slack(strings), with_slack(text));
        let mut ends = Vec::with_capacity(strings);
        ends.push(0);
        Self {
            text: String::with_capacity(text),
            ends,
            indexes: HashTable::with_capacity(strings),
            hasher: RandomState::default(),
        }
    }

    fn intern(&mut self, string: &str) -> u32 {
        if string.is_empty() {
            return 0;
        }
        let Self { text, ends, indexes, hasher } = self;
        let at = |index: u32| &text[ends[index as usize - 1] as usize..ends[index as usize] as usize];
        let hash = hasher.hash_one(string);
        if let Some(&index) = indexes.find(hash, |&index| at(index) == string) {
            return index;
        }
        let index = ends.len() as u32;
        indexes.insert_unique(hash, index, |&index| hasher.hash_one(at(index)));
        text.push_str(string);
        ends.push(text.len() as u32);
        index
    }

    fn intern_optional(&mut self, string: Option<&str>) -> u32 {
        string.map_or(ABSENT, |string| self.intern(string))
    }
}
