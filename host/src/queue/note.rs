//! What is noted with records of the log: bytes that are committed with them, so that neither is there without the other.
//!
//! ```text
//! note   part, part, ...
//! part   kind u8 | length u32 | bytes
//! kind   1 addressed: a publisher's name, UTF-8; the records are for it alone
//!        2 request: digest of the key, 32 bytes | digest of the body, 32 bytes | time f64 | answer
//!        3 place: bytes u64 | line u64 | whether it ended u8 | key, UTF-8
//!        4 retried: numbers of dead letters that these records were, u64 each
//!        5 again: epoch, 12 bytes | offset u64; the records carry these from before, counted from this offset
//! ```
//!
//! A part of a kind that is not known is left out: it is of a later version, and about records that are known.

use crate::clock;

/// A digest of 256 bits.
pub(crate) type Digest = [u8; 32];

/// What is noted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Note {
    /// The one publisher that the records are for; else they are for all.
    pub(crate) addressed: Option<String>,
    /// The request that they came with.
    pub(crate) request: Option<Request>,
    /// Where in an input they end.
    pub(crate) place: Option<InputPlace>,
    /// The dead letters that they were.
    pub(crate) retried: Vec<u64>,
    /// The records carry an epoch and offsets from before.
    pub(crate) again: Option<Again>,
}

/// Under what name records were in the queue before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// The epoch.
    pub(crate) epoch: [u8; 12],
    /// The lowest offset.
    pub(crate) base: u64,
}

/// A request with a key of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// Of its `Idempotency-Key`.
    pub(crate) key: Digest,
    /// Of its body.
    pub(crate) body: Digest,
    /// When it came, seconds since the Unix epoch.
    pub(crate) time: f64,
    /// What it was answered.
    pub(crate) answer: Vec<u8>,
}

/// How far an input was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputPlace {
    /// Which input.
    pub(crate) input: String,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// Lines read.
    pub(crate) line: u64,
    /// It was read to its end: the next run begins anew.
    pub(crate) ended: bool,
}

const ADDRESSED: u8 = 1;
const REQUEST: u8 = 2;
const PLACE: u8 = 3;
const RETRIED: u8 = 4;
const AGAIN: u8 = 5;

impl Note {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(name) = &self.addressed {
            part(ADDRESSED, &[name.as_bytes()], &mut bytes);
        }
        if let Some(Request { key, body, time, answer }) = &self.request {
            part(REQUEST, &[key, body, &time.to_le_bytes(), answer], &mut bytes);
        }
        if let Some(InputPlace { input, bytes: read, line, ended }) = &self.place {
            let numbers = [read.to_le_bytes(), line.to_le_bytes()].concat();
            part(PLACE, &[&numbers, &[u8::from(*ended)], input.as_bytes()], &mut bytes);
        }
        if !self.retried.is_empty() {
            let numbers: Vec<u8> = self.retried.iter().flat_map(|number| number.to_le_bytes()).collect();
            part(RETRIED, &[&numbers], &mut bytes);
        }
        if let Some(Again { epoch, base }) = &self.again {
            part(AGAIN, &[epoch, &base.to_le_bytes()], &mut bytes);
        }
        bytes
    }

    /// Whether something of it outlives the records.
    pub(crate) fn is_lasting(&self) -> bool {
        self.request.is_some() || self.place.is_some() || !self.retried.is_empty()
    }

    /// What can be read of it.
    pub(crate) fn read(mut bytes: &[u8]) -> Self {
        let mut note = Self::default();
        while let Some((kind, part)) = next_part(&mut bytes) {
            match kind {
                ADDRESSED => note.addressed = String::from_utf8(part.to_vec()).ok(),
                REQUEST => note.request = request(part),
                PLACE => note.place = place(part),
                RETRIED => note.retried = part.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number)).collect(),
                AGAIN => note.again = again(part),
                _ => {}
            }
        }
        note
    }
}

impl Request {
    /// A request that is taken in now.
    pub(crate) fn new(key: Digest, body: Digest, answer: Vec<u8>) -> Self {
        Self { key, body, time: clock::now(), answer }
    }
}

fn part(kind: u8, pieces: &[&[u8]], bytes: &mut Vec<u8>) {
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    bytes.push(kind);
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    for piece in pieces {
        bytes.extend_from_slice(piece);
    }
}

fn next_part<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let [kind, length @ ..] = head;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some((*kind, part))
}

fn request(part: &[u8]) -> Option<Request> {
    let (key, rest) = part.split_first_chunk()?;
    let (body, rest) = rest.split_first_chunk()?;
    let (time, answer) = rest.split_first_chunk()?;
    Some(Request { key: *key, body: *body, time: f64::from_le_bytes(*time), answer: answer.to_vec() })
}

fn place(part: &[u8]) -> Option<InputPlace> {
    let (bytes, rest) = part.split_first_chunk()?;
    let (line, rest) = rest.split_first_chunk()?;
    let (ended, input) = rest.split_first()?;
    let input = String::from_utf8(input.to_vec()).ok()?;
    Some(InputPlace { input, bytes: u64::from_le_bytes(*bytes), line: u64::from_le_bytes(*line), ended: *ended != 0 })
}

fn again(part: &[u8]) -> Option<Again> {
    let (epoch, base) = part.split_first_chunk()?;
    Some(Again { epoch: *epoch, base: u64::from_le_bytes(base.try_into().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Note {
        Note {
            addressed: Some("search".into()),
            request: Some(Request { key: [1; 32], body: [2; 32], time: 1.5, answer: b"{}".to_vec() }),
            place: Some(InputPlace { input: "app.ndjson".into(), bytes: 7, line: 3, ended: true }),
            retried: vec![4, u64::MAX],
            again: Some(Again { epoch: [3; 12], base: 99 }),
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        for note in [Note::default(), full(), Note { retried: vec![9], ..Note::default() }] {
            assert_eq!(Note::read(&note.to_bytes()), note);
        }
        assert!(Note::default().to_bytes().is_empty());
    }

    #[test]
    fn parts_of_a_later_version_are_left_out() {
        let mut bytes = Vec::new();
        part(77, &[b"from the future"], &mut bytes);
        bytes.extend(full().to_bytes());
        assert_eq!(Note::read(&bytes), full());
    }

    #[test]
    fn no_bytes_make_reading_one_panic() {
        let whole = full().to_bytes();
        for length in 0..whole.len() {
            Note::read(&whole[..length]);
            let mut spoilt = whole.clone();
            spoilt[length] ^= 0xff;
            Note::read(&spoilt);
        }
    }
}
