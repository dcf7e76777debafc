//! Dead letters as a person reads them. All words in them are strangers', and lose what a terminal would obey.

use std::fmt::{self, Display, Write as _};

use indicatif::HumanCount;

use super::super::table::Table;
use super::super::terminal::Paint;
use crate::inquiry::{Group, Letter};
use crate::untrusted;

/// Bytes of a reason that are shown.
pub(super) const REASON: usize = 4 << 10;
/// The same in a list.
const REASON_IN_A_LIST: usize = 300;
/// Bytes of a name that are shown.
const NAME: usize = 128;
/// Bytes of a record that are shown.
const RECORD: usize = 64 << 10;
/// Refused lines are no publisher's.
const NOBODY: &str = "(no record)";

/// A table of groups, or of letters.
#[derive(Default)]
pub(super) struct List {
    table: Option<Table>,
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_none()
    }

    pub(super) fn group(&mut self, group: &Group) {
        let Group { count, publisher, kind, reason, first, last, example } = group;
        let titles = ["count", "publisher", "kind", "first", "last", "show"];
        let cells = [
            HumanCount(*count).to_string(),
            name(publisher.as_deref()),
            kind.name().to_owned(),
            moment(first),
            moment(last),
            format!("{example}"),
        ];
        self.row(&titles, cells, reason);
    }

    pub(super) fn letter(&mut self, letter: &Letter) {
        let titles = ["number", "publisher", "kind", "dead since"];
        let cells = [
            letter.number.to_string(),
            name(letter.publisher.as_deref()),
            letter.kind.name().to_owned(),
            moment(&letter.filed),
        ];
        self.row(&titles, cells, &letter.reason);
    }

    fn row<const N: usize>(&mut self, titles: &[&str; N], cells: [String; N], reason: &str) {
        let table = self.table.get_or_insert_with(|| Table::new(titles));
        table.row_with_notes(cells, vec![format!("    {}", untrusted::text(reason, REASON_IN_A_LIST))]);
    }
}

impl Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.as_ref().map_or(Ok(()), |table| table.fmt(f))
    }
}

/// All of one.
pub(super) fn letter(letter: &Letter, paint: Paint) -> String {
    let mut text = String::new();
    let mut put = |title: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{title:<13}{value}");
        }
    };
    let plain = |text: &String| untrusted::text(text, NAME);
    put("number", Some(paint.strong(letter.number).to_string()));
    put("publisher", letter.publisher.as_ref().map(plain));
    put("plugin", letter.plugin.as_ref().map(plain));
    put("source", letter.source.as_ref().map(|source| untrusted::text(source, 1 << 10)));
    put("line", letter.line.map(|line| line.to_string()));
    put("kind", Some(letter.kind.name().to_owned()));
    put("reason", Some(untrusted::text(&letter.reason, REASON)));
    put("attempts", letter.publisher.as_ref().map(|_| letter.attempts.to_string()));
    put("taken in", letter.received.as_deref().map(moment));
    put("dead since", Some(moment(&letter.filed)));
    let place = letter.epoch.as_ref().zip(letter.offset);
    put("in the queue", place.map(|(epoch, offset)| format!("{} {offset}", plain(epoch))));
    let raw = || letter.raw_bytes().map(|raw| ("as it came", String::from_utf8_lossy(&raw).into_owned()));
    let record = letter.record.as_ref().map(|record| ("record", record.get().to_owned()));
    let (title, body) = record.or_else(raw).unwrap_or(("record", "(was not kept)".to_owned()));
    put(title, Some(untrusted::text(&body, RECORD)));
    text
}

/// What was put into the queue again.
pub(super) fn retried(publisher: Option<&str>, count: u64) -> String {
    let (what, whom) = match publisher {
        Some(name) => ("records", untrusted::text(name, NAME)),
        None => ("lines that are records now", "all publishers".to_owned()),
    };
    format!("{} {what} in the queue again, for {whom}\n", HumanCount(count))
}

fn name(publisher: Option<&str>) -> String {
    publisher.map_or_else(|| NOBODY.to_owned(), |name| untrusted::text(name, NAME))
}

/// A time of an answer, to the second.
fn moment(time: &str) -> String {
    let time = untrusted::text(time, NAME);
    let second = time.split_once('.').map_or(time.as_str(), |(second, _)| second);
    second.replacen('T', " ", 1).trim_end_matches('Z').to_owned() + "Z"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inquiry::Kind;

    fn bad(text: &str) -> String {
        format!("{text}\u{1b}[2J\u{9b}31m\nnext")
    }

    #[test]
    fn strangers_words_fit_on_a_line_and_do_nothing_there() {
        let group = Group {
            count: 1_234,
            publisher: Some(bad("search")),
            kind: Kind::Rejected,
            reason: bad("no"),
            first: "2026-11-22T17:29:31.000000Z".to_owned(),
            last: bad("2026"),
            example: 17,
        };
        let mut list = List::default();
        list.group(&group);
        let shown = list.to_string();
        assert!(!shown.contains(|char: char| char.is_control() && char != '\n'), "{shown:?}");
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(shown.contains("1,234") && shown.contains("2026-11-22 17:29:31Z"), "{shown}");
    }

    #[test]
    fn one_is_shown_with_all_that_is_known() {
        let record = serde_json::value::RawValue::from_string(r#"{"a":"\u0007"}"#.to_owned()).unwrap();
        let shown = Letter {
            number: 7,
            kind: Kind::Poison,
            publisher: Some("search".to_owned()),
            plugin: Some("elasticsearch@0.1.0".to_owned()),
            reason: bad("it trapped"),
            attempts: 3,
            received: Some("2026-11-22T17:29:31.5Z".to_owned()),
            filed: "2026-11-22T17:29:32.5Z".to_owned(),
            epoch: Some("00".to_owned()),
            offset: Some(12),
            source: None,
            line: None,
            record: Some(record),
            raw: None,
            raw_base64: None,
        };
        let text = letter(&shown, Paint(false));
        assert_eq!(
            text,
            "number       7\npublisher    search\nplugin       elasticsearch@0.1.0\nkind         poison\n\
             reason       it trapped [2J 31m next\nattempts     3\ntaken in     2026-11-22 17:29:31Z\n\
             dead since   2026-11-22 17:29:32Z\nin the queue 00 12\nrecord       {\"a\":\"\\u0007\"}\n"
        );
    }

    #[test]
    fn what_goes_again_is_told_by_publisher() {
        assert_eq!(retried(Some("search"), 2_000), "2,000 records in the queue again, for search\n");
        assert_eq!(retried(None, 1), "1 lines that are records now in the queue again, for all publishers\n");
    }
}
