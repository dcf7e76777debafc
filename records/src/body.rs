//! The body of a `POST /v1/records`: many records and what is answered for them, the same in every program that takes
//! records over HTTP.
//!
//! A body is lines (NDJSON) or one JSON value: an array of records or a single one. What is refused never stops the
//! rest. Framing, compression and limits of size are the work of the server.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::builder::BatchBuilder;
use crate::input::{self, Parsed, Refusal, told};

/// How many refusals are listed; more are only counted.
pub const MAX_LISTED: usize = 10_000;

/// What `curl -d` and `curl --data-binary` say of everything.
const FORM: &str = "application/x-www-form-urlencoded";

/// How a body holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One record a line.
    Lines,
    /// One JSON value: an array of records, or one record.
    Json,
}

/// A Content-Type that no records come in.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "content type {0:?} is not known: application/x-ndjson (a record a line) and application/json (an array of records) are; with curl: --data-binary @FILE -H 'content-type: application/x-ndjson'"
)]
pub struct UnknownType(String);

impl Format {
    /// By the Content-Type; where there is none, or one that says nothing, by the first character.
    ///
    /// # Errors
    /// [`UnknownType`]
    pub fn of(content_type: Option<&str>, body: &[u8]) -> Result<Self, UnknownType> {
        let essence =
            content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Ok(Self::Lines)
            }
            "application/json" => Ok(Self::Json),
            "" | "text/plain" | "application/octet-stream" | FORM => {
                Ok(if body.trim_ascii_start().first() == Some(&b'[') { Self::Json } else { Self::Lines })
            }
            _ => Err(UnknownType(essence)),
        }
    }
}

/// A line, or an item of an array, that is no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// From 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What was read of a body.
#[derive(Debug, Default)]
pub struct Body {
    /// The records.
    pub records: BatchBuilder,
    /// What was refused, the first [`MAX_LISTED`] of it.
    pub refused: Vec<RefusedLine>,
    /// How many more were refused.
    pub unlisted: u64,
    /// The line, or the item of an array, that each record was, in the order of their arrival; from 1.
    pub lines: Vec<u32>,
}

/// What a body is packed as that says nothing of it, by its first bytes (RFC 1952, section 2.3.1; RFC 8878, section
/// 3.1.1). No JSON begins with them.
fn packed_as(body: &[u8]) -> Option<&'static str> {
    if body.starts_with(&[0x1f, 0x8b]) {
        Some("gzip")
    } else if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Some("zstd")
    } else {
        None
    }
}

/// Reads the body of a request that came with `content_type` and was taken in at `received`, seconds since the Unix
/// epoch.
///
/// # Errors
/// [`UnknownType`]
pub fn take(body: &[u8], content_type: Option<&str>, received: f64) -> Result<Body, UnknownType> {
    let mut taken = read(body, Format::of(content_type, body)?, received);
    if content_type.is_some_and(|named| named.starts_with(FORM)) {
        taken.hint_at_curl(body);
    }
    Ok(taken)
}

/// Reads a body that was taken in at `received`, seconds since the Unix epoch.
pub fn read(body: &[u8], format: Format, received: f64) -> Body {
    let mut read = Body::default();
    match format {
        Format::Lines => read.lines(body, received),
        Format::Json => read.json(body, received),
    }
    read
}

impl Body {
    /// How many lines or items were refused.
    pub fn refused_count(&self) -> u64 {
        self.refused.len() as u64 + self.unlisted
    }

    /// Whether nothing of it is a record and something should have been: the answer is a 400 then.
    pub fn is_all_refused(&self) -> bool {
        self.records.is_empty() && self.refused_count() > 0
    }

    /// The status of the answer, once the records are where they belong: 400 where nothing of the body is a record.
    pub fn status(&self) -> u16 {
        if self.is_all_refused() { 400 } else { 200 }
    }

    /// The answer's body, JSON with a line end: `accepted` counts records, `refused` lists lines with reasons, `refused_unlisted`
    /// (where there are any) counts the rest of them.
    pub fn answer(&self) -> String {
        let answer =
            Answer { accepted: self.records.len() as u64, refused: &self.refused, refused_unlisted: self.unlisted };
        serde_json::to_string(&answer).expect("all keys are text") + "\n"
    }

