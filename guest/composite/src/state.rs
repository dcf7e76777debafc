//! A composite's state as bytes.
//!
//! Version [`VERSION`], all numbers little-endian, a text or a list with its length (u32) before it:
//!
//! ```text
//! next-offset u64
//! twice, for each leg:  label text | has state u8 [version u32, next-offset u64, state bytes] | batches that wait
//! late rejections:      epoch text, offset u64, leg text, reason text
//! ```
//!
//! A batch is its columns in the order of `wit/types.wit`, without `redelivered`. A checksum is the host's: it keeps the bytes. What is read is
//! judged all the same: lengths against what there is, batches as any from outside.

use crate::batch::checked;
use crate::part::Part;
use crate::side::Side;
use crate::types::{Attributes, Batch, Events, LateRejection, Networks, PublishError, Saved};

/// The version of the form above.
const VERSION: u32 = 1;

/// What a state holds.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) next_offset: u64,
    pub(crate) saved: [Option<Saved>; 2],
    pub(crate) waiting: [Vec<Batch>; 2],
    pub(crate) late: Vec<LateRejection>,
}

/// The state of these legs.
pub(crate) fn write(sides: &[Side; 2], late: &[LateRejection], next_offset: u64) -> Saved {
    let mut out = Writer::default();
    next_offset.put(&mut out);
    for side in sides {
        out.text(&side.part.label());
        match side.snapshot() {
            None => out.0.push(0),
            Some(saved) => {
                out.0.push(1);
                saved.version.put(&mut out);
                saved.next_offset.put(&mut out);
                out.bytes(&saved.state);
            }
        }
        out.count(side.pending.batches().len());
        for batch in side.pending.batches() {
            out.batch(batch);
        }
    }
    out.count(late.len());
    for LateRejection { epoch, offset, leg, reason } in late {
        out.text(epoch);
        offset.put(&mut out);
        out.text(leg);
        out.text(reason);
    }
    Saved { version: VERSION, state: out.0, next_offset }
}

/// Reads the state of a composite of these parts.
///
/// # Errors
/// `state-incompatible`.
pub(crate) fn read(saved: &Saved, parts: &[Part; 2]) -> Result<Kept, PublishError> {
    if saved.version != VERSION {
        return incompatible(format!("the state has version {}, this plugin's is {VERSION}", saved.version));
    }
    let damaged = || PublishError::StateIncompatible("the state is damaged".to_owned());
    let mut input = Reader(&saved.state);
    let mut kept = Kept { next_offset: u64::take(&mut input).ok_or_else(damaged)?, ..Kept::default() };
    if kept.next_offset != saved.next_offset {
        let (inside, beside) = (kept.next_offset, saved.next_offset);
        return incompatible(format!("the state is of the records before {inside}, and was saved as before {beside}"));
    }
    for (index, part) in parts.iter().enumerate() {
        let label = input.text().ok_or_else(damaged)?;
        if label != part.label() {
            return incompatible(format!("the state is of {label}, and this is {}", part.label()));
        }
        kept.saved[index] = input.saved().ok_or_else(damaged)?;
        kept.waiting[index] = input.list(Reader::batch).ok_or_else(damaged)?;
    }
    kept.late = input.list(Reader::late).ok_or_else(damaged)?;
    if input.0.is_empty() { Ok(kept) } else { Err(damaged()) }
}

fn incompatible<T>(text: String) -> Result<T, PublishError> {
    Err(PublishError::StateIncompatible(text))
}

/// A number of fixed width.
trait Number: Copy {
    const WIDTH: usize;
    fn put(self, out: &mut Writer);
    fn take(input: &mut Reader<'_>) -> Option<Self>;
}

macro_rules! number {
    ($($ty:ty),*) => {$(
        impl Number for $ty {
            const WIDTH: usize = size_of::<$ty>();

            fn put(self, out: &mut Writer) {
                out.0.extend_from_slice(&self.to_le_bytes());
            }

            fn take(input: &mut Reader<'_>) -> Option<Self> {
                let (bytes, rest) = input.0.split_first_chunk()?;
                input.0 = rest;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}

number!(u8, u16, u32, u64, f64);

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn count(&mut self, count: usize) {
        (count as u32).put(self);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn column<T: Number>(&mut self, column: &[T]) {
        self.count(column.len());
        for value in column {
            value.put(self);
        }
    }

    fn columns<T: Number, const N: usize>(&mut self, columns: [&Vec<T>; N]) {
        for column in columns {
            self.column(column);
        }
    }

    fn batch(&mut self, batch: &Batch) {
        self.bytes(&batch.text);
        self.column(&batch.ends);
        let Events { event_name, task_id, start_time, end_time, status, error, retry_count, process_id } =
            &batch.events;
        self.columns([event_name, task_id]);
        self.columns([start_time, end_time]);
        self.columns([status, error, retry_count, process_id]);
        let networks = &batch.networks;
        let texts = [&networks.operation, &networks.task_id, &networks.host];
        self.columns(texts);
        self.column(&networks.port);
        self.columns([&networks.start_time, &networks.end_time]);
        self.columns([&networks.bytes_sent, &networks.bytes_received]);
        self.column(&networks.error);
        let Attributes { row_ends, keys, values } = &batch.attributes;
        self.columns([row_ends, keys, values]);
        self.text(&batch.epoch);
        self.column(&batch.offsets);
        self.column(&batch.received);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = u32::take(self)? as usize;
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match u8::take(self)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = u32::take(self)?;
        // Not collected with room for `count`: that many need not be there.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn column<T: Number>(&mut self) -> Option<Vec<T>> {
        let count = u32::take(self)? as usize;
        if count.checked_mul(T::WIDTH)? > self.0.len() {
            return None;
        }
        (0..count).map(|_| T::take(self)).collect()
    }

    #[expect(clippy::option_option, reason = "damaged, or without a state, or with one")]
    fn saved(&mut self) -> Option<Option<Saved>> {
        if !self.flag()? {
            return Some(None);
        }
        let (version, next_offset) = (u32::take(self)?, u64::take(self)?);
        Some(Some(Saved { version, next_offset, state: self.bytes()?.to_vec() }))
    }

    fn late(&mut self) -> Option<LateRejection> {
        let (epoch, offset) = (self.text()?, u64::take(self)?);
        Some(LateRejection { epoch, offset, leg: self.text()?, reason: self.text()? })
    }

    fn batch(&mut self) -> Option<Batch> {
        let batch = Batch {
            text: self.bytes()?.to_vec(),
            ends: self.column()?,
            events: self.events()?,
            networks: self.networks()?,
            attributes: Attributes { row_ends: self.column()?, keys: self.column()?, values: self.column()? },
            epoch: self.text()?,
            offsets: self.column()?,
            received: self.column()?,
            // The leg may have had it since the state was saved.
            redelivered: true,
        };
        checked(batch).ok()
    }

    fn events(&mut self) -> Option<Events> {
        Some(Events {
            event_name: self.column()?,
            task_id: self.column()?,
            start_time: self.column()?,
            end_time: self.column()?,
            status: self.column()?,
            error: self.column()?,
            retry_count: self.column()?,
            process_id: self.column()?,
        })
    }

    fn networks(&mut self) -> Option<Networks> {
        Some(Networks {
            operation: self.column()?,
            task_id: self.column()?,
            host: self.column()?,
            port: self.column()?,
            start_time: self.column()?,
            end_time: self.column()?,
            bytes_sent: self.column()?,
            bytes_received: self.column()?,
            error: self.column()?,
        })
    }
}
