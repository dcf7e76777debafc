//! Refused lines of a body as dead letters: a sender is told of them, and may have thrown its answer away.

use metricast_records::body::{Body, Format};
use metricast_store::meta::Letter;
use serde_json::value::RawValue;

use crate::queue::letters;

/// A letter for each refused line that the answer lists; `source` is where the body came from.
pub(super) fn letters(source: &str, read: &Body, content_type: Option<&str>, body: &[u8]) -> Vec<Letter> {
    if read.refused.is_empty() {
        return Vec::new();
    }
    let items = match Format::of(content_type, body) {
        Ok(Format::Lines) => body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).collect(),
        // What is no array is one item.
        _ => serde_json::from_slice::<Vec<&RawValue>>(body)
            .map_or_else(|_| vec![body], |items| items.into_iter().map(|item| item.get().as_bytes()).collect()),
    };
    let raw = |line: u64| line.checked_sub(1).and_then(|index| items.get(index as usize)).copied().unwrap_or_default();
    let letter =
        |it: &metricast_records::body::RefusedLine| letters::refused(source, it.line, raw(it.line), &it.reason);
    read.refused.iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use metricast_records::body;
    use metricast_store::meta::Origin;

    use super::*;

    const GOOD: &str = r#"{"event_name": "e", "start_time": 1}"#;

    fn of(body: &str) -> Vec<(u64, String)> {
        let read = body::take(body.as_bytes(), None, 1.0).unwrap();
        let raw = |letter: Letter| match letter.origin {
            Origin::Line { line, raw: Some(raw), .. } => (line, String::from_utf8(raw).unwrap()),
            other => panic!("{other:?}"),
        };
        letters("here", &read, None, body.as_bytes()).into_iter().map(raw).collect()
    }

    #[test]
    fn each_has_the_line_or_the_item_that_was_refused() {
        let lines = format!("{GOOD}\n{{\"a\": 1}}\r\n\n{GOOD}\nno JSON");
        assert_eq!(of(&lines), [(2, "{\"a\": 1}".to_owned()), (5, "no JSON".to_owned())]);
        let array = format!(" [{GOOD}, {{\"a\":\n1}}, 7]");
        assert_eq!(of(&array), [(2, "{\"a\":\n1}".to_owned()), (3, "7".to_owned())]);
        let broken = format!("[{GOOD}, {{");
        assert_eq!(of(&broken), [(1, broken.clone())], "nothing of it was taken");
        assert!(of(GOOD).is_empty());
    }
}
