//! The short way through an object of the usual shape: one pass, nothing built that is thrown away.
//!
//! It knows objects without nesting whose texts have no escapes. Where it gives fields they are those that
//! [`json`](super::json) gives; everything else, and everything that is wrong, it leaves to there, where a person is told
//! what it is.

use std::borrow::Cow;

use super::Text;
use super::fields::{Fields, Key};
use super::value::Value;

/// Longest number that is taken here: longer ones are rare and need no speed.
const LONGEST_NUMBER: usize = 40;
/// With so many digits a whole number is one of 64 bits.
const WHOLE_DIGITS: usize = 18;

/// Reads the fields of an object into `fields`, which are empty; none where the long way has to look, whatever `fields`
/// hold then.
pub(super) fn parse_object<'a>(text: &'a str, fields: &mut Fields<'a>) -> Option<()> {
    let mut scan = Scan { text, at: 0 };
    scan.blanks();
    scan.take(b'{')?;
    scan.blanks();
    if scan.peek()? == b'}' {
        return None;
    }
    loop {
        let key = scan.string()?;
        scan.blanks();
        scan.take(b':')?;
        scan.blanks();
        match Key::named(key) {
            // Never used: that it is a number is enough.
            Some(Key::Duration) if scan.is_at_number() => {
                scan.number_text()?;
                fields.insert_known(Key::Duration, Value::Null).ok()?;
            }
            Some(known) => fields.insert_known(known, scan.value()?).ok()?,
            None if key == "attributes" => return None,
            None => fields.insert_attribute(Cow::Borrowed(key), scan.value()?).ok()?,
        }
        scan.blanks();
        match scan.next()? {
            b',' => scan.blanks(),
            b'}' => break,
            _ => return None,
        }
    }
    scan.blanks();
    (scan.at == text.len()).then_some(())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.at += self.rest().starts_with(word.as_bytes()).then_some(word.len())?;
        Some(())
    }

    fn is_at_number(&self) -> bool {
        matches!(self.peek(), Some(b'-' | b'0'..=b'9'))
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.string().map(|text| Value::Text(Text::Borrowed(text))),
            b'n' => self.word("null").map(|()| Value::Null),
            b't' => self.word("true").map(|()| Value::Bool(true)),
            b'f' => self.word("false").map(|()| Value::Bool(false)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    /// A text without escapes.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let length = plain_prefix(self.rest());
        self.at += length;
        self.take(b'"')?;
        // Both ends stand beside a quote.
        self.text.get(start..start + length)
    }

    fn number(&mut self) -> Option<Value<'a>> {
        let (text, is_whole) = self.number_text()?;
        if !is_whole {
            return Some(Value::Float(text.parse().ok()?));
        }
        match text.strip_prefix('-') {
            _ if text.len() > WHOLE_DIGITS => None,
            // Minus nothing is a double.
            Some("0") => None,
            Some(_) => text.parse().ok().map(Value::Negative),
            None => text.parse().ok().map(Value::Whole),
        }
    }

    /// A number without an exponent, and whether it is a whole one.
    fn number_text(&mut self) -> Option<(&'a str, bool)> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        let leading = self.peek()?;
        let whole = self.digits()?;
        if leading == b'0' && whole > 1 {
            return None;
        }
        let is_whole = self.peek()? != b'.';
        if !is_whole {
            self.at += 1;
            self.digits()?;
        }
        let text = self.text.get(start..self.at)?;
        (text.len() <= LONGEST_NUMBER && !matches!(self.peek()?, b'e' | b'E')).then_some((text, is_whole))
    }

    /// How many there are: at least one.
    fn digits(&mut self) -> Option<usize> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(count)
    }
}

/// How many bytes come before the first quote, backslash or control character.
#[inline]
fn plain_prefix(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let marks = special(u64::from_le_bytes(*word));
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().take_while(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\')).count();
    words.len() * 8 + plain
}

/// The top bit of each byte that is a quote, a backslash or a control character; of the bytes above the lowest such one
/// it may be set as well.
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let below = |bytes: u64, limit: u64| bytes.wrapping_sub(ONES * limit) & !bytes;
    let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
    let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
    (below(word, 0x20) | quotes | backslashes) & TOPS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{fields::Fields, json, resolve};

    /// Whether both ways come to the same, or the short one leaves it to the long one.
    fn agree(text: &str) -> bool {
        let mut fields = Fields::default();
        if super::parse_object(text, &mut fields).is_none() {
            return true;
        }
        let long = json::parse_object(text).and_then(|mut fields| Ok(format!("{:?}", resolve::resolve(&mut fields)?)));
        resolve::resolve(&mut fields).map(|record| format!("{record:?}")) == long
    }

    #[test]
    fn the_usual_line_takes_the_short_way() {
        let line = r#"{"event_name": "Tick", "task_id": "a-1", "start_time": 1795368571.4446013, "end_time": 1795368571.5, "status": "completed", "error": null, "retry_count": 0, "process_id": 25331, "up": true, "timestamp": "2026-11-22T17:29:31.499439", "metric_type": "event", "duration": 0.0390}"#;
        let mut fields = Fields::default();
        assert!(super::parse_object(line, &mut fields).is_some());
        assert!(agree(line));
    }

    #[test]
    fn what_is_unusual_or_wrong_is_left_to_the_long_way() {
        for value in [
            r#""a\n""#,
            "\"a\tb\"",
            "[]",
            "{}",
            "1e3",
            "-0",
            "01",
            "1.",
            ".5",
            "-",
            "+1",
            "nul",
            "nullx",
            "tru",
            "NaN",
            "\"open",
            "1234567890123456789",
            "",
        ] {
            let text = format!(r#"{{"event_name":"e","start_time":1,"x":{value}}}"#);
            assert!(super::parse_object(&text, &mut Fields::default()).is_none(), "{text}");
        }
        for text in [
            "{}",
            "{\"a\":1,}",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":1} x",
            "[1]",
            "",
            "{\"a\":1,\"a\":2}",
            "{\"a\" 1}",
            "{a:1}",
            "{\"attributes\":{}}",
        ] {
            assert!(super::parse_object(text, &mut Fields::default()).is_none(), "{text}");
        }
    }

    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,20}",
            "-?(0|[1-9][0-9]{0,17})\\.[0-9]{1,25}",
            any::<f64>().prop_map(|number| number.to_string()),
            "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?",
            "\"[ -~é]{0,20}\"",
            "\"\\PC{0,12}\"",
            "null|true|false|\\[\\]|\\{\\}",
        ]
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            "event_name|operation|task_id|start_time|end_time|status|error|retry_count|process_id|host|port",
            "bytes_sent|bytes_received|duration|latency|timestamp|metric_type|attributes",
            "[a-z_\\\\\"]{0,12}",
        ]
    }

    proptest! {
        #[test]
        fn both_ways_come_to_the_same(
            pairs in proptest::collection::vec((key(), "[ \t]{0,2}", scalar(), "[ \t]{0,2}"), 0..8),
            kind in "\"(event_name|operation)\": ?\"e\",? ?",
            start in "\"start_time\": ?[0-9]{1,10}(\\.[0-9]{1,9})?, ?",
        ) {
            let pairs: Vec<_> = pairs.iter().map(|(key, before, value, after)| format!("\"{key}\"{before}:{before}{value}{after}")).collect();
            let text = format!("{{{start}{kind}{}}}", pairs.join(","));
            prop_assert!(agree(&text), "{text}");
        }
    }
}
