//! A batch as bytes that are kept: what a log writes and reads again, in this version or a later one.
//!
//! Numbers are little-endian and of fixed width. Places are relative: where the records stand for good, and in which
//! epoch, is said by whoever reads them. Layout of version 1:
//!
//! ```text
//! version u8 | flags u8 (1: all received at once) | zeros, 2 | events u32 | networks u32 | strings u32 | text u32
//! | attributes u32 | the columns in the order of `EventColumns`, `NetworkColumns` and `AttributeColumns`
//! | ends u32 each | places u32 each | received f64, each or once | text
//! ```
//!
//! Checksums are the log's. What is read is checked as columns from anywhere are.

use thiserror::Error;

use crate::batch::{AttributeColumns, Batch, Columns, EventColumns, NetworkColumns};
use crate::check::BatchError;

const VERSION: u8 = 1;
const RECEIVED_AT_ONCE: u8 = 1;
const HEAD: usize = 24;

/// Why bytes are no batch.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum BytesError {
    /// A later version wrote them.
    #[error("records in format {0}, and this metricast knows format {VERSION}: a newer one wrote them")]
    Newer(u8),
    /// They end too early, or go on.
    #[error("{found} bytes of records where {expected} are announced")]
    Length {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Their columns are none.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl Batch {
    /// Appends the batch's bytes; its records stand at `first..first + len`, in whatever order.
    ///
    /// # Panics
    /// Where a record stands below `first`, or 2^32 or more above it.
    pub fn write_bytes(&self, first: u64, bytes: &mut Vec<u8>) {
        let at_once = self.received.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits());
        let received = if at_once { &self.received[..self.received.len().min(1)] } else { &self.received };
        bytes.reserve(HEAD + self.byte_len());
        bytes.extend([VERSION, if at_once { RECEIVED_AT_ONCE } else { 0 }, 0, 0]);
        let lengths = [
            self.events.event_name.len(),
            self.networks.operation.len(),
            self.ends.len(),
            self.text.len(),
            self.attributes.keys.len(),
        ];
        write(lengths.into_iter().map(|length| length as u32), u32::to_le_bytes, bytes);
        write_events(&self.events, bytes);
        write_networks(&self.networks, bytes);
        u32s(&self.attributes.row_ends, bytes);
        u32s(&self.attributes.keys, bytes);
        u32s(&self.attributes.values, bytes);
        u32s(&self.ends, bytes);
        let place = |offset: &u64| u32::try_from(offset - first).expect("a batch has fewer than 2^32 records");
        write(self.offsets.iter().map(place), u32::to_le_bytes, bytes);
        f64s(received, bytes);
        bytes.extend_from_slice(self.text.as_bytes());
    }

    /// Reads what [`write_bytes`](Self::write_bytes) wrote, as records of `epoch` that stand at `first` and on.
    ///
    /// # Errors
    /// [`BytesError`]
    pub fn read_bytes(bytes: &[u8], epoch: &str, first: u64) -> Result<Self, BytesError> {
        let short = |expected| BytesError::Length { expected, found: bytes.len() };
        let head: &[u8; HEAD] = bytes.get(..HEAD).and_then(|head| head.try_into().ok()).ok_or_else(|| short(HEAD))?;
        if head[0] != VERSION {
            return Err(BytesError::Newer(head[0]));
        }
        let lengths = Lengths::of(head);
        let expected = lengths.total();
        if bytes.len() as u64 != expected {
            return Err(short(usize::try_from(expected).unwrap_or(usize::MAX)));
        }
        let mut rest = Rest(&bytes[HEAD..]);
        let (events, networks) = (read_events(&mut rest, lengths.events), read_networks(&mut rest, lengths.networks));
        let row_ends = rest.u32s(lengths.records());
        let (keys, values) = (rest.u32s(lengths.attributes), rest.u32s(lengths.attributes));
        let ends = rest.u32s(lengths.strings);
        let places = rest.u32s(lengths.records());
        let received = rest.f64s(lengths.received());
        let received =
            if lengths.at_once { vec![received.first().copied().unwrap_or(0.0); lengths.records()] } else { received };
        let columns = Columns {
            text: rest.0.to_vec(),
            ends,
            events,
            networks,
            attributes: AttributeColumns { row_ends, keys, values },
            epoch: epoch.to_owned(),
            offsets: places.into_iter().map(|place| first.saturating_add(u64::from(place))).collect(),
            received,
            redelivered: false,
        };
        Ok(Self::try_from(columns)?)
    }
}

