//! The packed batch: many records as columns over one interned text.
//!
//! [`Columns`] is the form that crosses a boundary (the WIT record `batch`, field by field); a [`Batch`] is columns
//! that were found valid once, so that reading them needs no checks that can fail. Building one is the job of
//! [`BatchBuilder`](crate::BatchBuilder).

use std::ops::Range;

use crate::metrics::{Attributes, Event, MetricsRef, Network};

/// The index of a string, or the value of a number, that is absent.
pub const ABSENT: u32 = u32::MAX;

/// The events of a batch: one list a field, one place a record. Lists of texts hold indexes of strings.
#[derive(Clone, Debug, Default)]
pub struct EventColumns {
    /// Indexes of strings that are not empty.
    pub event_name: Vec<u32>,
    /// Indexes of strings.
    pub task_id: Vec<u32>,
    /// Seconds since the Unix epoch.
    pub start_time: Vec<f64>,
    /// Seconds since the Unix epoch; NaN is absent.
    pub end_time: Vec<f64>,
    /// Indexes of strings that are not empty.
    pub status: Vec<u32>,
    /// Indexes of strings, or [`ABSENT`].
    pub error: Vec<u32>,
    /// Failed attempts.
    pub retry_count: Vec<u32>,
    /// Process ids, or [`ABSENT`].
    pub process_id: Vec<u32>,
}

/// The network operations of a batch, in the same form as [`EventColumns`].
#[derive(Clone, Debug, Default)]
pub struct NetworkColumns {
    /// Indexes of strings that are not empty.
    pub operation: Vec<u32>,
    /// Indexes of strings, or [`ABSENT`].
    pub task_id: Vec<u32>,
    /// Indexes of strings that are not empty.
    pub host: Vec<u32>,
    /// 0 is: not known.
    pub port: Vec<u16>,
    /// Seconds since the Unix epoch.
    pub start_time: Vec<f64>,
    /// Seconds since the Unix epoch; NaN is absent.
    pub end_time: Vec<f64>,
    /// Bytes.
    pub bytes_sent: Vec<u64>,
    /// Bytes.
    pub bytes_received: Vec<u64>,
    /// Indexes of strings, or [`ABSENT`].
    pub error: Vec<u32>,
}

/// Attributes in compressed rows: row i (events first, then networks) has the pairs `row_ends[i-1]..row_ends[i]`.
#[derive(Clone, Debug, Default)]
pub struct AttributeColumns {
    /// One a record, ascending.
    pub row_ends: Vec<u32>,
    /// Indexes of strings.
    pub keys: Vec<u32>,
    /// Indexes of strings.
    pub values: Vec<u32>,
}

/// A batch as it crosses a boundary: nothing is known of it yet. [`Batch::try_from`] checks it.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Every distinct string once, UTF-8.
    pub text: Vec<u8>,
    /// String i is `text[ends[i-1]..ends[i]]`; string 0 is empty.
    pub ends: Vec<u32>,
    /// The events.
    pub events: EventColumns,
    /// The network operations.
    pub networks: NetworkColumns,
    /// The attributes of both.
    pub attributes: AttributeColumns,
    /// Names one opening of the queue; empty where the records have no place in one.
    pub epoch: String,
    /// Each record's place in the queue: ascending within the events and within the networks.
    pub offsets: Vec<u64>,
    /// When each record was taken in, seconds since the Unix epoch.
    pub received: Vec<f64>,
    /// Some of these may have reached the backend before.
    pub redelivered: bool,
}

/// A valid batch. An index of a record counts the events first, then the networks.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) text: String,
    pub(crate) ends: Vec<u32>,
    pub(crate) events: EventColumns,
    pub(crate) networks: NetworkColumns,
    pub(crate) attributes: AttributeColumns,
    pub(crate) epoch: String,
    pub(crate) offsets: Vec<u64>,
    pub(crate) received: Vec<f64>,
    pub(crate) redelivered: bool,
}

/// A record at its place in a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// Its place: events first, then networks.
    pub index: u32,
    /// Its place in the queue; means nothing where the batch has no epoch.
    pub offset: u64,
    /// When it was taken in, seconds since the Unix epoch.
    pub received: f64,
    /// What it says.
    pub metrics: MetricsRef<'a>,
}

impl Batch {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The text of a string's index. A column's index is always one; [`ABSENT`] is none.
    ///
    /// # Panics
    /// On an index that is not of this batch.
    pub fn text(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.text[start..self.ends[index] as usize]
    }

    /// How many strings there are: indexes are below it.
    pub fn strings(&self) -> usize {
        self.ends.len()
    }

    /// All the text, end to end.
    pub fn text_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Where each string ends in [`text_bytes`](Self::text_bytes).
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The events' columns, for readers that work a field at a time.
    pub fn event_columns(&self) -> &EventColumns {
        &self.events
    }

    /// The networks' columns, for readers that work a field at a time.
    pub fn network_columns(&self) -> &NetworkColumns {
        &self.networks
    }

    /// The attributes' columns.
    pub fn attribute_columns(&self) -> &AttributeColumns {
        &self.attributes
    }

    /// Names the opening of the queue that these records were read from; empty where they have no place in one.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Each record's place in the queue.
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// When each record was taken in, seconds since the Unix epoch.
    pub fn received(&self) -> &[f64] {
        &self.received
    }

