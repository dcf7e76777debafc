//! Writes JSON by hand into a buffer that is used again: the shape of a document is known, so only its values cost.

use std::io::{self, Write};
use std::net::IpAddr;

use metricast_sdk::Batch;

/// A buffer that JSON is appended to.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// What is written, and room that is used again.
    buffer: Vec<u8>,
    len: usize,
}

impl Json {
    /// Forgets what is written and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets what was written after the first `len` bytes.
    pub(crate) fn cut(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// How many bytes are written.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What is written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Bytes as they are: a literal, or as many as are known when this is compiled.
    #[inline]
    pub(crate) fn raw<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.room(N).copy_from_slice(bytes);
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
    }

    #[inline]
    fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.len;
        self.len += len;
        if self.len > self.buffer.len() {
            self.grow();
        }
        &mut self.buffer[start..self.len]
    }

    #[cold]
    fn grow(&mut self) {
        self.buffer.resize((self.len * 2).max(64 << 10), 0);
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: impl itoa::Integer) {
        self.bytes(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A string of the batch, in quotes.
    pub(crate) fn text(&mut self, texts: &Texts<'_>, symbol: u32) {
        let text = texts.batch.text(symbol);
        if texts.needs_escape(symbol) {
            self.escaped(text);
        } else {
            self.raw(b"\"");
            self.bytes(text.as_bytes());
            self.raw(b"\"");
        }
    }

    /// A name and a text, any of both.
    pub(crate) fn member(&mut self, name: &str, value: &str) {
        self.escaped(name);
        self.raw(b":");
        self.escaped(value);
    }

    /// Any string, in quotes.
    pub(crate) fn escaped(&mut self, text: &str) {
        serde_json::to_writer(self, text).expect("memory takes every write, and a string is always JSON");
    }
}

impl Write for Json {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is known of each string of a batch, so that a string that stands in many records is looked at once.
#[derive(Debug)]
pub(crate) struct Texts<'a> {
    batch: &'a Batch,
    marks: Vec<u8>,
}

const ESCAPE: u8 = 1;
const ADDRESS: u8 = 2;
const NO_ADDRESS: u8 = 4;
/// The place of a [`Key`] in a mark; 0 there is: not looked at yet.
const KEY: u8 = 3;

/// What the key of an attribute means for a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Stands under `metricast.attributes`.
    Plain = 1,
    /// As [`Plain`](Self::Plain), unless key and value together are too long.
    Long = 2,
    /// Is a label.
    Label = 3,
    /// Cannot stand in a document.
    Unfit = 4,
}

impl<'a> Texts<'a> {
    /// Looks at all the text once. `marks` is memory to use.
    pub(crate) fn new(batch: &'a Batch, mut marks: Vec<u8>) -> Self {
        marks.clear();
        marks.resize(batch.strings(), 0);
        mark_escapes(batch.text_bytes(), batch.ends(), &mut marks);
        Self { batch, marks }
    }

    /// The memory, to be used again.
    pub(crate) fn into_marks(self) -> Vec<u8> {
        self.marks
    }

    pub(crate) fn needs_escape(&self, symbol: u32) -> bool {
        self.marks[symbol as usize] & ESCAPE != 0
    }

    /// Whether a string is a literal IP address.
    pub(crate) fn is_address(&mut self, symbol: u32) -> bool {
        let mark = &mut self.marks[symbol as usize];
        if *mark & (ADDRESS | NO_ADDRESS) == 0 {
            let address = self.batch.text(symbol).parse::<IpAddr>().is_ok();
            *mark |= if address { ADDRESS } else { NO_ADDRESS };
        }
        *mark & ADDRESS != 0
    }

    /// What a key means; `judge` is asked once a batch.
    #[inline]
    pub(crate) fn key(&mut self, symbol: u32, judge: impl FnOnce(&str) -> Key) -> Key {
        let mark = &mut self.marks[symbol as usize];
        match *mark >> KEY {
            1 => Key::Plain,
            2 => Key::Long,
            3 => Key::Label,
            4 => Key::Unfit,
            _ => {
                let key = judge(self.batch.text(symbol));
                *mark |= (key as u8) << KEY;
                key
            }
        }
    }
}

fn mark_escapes(text: &[u8], ends: &[u32], marks: &mut [u8]) {
    let mut symbol = 0;
    let (words, rest) = text.as_chunks::<8>();
    let rest_at = text.len() - rest.len();
    let words = words.iter().enumerate().filter(|(_, word)| may_need_escape(**word));
    let pieces = words.map(|(at, word)| (at * 8, word.as_slice())).chain([(rest_at, rest)]);
    for (start, piece) in pieces {
        for (at, _) in piece.iter().enumerate().filter(|(_, byte)| matches!(byte, 0..0x20 | b'"' | b'\\')) {
            while ends.get(symbol).is_some_and(|end| *end as usize <= start + at) {
                symbol += 1;
            }
            if let Some(mark) = marks.get_mut(symbol) {
                *mark |= ESCAPE;
            }
        }
    }
}

/// Whether one of eight bytes is a control character, a quote or a backslash.
fn may_need_escape(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let word = u64::from_ne_bytes(word);
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes;
    // With its second bit turned over, a quote (0x22) comes right after the control characters, and nothing else does.
    let controls_and_quotes = below(word ^ (ONES * 2), 0x21);
    let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
    (controls_and_quotes | backslashes) & TOPS != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricast_records::{BatchBuilder, EventMetrics};
    use proptest::prelude::*;

    fn batch(texts: &[String]) -> Batch {
        let mut builder = BatchBuilder::new();
        for text in texts {
            let event = EventMetrics {
                event_name: "e".into(),
                status: "s".into(),
                task_id: text.clone(),
                ..EventMetrics::default()
            };
            builder.push(&metricast_sdk::MetricsRef::Event(event.as_ref()), 0.0).unwrap();
        }
        builder.finish()
    }

    proptest! {
        #[test]
        fn every_text_is_written_as_json_writes_it(texts in proptest::collection::vec(".{0,40}|[\\x00-\\x7f]{0,20}", 0..8)) {
            let batch = batch(&texts);
            let known = Texts::new(&batch, Vec::new());
            let mut json = Json::default();
            for (row, text) in texts.iter().enumerate() {
                json.clear();
                json.text(&known, batch.event_columns().task_id[row]);
                prop_assert_eq!(std::str::from_utf8(json.as_bytes()).unwrap(), serde_json::to_string(text).unwrap());
            }
        }
    }

    #[test]
    fn only_literal_addresses_are_addresses() {
        let hosts =
            ["127.0.0.1", "::1", "2001:db8::7", "localhost", "127.0.0.1:80", "[::1]", "fe80::1%eth0", "010.0.0.1", ""];
        let batch = batch(&hosts.map(str::to_owned));
        let mut texts = Texts::new(&batch, Vec::new());
        let found = hosts.iter().enumerate().filter(|(row, _)| texts.is_address(batch.event_columns().task_id[*row]));
        assert_eq!(found.map(|(_, host)| *host).collect::<Vec<_>>(), ["127.0.0.1", "::1", "2001:db8::7"]);
    }
}
