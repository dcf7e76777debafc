//! Publishers: a row each, the offsets that they skip, and their state in pieces.

use std::collections::BTreeSet;

use redb::ReadableTableMetadata;

use super::change::{Limits, Plugin, PublisherChange, State, StateChange};
use super::error::{Fault, MetaError};
use super::frame::{Put, Take};
use super::tables::{ALL, Named, Rows, Tables, Views, number_of, report, under, under_end};

/// Bytes of state in a row. redb gives a large value pages of a power of two; with its key and frames this is just
/// under one.
pub(super) const PIECE: usize = (256 << 10) - 2048;

/// What is known of a publisher.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Publisher {
    /// Its name.
    pub name: String,
    /// The offset below which it has answered for every record; `None` until it is set.
    pub cursor: Option<u64>,
    /// Offsets from the cursor on that it has answered for, or must never see again, ascending.
    pub skipped: Vec<u64>,
    /// The plugin that ran it last.
    pub plugin: Plugin,
    /// Its state's head. The bytes are read by [`Meta::state`](super::Meta::state), which has none if they are damaged.
    pub state: Option<StateHead>,
    /// When it last pushed, unix seconds.
    pub last_push: Option<f64>,
    /// When its plugin was last closed, unix seconds.
    pub last_close: Option<f64>,
    /// When it last stood in a configuration, unix seconds.
    pub seen: Option<u64>,
    /// Records dropped by policy.
    pub dropped: u64,
    /// Dead letters of its that the bound has removed.
    pub evicted: u64,
    /// The caller's own field.
    pub extra: Vec<u8>,
}

/// What is known of a state without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateHead {
    /// The version of the bytes.
    pub version: u32,
    /// The offset behind the last record that is in it.
    pub next_offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// The CRC32 of the bytes.
    pub crc: u32,
}

fn encode(row: &Publisher) -> Vec<u8> {
    Put::default()
        .option(row.cursor, Put::u64)
        .bytes(row.plugin.name.as_bytes())
        .bytes(row.plugin.digest.as_bytes())
        .option(row.state, |put, head| put.u32(head.version).u64(head.next_offset).u64(head.length).u32(head.crc))
        .option(row.last_push, Put::f64)
        .option(row.last_close, Put::f64)
        .option(row.seen, Put::u64)
        .u64(row.dropped)
        .bytes(&row.extra)
        .0
}

fn decode(name: &str, fields: &[u8]) -> Option<Publisher> {
    let mut take = Take(fields);
    let row = Publisher {
        name: name.to_owned(),
        cursor: take.option(Take::u64)?,
        plugin: Plugin { name: take.text()?, digest: take.text()? },
        state: take.option(|take| {
            Some(StateHead { version: take.u32()?, next_offset: take.u64()?, length: take.u64()?, crc: take.u32()? })
        })?,
        last_push: take.option(Take::f64)?,
        last_close: take.option(Take::f64)?,
        seen: take.option(Take::u64)?,
        dropped: take.u64()?,
        extra: take.bytes()?.to_vec(),
        ..Publisher::default()
    };
    take.end(row)
}

/// Every publisher, by name.
pub(super) fn all(views: &Views) -> Result<Vec<Publisher>, Fault> {
    let mut found = Vec::new();
    views.publishers.each(ALL, |key, fields| {
        let row = fields.and_then(|fields| {
            let name = std::str::from_utf8(key).ok();
            name.and_then(|name| decode(name, fields)).ok_or_else(|| views.publishers.senseless(key))
        });
        found.extend(report(row));
        Ok(true)
    })?;
    found.into_iter().map(|row| complete(views, row)).collect()
}

/// The publisher of that name.
pub(super) fn one(views: &Views, name: &str) -> Result<Option<Publisher>, Fault> {
    let row = views.publishers.get(name.as_bytes(), |fields| decode(name, fields))?;
    row.map(|row| complete(views, row)).transpose()
}

fn complete(views: &Views, mut row: Publisher) -> Result<Publisher, Fault> {
    row.skipped = skipped_from(&views.skipped, &row.name, 0)?;
    row.evicted = views.evicted.get(row.name.as_bytes(), |fields| Take(fields).u64())?.unwrap_or(0);
    Ok(row)
}

fn skipped_from(table: &Named<impl Rows>, name: &str, from: u64) -> Result<Vec<u64>, Fault> {
    let mut offsets = Vec::new();
    table.each(&under(name, &from.to_be_bytes())..&under_end(name), |key, fields| {
        if report(fields).is_some() {
            offsets.extend(number_of(key));
        }
        Ok(true)
    })?;
    Ok(offsets)
}