    fn lines(&mut self, body: &[u8], received: f64) {
        for (line, bytes) in (1..).zip(body.split(|&byte| byte == b'\n')) {
            match input::parse_line(bytes) {
                Ok(Some(record)) => self.push(line, &record, received),
                Ok(None) => {}
                Err(refusal) => self.refuse(line, &refusal),
            }
        }
        if let (true, Some(encoding), Some(first)) =
            (self.records.is_empty(), packed_as(body), self.refused.first_mut())
        {
            first.reason = format!("the body is {encoding}: send it with the header content-encoding: {encoding}");
        }
    }

    fn json(&mut self, body: &[u8], received: f64) {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii();
        if body.is_empty() {
            return;
        }
        if body[0] != b'[' {
            match input::parse_record(body) {
                Ok(record) => self.push(1, &record, received),
                Err(refusal) if refusal.to_string().ends_with(told::FOLLOWS) => {
                    let told = format!("{refusal}, and lines are sent as content-type: application/x-ndjson");
                    self.refuse(1, &Refusal::new(told));
                }
                Err(refusal) => self.refuse(1, &refusal),
            }
            return;
        }
        if let Err(refusal) = self.array(body, received) {
            // An array that breaks off may have lost anything: none of it is taken.
            *self = Self::default();
            self.refuse(1, &Refusal::new(format!("{refusal}; nothing of the array was taken")));
        }
    }

    fn array(&mut self, body: &[u8], received: f64) -> Result<(), Refusal> {
        let text = std::str::from_utf8(body).map_err(|error| told::not_utf8("body", body, error))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut items = Items { body: self, received };
        deserializer.deserialize_seq(&mut items).map_err(|error| told::not_json(text, &error))?;
        deserializer.end().map_err(|error| told::after_the_array(text, &error))
    }

    fn push(&mut self, line: u64, record: &Parsed<'_>, received: f64) {
        match self.records.push(&record.as_ref(), received) {
            Ok(()) => self.lines.push(u32::try_from(line).unwrap_or(u32::MAX)),
            Err(full) => self.refuse(line, &Refusal::new(full.to_string())),
        }
    }

    /// `curl -d @FILE` makes one line of all lines.
    fn hint_at_curl(&mut self, body: &[u8]) {
        let all_in_one = self.is_all_refused() && !body.contains(&b'\n');
        if let Some(first) = self.refused.first_mut().filter(|first| all_in_one && first.reason.contains(told::FOLLOWS))
        {
            first.reason += "; curl -d takes the line ends out of a file: use --data-binary";
        }
    }