    /// Whether some of these may have reached the backend before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// The same batch, marked as one that may have reached the backend before.
    #[must_use]
    pub fn with_redelivered(mut self, redelivered: bool) -> Self {
        self.redelivered = redelivered;
        self
    }

    /// Gives the records their place in a queue: a batch fresh from a builder counts its records from 0 in the order
    /// of their arrival; here they come to stand at `first..first + len`.
    #[must_use]
    pub fn placed(mut self, epoch: &str, first: u64) -> Self {
        epoch.clone_into(&mut self.epoch);
        for offset in &mut self.offsets {
            *offset += first;
        }
        self
    }

    /// The indexes of the records whose offsets lie in a range.
    pub fn rows_at(&self, offsets: Range<u64>) -> impl Iterator<Item = usize> {
        let events = self.events.event_name.len();
        let within = |kind: Range<usize>| {
            let column = &self.offsets[kind.clone()];
            let place = |bound: u64| kind.start + column.partition_point(|&offset| offset < bound);
            place(offsets.start)..place(offsets.end)
        };
        within(0..events).chain(within(events..self.len()))
    }

    /// The memory that the batch holds, in bytes.
    pub fn byte_len(&self) -> usize {
        const EVENT: usize = 6 * size_of::<u32>() + 2 * size_of::<f64>();
        const NETWORK: usize = 4 * size_of::<u32>() + size_of::<u16>() + 2 * size_of::<u64>() + 2 * size_of::<f64>();
        const PLACE: usize = size_of::<u32>() + size_of::<u64>() + size_of::<f64>();
        self.text.len()
            + size_of_val(self.ends.as_slice())
            + self.events.event_name.len() * EVENT
            + self.networks.operation.len() * NETWORK
            + self.len() * PLACE
            + 2 * size_of_val(self.attributes.keys.as_slice())
    }

    /// The events in order.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> {
        (0..self.events.event_name.len()).map(|row| self.event(row))
    }

    /// The network operations in order.
    pub fn networks(&self) -> impl ExactSizeIterator<Item = Network<'_>> {
        (0..self.networks.operation.len()).map(|row| self.network(row))
    }

    /// All records: events first, then networks.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.record(index))
    }

    /// The record at a place.
    ///
    /// # Panics
    /// Where `index` is not below [`len`](Self::len).
    pub fn record(&self, index: usize) -> Record<'_> {
        let events = self.events.event_name.len();
        let metrics = if index < events {
            MetricsRef::Event(self.event(index))
        } else {
            MetricsRef::Network(self.network(index - events))
        };
        Record { index: index as u32, offset: self.offsets[index], received: self.received[index], metrics }
    }

    fn event(&self, row: usize) -> Event<'_> {
        let columns = &self.events;
        Event {
            event_name: self.text(columns.event_name[row]),
            task_id: self.text(columns.task_id[row]),
            start_time: columns.start_time[row],
            end_time: present_time(columns.end_time[row]),
            status: self.text(columns.status[row]),
            error: self.optional_text(columns.error[row]),
            retry_count: columns.retry_count[row],
            process_id: (columns.process_id[row] != ABSENT).then_some(columns.process_id[row]),
            attributes: self.attributes_of(row),
        }
    }

    fn network(&self, row: usize) -> Network<'_> {
        let columns = &self.networks;
        Network {
            operation: self.text(columns.operation[row]),
            task_id: self.optional_text(columns.task_id[row]),
            host: self.text(columns.host[row]),
            port: columns.port[row],
            start_time: columns.start_time[row],
            end_time: present_time(columns.end_time[row]),
            bytes_sent: columns.bytes_sent[row],
            bytes_received: columns.bytes_received[row],
            error: self.optional_text(columns.error[row]),
            attributes: self.attributes_of(self.events.event_name.len() + row),
        }
    }

    fn optional_text(&self, index: u32) -> Option<&str> {
        (index != ABSENT).then(|| self.text(index))
    }

    fn attributes_of(&self, index: usize) -> Attributes<'_> {
        let start = if index == 0 { 0 } else { self.attributes.row_ends[index - 1] };
        Attributes::row(AttributeRow { batch: self, start, end: self.attributes.row_ends[index] })
    }
}

impl From<Batch> for Columns {
    fn from(batch: Batch) -> Self {
        Self {
            text: batch.text.into_bytes(),
            ends: batch.ends,
            events: batch.events,
            networks: batch.networks,
            attributes: batch.attributes,
            epoch: batch.epoch,
            offsets: batch.offsets,
            received: batch.received,
            redelivered: batch.redelivered,
        }
    }
}

fn present_time(time: f64) -> Option<f64> {
    (!time.is_nan()).then_some(time)
}

#[derive(Clone, Copy)]
pub(crate) struct AttributeRow<'a> {
    batch: &'a Batch,
    start: u32,
    end: u32,
}

impl<'a> AttributeRow<'a> {
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn pair(&self, index: usize) -> (&'a str, &'a str) {
        let at = self.start as usize + index;
        (self.batch.text(self.batch.attributes.keys[at]), self.batch.text(self.batch.attributes.values[at]))
    }
}