/// The state of that publisher; `None` where there is none, or where a piece of it is damaged.
pub(super) fn state(views: &Views, name: &str) -> Result<Option<State>, Fault> {
    let head = views.publishers.get(name.as_bytes(), |fields| decode(name, fields))?.and_then(|row| row.state);
    let Some(head) = head else { return Ok(None) };
    let mut bytes = Vec::new();
    for index in 0..pieces(head.length) {
        let piece = views.pieces.get(&piece_key(name, index), |fields| {
            bytes.extend_from_slice(fields);
            Some(())
        })?;
        if piece.is_none() {
            tracing::error!(publisher = name, piece = index, "a piece of the publisher's state is gone");
            return Ok(None);
        }
    }
    if bytes.len() as u64 != head.length || crc32fast::hash(&bytes) != head.crc {
        tracing::error!(publisher = name, "the publisher's state is not the one that was kept");
        return Ok(None);
    }
    Ok(Some(State { version: head.version, next_offset: head.next_offset, bytes }))
}

fn pieces(length: u64) -> u32 {
    length.div_ceil(PIECE as u64) as u32
}

fn piece_key(name: &str, index: u32) -> Vec<u8> {
    under(name, &index.to_be_bytes())
}

/// Whether the change keeps the bound of skipped offsets; if not, nothing of it may be written.
pub(super) fn check(
    tables: &Tables<'_>,
    change: &PublisherChange,
    limits: &Limits,
) -> Result<Result<(), MetaError>, Fault> {
    let upper = tables.skipped.rows.len()?.saturating_add(change.skip.len() as u64);
    if change.skip.is_empty() || upper <= limits.max_skipped as u64 {
        return Ok(Ok(()));
    }
    let name = change.name.as_str();
    let old = tables.publishers.get(name.as_bytes(), |fields| decode(name, fields))?.and_then(|row| row.cursor);
    let cursor = change.cursor.or(old).unwrap_or(0);
    let mut all = BTreeSet::from_iter(skipped_from(&tables.skipped, name, cursor)?);
    all.extend(change.skip.iter().filter(|offset| **offset >= cursor));
    Ok(super::change::at_most("the count of offsets skipped above a cursor", all.len(), limits.max_skipped))
}

/// Writes the change.
pub(super) fn apply(tables: &mut Tables<'_>, change: &PublisherChange) -> Result<(), Fault> {
    let name = change.name.as_str();
    let old = tables.publishers.get(name.as_bytes(), |fields| decode(name, fields))?;
    let mut row = old.unwrap_or_default();
    let is_behind = change.cursor.is_some() && change.cursor < row.cursor;
    if let Some(state) = change.state.as_ref().filter(|_| !is_behind) {
        row.state = set_state(tables, name, state)?;
    }
    if let Some(cursor) = change.cursor {
        let cursor = cursor.max(row.cursor.unwrap_or(0));
        row.cursor = Some(cursor);
        tables.skipped.remove_all(&under(name, &[])..&under(name, &cursor.to_be_bytes()))?;
    }
    let cursor = row.cursor.unwrap_or(0);
    for offset in change.skip.iter().filter(|offset| **offset >= cursor) {
        tables.skipped.put(&under(name, &offset.to_be_bytes()), &[])?;
    }
    row.plugin = change.plugin.clone().unwrap_or(row.plugin);
    row.last_push = change.last_push.or(row.last_push);
    row.last_close = change.last_close.or(row.last_close);
    row.seen = change.seen.or(row.seen);
    row.dropped = row.dropped.saturating_add(change.dropped);
    row.extra = change.extra.clone().unwrap_or(row.extra);
    tables.publishers.put(name.as_bytes(), &encode(&row))
}

fn set_state(tables: &mut Tables<'_>, name: &str, change: &StateChange) -> Result<Option<StateHead>, Fault> {
    let (head, bytes) = match change {
        StateChange::Remove => (None, &[][..]),
        StateChange::Set(state) => {
            let head = StateHead {
                version: state.version,
                next_offset: state.next_offset,
                length: state.bytes.len() as u64,
                crc: crc32fast::hash(&state.bytes),
            };
            (Some(head), state.bytes.as_slice())
        }
    };
    for (index, piece) in (0..).zip(bytes.chunks(PIECE)) {
        tables.pieces.put(&piece_key(name, index), piece)?;
    }
    let behind = piece_key(name, pieces(bytes.len() as u64));
    tables.pieces.remove_all(&behind..&under_end(name))?;
    Ok(head)
}

/// Removes all that is kept of a publisher but its dead letters.
pub(super) fn forget(tables: &mut Tables<'_>, name: &str) -> Result<(), Fault> {
    tables.publishers.remove(name.as_bytes())?;
    tables.skipped.remove_all(&under(name, &[])..&under_end(name))?;
    tables.pieces.remove_all(&under(name, &[])..&under_end(name))
}
