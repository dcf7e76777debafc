//! Whether columns from outside are a batch: the one check of both sides of the boundary.
//!
//! A plugin pays for it at every call. So each column is gone through without a branch a value, which compilers make
//! fast; only a column that was found wrong is searched for the value to name.

#![expect(clippy::needless_bitwise_bool, reason = "a branch a value is what is avoided here")]

use thiserror::Error;

use crate::batch::{ABSENT, AttributeColumns, Batch, Columns, EventColumns, NetworkColumns};
use crate::time;

/// Why columns are no batch.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum BatchError {
    /// The text is not UTF-8.
    #[error("text is not UTF-8 from byte {at} on")]
    Text {
        /// The first byte that is not part of a character.
        at: usize,
    },
    /// The ends of the strings do not cut the text into strings.
    #[error(
        "string {index} ends at byte {end}: ends ascend from 0 within the text's {len} bytes, only string 0 is empty, and no character is cut"
    )]
    End {
        /// The string.
        index: usize,
        /// Where it is said to end.
        end: u32,
        /// How long the text is.
        len: usize,
    },
    /// The text goes on where the last string ends.
    #[error("the last string ends at byte {end} of the text's {len}: all of the text belongs to strings")]
    Rest {
        /// Where it ends.
        end: u32,
        /// How long the text is.
        len: usize,
    },
    /// There is no string 0, which is the empty one.
    #[error("string 0 must be there and empty")]
    NoEmptyString,
    /// A column is shorter or longer than another of the same rows.
    #[error("column {column} has {len} values where there are {expected} records")]
    Length {
        /// The column's name, such as `events.status`.
        column: &'static str,
        /// Its length.
        len: usize,
        /// The number of rows.
        expected: usize,
    },
    /// A value that its column cannot have.
    #[error("{column}[{row}] is {value}: {expected}")]
    Value {
        /// The column's name, such as `events.status`.
        column: &'static str,
        /// The row.
        row: usize,
        /// What stands there.
        value: String,
        /// What could stand there.
        expected: &'static str,
    },
}

impl TryFrom<Columns> for Batch {
    type Error = BatchError;

    /// Takes columns as a batch where they are one. Nothing is copied.
    fn try_from(columns: Columns) -> Result<Self, BatchError> {
        let text = String::from_utf8(columns.text)
            .map_err(|error| BatchError::Text { at: error.utf8_error().valid_up_to() })?;
        check_ends(&text, &columns.ends)?;
        let strings = Strings(u32::try_from(columns.ends.len()).unwrap_or(u32::MAX));
        check_events(&columns.events, &strings)?;
        check_networks(&columns.networks, &strings)?;
        let events = columns.events.event_name.len();
        let rows = events + columns.networks.operation.len();
        check_attributes(&columns.attributes, rows, &strings)?;
        check_places(&columns.offsets, &columns.received, events, rows)?;
        Ok(Self {
            text,
            ends: columns.ends,
            events: columns.events,
            networks: columns.networks,
            attributes: columns.attributes,
            epoch: columns.epoch,
            offsets: columns.offsets,
            received: columns.received,
            redelivered: columns.redelivered,
        })
    }
}

fn check_ends(text: &str, ends: &[u32]) -> Result<(), BatchError> {
    if ends.first() != Some(&0) {
        return Err(BatchError::NoEmptyString);
    }
    let ascend = ends.windows(2).fold(true, |ok, pair| ok & (pair[0] < pair[1]));
    if ends.last().is_some_and(|&last| (last as usize) < text.len()) {
        return Err(BatchError::Rest { end: ends.last().copied().unwrap_or_default(), len: text.len() });
    }
    if ascend && ends.iter().all(|&end| text.is_char_boundary(end as usize)) {
        return Ok(());
    }
    let wrong =
        |index: usize| !text.is_char_boundary(ends[index] as usize) || (index > 0 && ends[index] <= ends[index - 1]);
    let index = (0..ends.len()).find(|&index| wrong(index)).unwrap_or_default();
    Err(BatchError::End { index, end: ends[index], len: text.len() })
}

/// How many strings there are; string 0 is the only empty one.
struct Strings(u32);

fn check_events(events: &EventColumns, strings: &Strings) -> Result<(), BatchError> {
    let rows = events.event_name.len();
    length("events.task-id", events.task_id.len(), rows)?;
    length("events.start-time", events.start_time.len(), rows)?;
    length("events.end-time", events.end_time.len(), rows)?;
    length("events.status", events.status.len(), rows)?;
    length("events.error", events.error.len(), rows)?;
    length("events.retry-count", events.retry_count.len(), rows)?;
    length("events.process-id", events.process_id.len(), rows)?;
    names("events.event-name", &events.event_name, strings)?;
    texts("events.task-id", &events.task_id, strings)?;
    names("events.status", &events.status, strings)?;
    optional_texts("events.error", &events.error, strings)?;
    starts("events.start-time", &events.start_time)?;
    ends("events.end-time", &events.end_time, &events.start_time)
}