    fn refuse(&mut self, line: u64, refusal: &Refusal) {
        if self.refused.len() < MAX_LISTED {
            self.refused.push(RefusedLine { line, reason: refusal.to_string() });
        } else {
            self.unlisted += 1;
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    accepted: u64,
    refused: &'a [RefusedLine],
    #[serde(skip_serializing_if = "is_zero")]
    refused_unlisted: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

struct Items<'b> {
    body: &'b mut Body,
    received: f64,
}

impl<'de> Visitor<'de> for &mut Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut line = 0;
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            line += 1;
            match input::parse_record(item.get().as_bytes()) {
                Ok(record) => self.body.push(line, &record, self.received),
                Err(refusal) => self.body.refuse(line, &refusal),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Format, MAX_LISTED, UnknownType, read};

    const GOOD: &str = r#"{"event_name":"e","start_time":1}"#;

    #[test]
    fn lines_are_numbered_as_they_stand() {
        let body = read(format!("{GOOD}\n\n{{}}\r\n{GOOD}").as_bytes(), Format::Lines, 5.0);
        assert_eq!(
            body.answer(),
            r#"{"accepted":2,"refused":[{"line":3,"reason":"neither metric_type nor event_name nor operation is there: the kind of record is not known"}]}
"#
        );
        assert!(!body.is_all_refused());
        assert_eq!(body.lines, [1, 4]);
        assert_eq!(body.records.finish().received(), [5.0, 5.0]);
    }

    #[test]
    fn a_packed_body_that_does_not_say_so_is_told_how() {
        let gzip = read(b"\x1f\x8b\x08\x00\nmore", Format::Lines, 5.0);
        let told = "the body is gzip: send it with the header content-encoding: gzip";
        assert_eq!((gzip.refused_count(), gzip.refused[0].line, gzip.refused[0].reason.as_str()), (2, 1, told));
        let one_bad_line = read(&[b"\x1f\x8b\n", GOOD.as_bytes()].concat(), Format::Lines, 5.0);
        assert!(!one_bad_line.refused[0].reason.contains("content-encoding"), "{:?}", one_bad_line.refused);
    }

    #[test]
    fn lines_that_are_sent_as_json_are_told_their_type() {
        let refused = read(format!("{GOOD}\n{GOOD}\n").as_bytes(), Format::Json, 5.0);
        let told = "each stands on a line of its own, and lines are sent as content-type: application/x-ndjson";
        assert!(refused.refused[0].reason.ends_with(told), "{:?}", refused.refused);
    }

    #[test]
    fn an_array_or_one_record_is_json_too() {
        let array = read(format!("\u{feff}[{GOOD}, 7,\n {GOOD}]\n").as_bytes(), Format::Json, 5.0);
        assert_eq!(
            array.answer(),
            r#"{"accepted":2,"refused":[{"line":2,"reason":"a record is one JSON object, and this is a number"}]}
"#
        );
        assert_eq!(read(b"{\n\"event_name\": \"e\",\n\"start_time\": 1}", Format::Json, 5.0).records.len(), 1);
        assert_eq!(read(b" ", Format::Json, 5.0).answer(), "{\"accepted\":0,\"refused\":[]}\n");
    }

    #[test]
    fn an_array_that_breaks_off_is_not_taken_in_part() {
        let body = read(format!("[{GOOD},{GOOD}").as_bytes(), Format::Json, 5.0);
        assert!(body.is_all_refused());
        assert_eq!(body.records.len(), 0);
        assert_eq!(
            body.refused[0].reason,
            "not JSON at column 68: it breaks off in an array; nothing of the array was taken"
        );
    }

    /// Pieces of records, of what breaks them, and any bytes.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(GOOD.as_bytes().to_vec()),
            4 => Just(b"\n".to_vec()),
            2 => prop::sample::select(vec!["\r\n", "\u{feff}", " ", "[", "]", "{", "}", ",", "\0", "\"", "\\ud800", "1e999"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_line_of_any_bytes_is_counted_once(bytes in bytes()) {
            let body = read(&bytes, Format::Lines, 5.0);
            let bare = |line: &[u8]| line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii().is_empty();
            let (blank, lines): (Vec<_>, Vec<_>) = bytes.split(|byte| *byte == b'\n').partition(|line| bare(line));
            prop_assert_eq!(body.records.len() as u64 + body.refused_count(), lines.len() as u64);
            let all = 1..=(blank.len() + lines.len()) as u64;
            prop_assert!(body.refused.iter().all(|refused| all.contains(&refused.line)));
        }

        #[test]
        fn any_bytes_as_json_are_taken_or_refused(bytes in bytes()) {
            let body = read(&bytes, Format::Json, 5.0);
            let blank = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes).trim_ascii();
            let is_empty_array = blank.first() == Some(&b'[') && blank.last() == Some(&b']') && blank[1..blank.len() - 1].trim_ascii().is_empty();
            prop_assert_eq!(body.records.is_empty() && body.refused_count() == 0, blank.is_empty() || is_empty_array);
        }
    }

    #[test]
    fn refusals_are_listed_up_to_a_bound() {
        let body = read("x\n".repeat(MAX_LISTED + 3).as_bytes(), Format::Lines, 5.0);
        assert_eq!((body.refused.len(), body.refused_count()), (MAX_LISTED, MAX_LISTED as u64 + 3));
        assert!(body.answer().ends_with("\"refused_unlisted\":3}\n"));
    }

    #[test]
    fn the_format_is_named_or_seen() {
        let of = |content_type: &str, body: &str| Format::of(Some(content_type), body.as_bytes());
        assert_eq!(of("application/x-ndjson; charset=utf-8", "["), Ok(Format::Lines));
        assert_eq!(of("Application/JSON", "{"), Ok(Format::Json));
        assert_eq!(of("application/x-www-form-urlencoded", " [1]"), Ok(Format::Json));
        assert_eq!(Format::of(None, b"{}"), Ok(Format::Lines));
        assert_eq!(of("text/xml", "<"), Err(UnknownType("text/xml".to_owned())));
    }
}
