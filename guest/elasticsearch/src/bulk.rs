//! A batch as the body of `_bulk`: for each record a line that says `create`, and a line that is its document.
//!
//! # Ids
//! A record's `_id` is the queue's epoch, a dash and its offset, so that a record that is sent again is the same
//! document again. Of the epoch, ASCII letters and digits stand as they are and any other byte is `_` and two
//! hexadecimal digits. The offset is written with 32 digits (`0`–`9`, `a`–`v`), the first character saying how many
//! follow: `k3x9-310g` is offset 1,040 of epoch `k3x9`. That is short, safe in a URL, and in one epoch later records
//! have ids that sort later, which is what Lucene looks up fastest. A record without an epoch has no id.

use metricast_sdk::time::Rfc3339;
use metricast_sdk::{Batch, PublishError};

use crate::document::{LeftOut, Stamp, Tail, Writer};
use crate::json::{Json, Texts};
use crate::labels::Labels;
use crate::options::{Config, Options};

/// How long an `_id` may be
/// (<https://www.elastic.co/guide/en/elasticsearch/reference/current/mapping-id-field.html>).
const MAX_ID: usize = 512;
const LONGEST_OFFSET: usize = 14;

/// Writes bodies of `_bulk`, all of them into one buffer.
#[derive(Debug)]
pub struct Encoder {
    daily: bool,
    labels: Labels,
    event: Kind,
    network: Kind,
    json: Json,
    marks: Vec<u8>,
    warned: bool,
}

/// What is the same in all records of a kind.
#[derive(Debug)]
struct Kind {
    /// Up to the index's name.
    action: Vec<u8>,
    tail: Tail,
}

impl Kind {
    fn new(options: &Options, kind: &str, index: &str) -> Self {
        let action = format!(r#"{{"create":{{"_index":"{index}"#).into_bytes();
        Self { action, tail: Tail::new(options, kind) }
    }
}

impl Encoder {
    /// An encoder for a config.
    ///
    /// # Errors
    /// [`PublishError::Misconfigured`] where the config cannot be.
    pub fn new(config: &Config) -> Result<Self, PublishError> {
        Ok(Self::with_options(&Options::try_from(config)?))
    }

    pub(crate) fn with_options(options: &Options) -> Self {
        Self {
            daily: options.layout.daily,
            labels: options.labels.clone(),
            event: Kind::new(options, "event", &options.layout.event),
            network: Kind::new(options, "network", &options.layout.network),
            json: Json::default(),
            marks: Vec::new(),
            warned: false,
        }
    }

    /// The body for some of a batch's records, by their indexes.
    ///
    /// # Panics
    /// On an index that is not of the batch.
    ///
    /// # Errors
    /// [`PublishError::Internal`] where the epoch is too long for an id.
    pub fn encode(&mut self, batch: &Batch, rows: &[u32]) -> Result<&[u8], PublishError> {
        self.encode_some(batch, rows, usize::MAX).map(|Encoded { body, .. }| body)
    }

    /// The body for as many of the records as fit into `most` bytes, and for the first in any case.
    pub(crate) fn encode_some(
        &mut self,
        batch: &Batch,
        rows: &[u32],
        most: usize,
    ) -> Result<Encoded<'_>, PublishError> {
        let id = id_prefix(batch.epoch())?;
        let actions = [&self.event, &self.network].map(|kind| Action::new(&kind.action, self.daily, &id));
        self.json.clear();
        let (times, left_out) = (Rfc3339::default(), LeftOut::default());
        let texts = Texts::new(batch, std::mem::take(&mut self.marks));
        let mut writer = Writer { json: &mut self.json, batch, texts, times, labels: &self.labels, left_out };
        let events = batch.event_columns().event_name.len();
        let mut count = 0;
        for &row in rows {
            let (index, start) = (row as usize, writer.json.len());
            let network = index.checked_sub(events);
            let stamp = writer.stamp(index);
            actions[usize::from(network.is_some())].write(writer.json, &stamp, batch.offsets()[index]);
            match network {
                None => writer.event(index, &stamp, &self.event.tail),
                Some(row) => writer.network(row, &stamp, &self.network.tail),
            }
            if writer.json.len() > most && count > 0 {
                writer.json.cut(start);
                break;
            }
            count += 1;
        }
        let left_out = writer.left_out;
        self.marks = writer.texts.into_marks();
        self.warn_of(left_out);
        Ok(Encoded { body: self.json.as_bytes(), count })
    }