fn check_networks(networks: &NetworkColumns, strings: &Strings) -> Result<(), BatchError> {
    let rows = networks.operation.len();
    length("networks.task-id", networks.task_id.len(), rows)?;
    length("networks.host", networks.host.len(), rows)?;
    length("networks.port", networks.port.len(), rows)?;
    length("networks.start-time", networks.start_time.len(), rows)?;
    length("networks.end-time", networks.end_time.len(), rows)?;
    length("networks.bytes-sent", networks.bytes_sent.len(), rows)?;
    length("networks.bytes-received", networks.bytes_received.len(), rows)?;
    length("networks.error", networks.error.len(), rows)?;
    names("networks.operation", &networks.operation, strings)?;
    optional_texts("networks.task-id", &networks.task_id, strings)?;
    names("networks.host", &networks.host, strings)?;
    optional_texts("networks.error", &networks.error, strings)?;
    starts("networks.start-time", &networks.start_time)?;
    ends("networks.end-time", &networks.end_time, &networks.start_time)
}

fn check_attributes(attributes: &AttributeColumns, rows: usize, strings: &Strings) -> Result<(), BatchError> {
    length("attributes.row-ends", attributes.row_ends.len(), rows)?;
    let pairs = attributes.keys.len();
    let mut previous = 0;
    for (row, &end) in attributes.row_ends.iter().enumerate() {
        if end < previous || end as usize > pairs {
            return Err(value("attributes.row-ends", row, &end, "row ends ascend up to the number of keys"));
        }
        previous = end;
    }
    length("attributes.keys", pairs, previous as usize)?;
    length("attributes.values", attributes.values.len(), pairs)?;
    texts("attributes.keys", &attributes.keys, strings)?;
    texts("attributes.values", &attributes.values, strings)
}

fn check_places(offsets: &[u64], received: &[f64], events: usize, rows: usize) -> Result<(), BatchError> {
    length("offsets", offsets.len(), rows)?;
    length("received", received.len(), rows)?;
    for kind in [0..events, events..rows] {
        let first = kind.start;
        for (at, pair) in offsets[kind].windows(2).enumerate() {
            if pair[0] >= pair[1] {
                return Err(value("offsets", first + at + 1, &pair[1], "offsets of one kind of record ascend"));
            }
        }
    }
    starts("received", received)
}

fn length(column: &'static str, len: usize, expected: usize) -> Result<(), BatchError> {
    if len == expected { Ok(()) } else { Err(BatchError::Length { column, len, expected }) }
}

fn names(column: &'static str, indexes: &[u32], strings: &Strings) -> Result<(), BatchError> {
    let count = strings.0;
    all(column, indexes, "the index of a string that is not empty", |index| (index != 0) & (index < count))
}

fn texts(column: &'static str, indexes: &[u32], strings: &Strings) -> Result<(), BatchError> {
    let count = strings.0;
    all(column, indexes, "the index of a string", |index| index < count)
}

fn optional_texts(column: &'static str, indexes: &[u32], strings: &Strings) -> Result<(), BatchError> {
    let count = strings.0;
    all(column, indexes, "the index of a string or 0xffffffff", |index| (index == ABSENT) | (index < count))
}

fn starts(column: &'static str, times: &[f64]) -> Result<(), BatchError> {
    let (first, last) = time::RANGE.into_inner();
    all(column, times, "seconds since 1970 up to the year 2262", |time| (time >= first) & (time <= last))
}

fn ends(column: &'static str, times: &[f64], starts: &[f64]) -> Result<(), BatchError> {
    let (_, last) = time::RANGE.into_inner();
    let valid = |end: f64, start: f64| end.is_nan() | ((end >= start) & (end <= last));
    if times.iter().zip(starts).fold(true, |ok, (&end, &start)| ok & valid(end, start)) {
        return Ok(());
    }
    let row = times.iter().zip(starts).position(|(&end, &start)| !valid(end, start)).unwrap_or_default();
    Err(value(column, row, &times[row], "NaN or a time in range that is not before the start"))
}

fn all<T: Copy + ToString>(
    column: &'static str,
    values: &[T],
    expected: &'static str,
    valid: impl Fn(T) -> bool,
) -> Result<(), BatchError> {
    if values.iter().fold(true, |ok, &item| ok & valid(item)) {
        return Ok(());
    }
    let row = values.iter().position(|&item| !valid(item)).unwrap_or_default();
    Err(value(column, row, &values[row], expected))
}

fn value(column: &'static str, row: usize, value: &impl ToString, expected: &'static str) -> BatchError {
    BatchError::Value { column, row, value: value.to_string(), expected }
}