struct Lengths {
    events: usize,
    networks: usize,
    strings: usize,
    text: usize,
    attributes: usize,
    at_once: bool,
}

impl Lengths {
    fn of(head: &[u8; HEAD]) -> Self {
        let length = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        Self {
            events: length(4),
            networks: length(8),
            strings: length(12),
            text: length(16),
            attributes: length(20),
            at_once: head[1] & RECEIVED_AT_ONCE != 0,
        }
    }

    fn records(&self) -> usize {
        self.events + self.networks
    }

    fn received(&self) -> usize {
        if self.at_once { self.records().min(1) } else { self.records() }
    }

    /// Bytes in all. In 64 bits nothing of this overflows.
    fn total(&self) -> u64 {
        const EVENT: u64 = 6 * 4 + 2 * 8;
        const NETWORK: u64 = 4 * 4 + 2 + 4 * 8;
        HEAD as u64
            + self.events as u64 * EVENT
            + self.networks as u64 * NETWORK
            + self.records() as u64 * 8
            + self.attributes as u64 * 8
            + self.strings as u64 * 4
            + self.received() as u64 * 8
            + self.text as u64
    }
}

fn write_events(events: &EventColumns, bytes: &mut Vec<u8>) {
    u32s(&events.event_name, bytes);
    u32s(&events.task_id, bytes);
    f64s(&events.start_time, bytes);
    f64s(&events.end_time, bytes);
    u32s(&events.status, bytes);
    u32s(&events.error, bytes);
    u32s(&events.retry_count, bytes);
    u32s(&events.process_id, bytes);
}

fn read_events(rest: &mut Rest<'_>, count: usize) -> EventColumns {
    EventColumns {
        event_name: rest.u32s(count),
        task_id: rest.u32s(count),
        start_time: rest.f64s(count),
        end_time: rest.f64s(count),
        status: rest.u32s(count),
        error: rest.u32s(count),
        retry_count: rest.u32s(count),
        process_id: rest.u32s(count),
    }
}

fn write_networks(networks: &NetworkColumns, bytes: &mut Vec<u8>) {
    u32s(&networks.operation, bytes);
    u32s(&networks.task_id, bytes);
    u32s(&networks.host, bytes);
    write(networks.port.iter().copied(), u16::to_le_bytes, bytes);
    f64s(&networks.start_time, bytes);
    f64s(&networks.end_time, bytes);
    write(networks.bytes_sent.iter().copied(), u64::to_le_bytes, bytes);
    write(networks.bytes_received.iter().copied(), u64::to_le_bytes, bytes);
    u32s(&networks.error, bytes);
}

fn read_networks(rest: &mut Rest<'_>, count: usize) -> NetworkColumns {
    NetworkColumns {
        operation: rest.u32s(count),
        task_id: rest.u32s(count),
        host: rest.u32s(count),
        port: rest.values(count, u16::from_le_bytes),
        start_time: rest.f64s(count),
        end_time: rest.f64s(count),
        bytes_sent: rest.values(count, u64::from_le_bytes),
        bytes_received: rest.values(count, u64::from_le_bytes),
        error: rest.u32s(count),
    }
}

fn u32s(values: &[u32], bytes: &mut Vec<u8>) {
    write(values.iter().copied(), u32::to_le_bytes, bytes);
}

fn f64s(values: &[f64], bytes: &mut Vec<u8>) {
    write(values.iter().copied(), f64::to_le_bytes, bytes);
}

/// Into room that is there already: a copy of the column, where the machine is little-endian too.
fn write<T, const N: usize>(values: impl ExactSizeIterator<Item = T>, to: impl Fn(T) -> [u8; N], bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.resize(start + values.len() * N, 0);
    for (place, value) in bytes[start..].as_chunks_mut().0.iter_mut().zip(values) {
        *place = to(value);
    }
}

/// What is not read yet, which the announced lengths cover.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn values<T, const N: usize>(&mut self, count: usize, of: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (values, rest) = self.0.split_at(count * N);
        self.0 = rest;
        values.as_chunks().0.iter().map(|bytes| of(*bytes)).collect()
    }

    fn u32s(&mut self, count: usize) -> Vec<u32> {
        self.values(count, u32::from_le_bytes)
    }

    fn f64s(&mut self, count: usize) -> Vec<f64> {
        self.values(count, f64::from_le_bytes)
    }
}
