//! Broken JSON in plain words: what is wrong, where, and what would be right.
//!
//! `serde_json` tells its faults as text only, in a parser's words; here they become a person's.

use super::Refusal;

/// Why `text` could not be read as JSON. Columns are counted in characters, from 1.
pub(crate) fn not_json(text: &str, error: &serde_json::Error) -> Refusal {
    let message = error.to_string();
    let fault = message.split(" at line ").next().unwrap_or(&message);
    let place = Place::of(text, error);
    match fault {
        "recursion limit exceeded" => Refusal(format!("nested deeper than 127 levels at {place}")),
        "number out of range" => Refusal(format!("a number out of range at {place}: none is above 1.8e308")),
        _ => Refusal(format!("not JSON at {place}: {}", place.fault(fault))),
    }
}

/// What stands behind the end of an array of records.
pub(crate) fn after_the_array(text: &str, error: &serde_json::Error) -> Refusal {
    Refusal(format!("not JSON at {}: something follows the array", Place::of(text, error)))
}

/// Where the parser stopped.
struct Place<'a> {
    /// From 1; 0 and 1 are the first.
    line: usize,
    /// The line up to the character that was one too many, and from there on.
    before: &'a str,
    from: &'a str,
}

impl<'a> Place<'a> {
    fn of(text: &'a str, error: &serde_json::Error) -> Self {
        let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
        let at = line.floor_char_boundary(error.column().saturating_sub(1));
        let (before, from) = line.split_at(at);
        Self { line: error.line(), before, from }
    }

    fn fault(&self, fault: &str) -> String {
        if self.line <= 1 && (self.before.starts_with('\0') || self.from.starts_with('\0') && self.before.len() < 2) {
            return UTF_16.to_owned();
        }
        if let Some(token) = self.token() {
            return token;
        }
        match fault {
            "EOF while parsing a list" => "it breaks off in an array",
            "EOF while parsing an object" => "it breaks off in an object",
            "EOF while parsing a string" => "it breaks off in a text",
            "EOF while parsing a value" => "it breaks off where a value should stand",
            "expected `:`" => "a colon should follow the key",
            "expected `,` or `]`" => "a comma or the end of the array should stand here",
            "expected `,` or `}`" => "a comma or the end of the object should stand here",
            "expected ident" | "expected value" => {
                "a value should stand here: a text in double quotes, a number, true, false, null, an array or an object"
            }
            "key must be a string" => "a key in double quotes should stand here",
            "invalid escape" => {
                r#"in a text a backslash is followed by one of " \ / b f n r t, or by u and four digits"#
            }
            "invalid number" => "this is no number as JSON writes them, such as -12.5 or 1e6",
            "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
                r"half a character: escapes from \ud800 to \udfff come in pairs"
            }
            "trailing comma" => "nothing follows the comma: it is one too many",
            "trailing characters" => FOLLOWS,
            other if other.starts_with("control character") => return self.control_character(),
            other => other,
        }
        .to_owned()
    }

    /// What programs write that looks like JSON to them.
    fn token(&self) -> Option<String> {
        // Of `-Infinity` the parser takes the sign.
        let (before, word) =
            (self.before.trim_end_matches([' ', ':', ',']), self.from.trim_start_matches([' ', ':', ',']));
        let sign = if before.ends_with('-') { "-" } else { "" };
        for token in ["NaN", "Infinity", "-Infinity"] {
            if word.starts_with(token) {
                return Some(format!("{sign}{token} is no JSON number; null says that there is none"));
            }
        }
        let python = ["'", "None", "True", "False"].iter().any(|token| word.starts_with(token));
        python.then(|| "this looks like Python's repr, and json.dumps writes JSON".to_owned())
    }

    fn control_character(&self) -> String {
        // The parser may point at the character or past it.
        let found = self.from.chars().next().filter(char::is_ascii_control);
        match found.or_else(|| self.before.chars().next_back()) {
            Some('\t') => r"a tab inside a text is written \t".to_owned(),
            Some('\r') => r"a carriage return inside a text is written \r".to_owned(),
            None | Some('\n') => r"a line end inside a text is written \n".to_owned(),
            Some(other) => format!("the control character U+{0:04X} inside a text is written \\u{0:04x}", other as u32),
        }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let column = self.before.chars().count() + 1;
        match self.line {
            0 | 1 => write!(f, "column {column}"),
            line => write!(f, "line {line}, column {column}"),
        }
    }
}

/// More than one record on a line, or what should be none.
pub(crate) const FOLLOWS: &str = "something follows the record; each stands on a line of its own";
const UTF_16: &str = "this looks like UTF-16, and records are UTF-8";

/// Bytes that are no text, of `what`: which one is wrong, counted from 1.
pub(crate) fn not_utf8(what: &str, bytes: &[u8], error: std::str::Utf8Error) -> Refusal {
    let at = error.valid_up_to();
    let hint = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => UTF_16,
        _ => "records are UTF-8",
    };
    Refusal(format!("not UTF-8 at byte {} of the {what} (0x{:02X}): {hint}", at + 1, bytes[at]))
}

#[cfg(test)]
mod tests {
    use super::super::parse_record;

    fn told(text: &str) -> String {
        parse_record(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_fault_has_words_of_its_own() {
        for (text, wanted) in [
            (r#"{"a": [1"#, "column 8: it breaks off in an array"),
            (r#"{"a": 1"#, "column 7: it breaks off in an object"),
            (r#"{"a": "1"#, "column 8: it breaks off in a text"),
            (r#"{"a": "#, "column 6: it breaks off where a value should stand"),
            (r#"{"a" 1}"#, "column 6: a colon should follow the key"),
            (r#"{"a": [1 2]}"#, "column 10: a comma or the end of the array should stand here"),
            (r#"{"a": 1 "b": 2}"#, "column 9: a comma or the end of the object should stand here"),
            (
                r#"{"a": nul}"#,
                "column 10: a value should stand here: a text in double quotes, a number, true, false, null, an array or an object",
            ),
            (r"{a: 1}", "column 2: a key in double quotes should stand here"),
            (
                r#"{"a": "C:\pub"}"#,
                r#"column 11: in a text a backslash is followed by one of " \ / b f n r t, or by u and four digits"#,
            ),
            (r#"{"a": 01}"#, "column 8: this is no number as JSON writes them, such as -12.5 or 1e6"),
            (r#"{"a": "\ud800"}"#, r"column 14: half a character: escapes from \ud800 to \udfff come in pairs"),
            (r#"{"a": 1,}"#, "column 9: nothing follows the comma: it is one too many"),
            (r#"{"a": 1}}"#, "column 9: something follows the record; each stands on a line of its own"),
            ("{\"a\": \"b\tc\"}", r"column 9: a tab inside a text is written \t"),
            ("{\"a\": \"\0\"}", r"column 8: the control character U+0000 inside a text is written \u0000"),
            ("{\"ü\": \"ü\rc\"}", r"column 9: a carriage return inside a text is written \r"),
        ] {
            assert_eq!(told(text), format!("not JSON at {wanted}"), "{text}");
        }
        assert_eq!(told(r#"{"a": 1e400}"#), "a number out of range at column 11: none is above 1.8e308");
        assert!(told("{\n\"a\" 1}").starts_with("not JSON at line 2, column 5: a colon"));
    }

    #[test]
    fn utf_16_is_seen() {
        assert!(told("{\0\"\0a\0").ends_with(super::UTF_16));
        assert!(parse_record(b"\xFF\xFE{\0").unwrap_err().to_string().ends_with(super::UTF_16));
    }
}