    fn warn_of(&mut self, LeftOut { unfit, long }: LeftOut) {
        if unfit + long > 0 && !std::mem::replace(&mut self.warned, true) {
            metricast_sdk::log::warn(format_args!(
                "left out attributes that Elasticsearch refuses: {unfit} whose key has a NUL in it, {long} \
                 whose key and value are more than 32 kB together; this is said once"
            ));
        }
    }
}

/// A body, and for how many records it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoded<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) count: usize,
}

/// The first line of each record of a kind.
struct Action {
    /// Up to the day where there is one, else up to the offset.
    start: Vec<u8>,
    /// From the day up to the offset.
    after_day: Option<Vec<u8>>,
    has_id: bool,
}

impl Action {
    fn new(start: &[u8], daily: bool, id: &[u8]) -> Self {
        let has_id = !id.is_empty();
        if daily {
            Self { start: start.to_vec(), after_day: Some(id.to_vec()), has_id }
        } else {
            Self { start: [start, id].concat(), after_day: None, has_id }
        }
    }

    fn write(&self, json: &mut Json, stamp: &Stamp, offset: u64) {
        json.bytes(&self.start);
        if let Some(after_day) = &self.after_day {
            let [y0, y1, y2, y3, _, m0, m1, _, d0, d1, ..] = *stamp;
            json.raw(&[b'-', y0, y1, y2, y3, b'.', m0, m1, b'.', d0, d1]);
            json.bytes(after_day);
        }
        if self.has_id {
            push_offset(json, offset);
        }
        json.raw(b"\"}}\n");
    }
}

const BEFORE_ID: &str = "\",\"_id\":\"";

/// From the end of the index's name up to the offset; empty where the records have no place in a queue.
fn id_prefix(epoch: &str) -> Result<Vec<u8>, PublishError> {
    if epoch.is_empty() {
        return Ok(Vec::new());
    }
    let mut id = Vec::new();
    for byte in epoch.bytes() {
        if byte.is_ascii_alphanumeric() {
            id.push(byte);
        } else {
            id.extend_from_slice(format!("_{byte:02x}").as_bytes());
        }
    }
    id.push(b'-');
    if id.len() + LONGEST_OFFSET > MAX_ID {
        let what = format!("an epoch of {} bytes is too long: an id has {MAX_ID} at most", epoch.len());
        return Err(PublishError::Internal(what));
    }
    Ok([BEFORE_ID.as_bytes(), &id].concat())
}

/// The ids of an epoch's records.
#[derive(Debug)]
pub(crate) struct Ids(Vec<u8>);

impl Ids {
    /// # Errors
    /// [`PublishError::Internal`] where the epoch is too long for an id.
    pub(crate) fn new(epoch: &str) -> Result<Self, PublishError> {
        let prefix = id_prefix(epoch)?;
        Ok(Self(prefix.strip_prefix(BEFORE_ID.as_bytes()).unwrap_or_default().to_vec()))
    }

    /// The id of the record at an offset.
    pub(crate) fn of(&self, offset: u64) -> String {
        let mut json = Json::default();
        json.bytes(&self.0);
        push_offset(&mut json, offset);
        String::from_utf8(json.as_bytes().to_vec()).expect("an id is ASCII")
    }
}

fn push_offset(json: &mut Json, offset: u64) {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let count = (u64::BITS - (offset | 1).leading_zeros()).div_ceil(5) as usize;
    let mut text = [DIGITS[count]; LONGEST_OFFSET];
    for place in 0..count {
        text[count - place] = DIGITS[(offset >> (place * 5)) as usize & 31];
    }
    json.bytes(&text[..=count]);
}

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
