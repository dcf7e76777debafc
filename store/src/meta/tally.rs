//! What is counted beside the tables, so that no commit and no scrape counts rows: it follows each commit, and is counted
//! anew when the database is opened.

use std::collections::BTreeMap;

use redb::ReadableTable as _;

use super::error::Fault;
use super::frame::Take;
use super::letters;
use super::tables::{ALL, Views, number_of, report};

/// Counts and next numbers as of the last commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// The number of the last commit.
    pub(super) serial: u64,
    /// Dead letters held.
    pub(super) letters: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// The time of the newest request.
    pub(super) newest_request: f64,
    /// Dead letters by publisher.
    pub(super) by_publisher: BTreeMap<String, LetterCount>,
    /// The number of the next dead letter.
    pub(super) next_letter: u64,
    next_request: u64,
}

/// How many dead letters a publisher has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LetterCount {
    /// Held now.
    pub held: u64,
    /// Removed since ever because there were too many.
    pub evicted: u64,
}

impl Tally {
    /// Counts what is in the tables.
    pub(super) fn count(views: &Views) -> Result<Self, Fault> {
        let mut tally = Self::default();
        let number = |key: &[u8]| views.about.get(key, |fields| Take(fields).u64());
        tally.serial = number(b"serial")?.unwrap_or(0);
        tally.next_letter = number(b"next")?.unwrap_or(1);
        letters::heads(views, 0, |number, head| {
            tally.next_letter = tally.next_letter.max(number + 1);
            tally.add(head.letter.publisher(), head.size());
            Ok(true)
        })?;
        views.evicted.each(ALL, |key, fields| {
            let count = report(fields).and_then(|fields| Take(fields).u64());
            if let (Ok(name), Some(count)) = (std::str::from_utf8(key), count) {
                tally.by_publisher.entry(name.to_owned()).or_default().evicted = count;
            }
            Ok(true)
        })?;
        let last = views.request_order.rows.last()?;
        tally.next_request = last.and_then(|(key, _)| number_of(key.value())).map_or(0, |number| number + 1);
        Ok(tally)
    }

    /// The number of a new letter.
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_letter += 1;
        self.next_letter - 1
    }

    /// The number of a new request.
    pub(super) fn take_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request - 1
    }

    pub(super) fn add(&mut self, publisher: &str, bytes: u64) {
        self.letters += 1;
        self.bytes += bytes;
        self.by_publisher.entry(publisher.to_owned()).or_default().held += 1;
    }

    pub(super) fn subtract(&mut self, publisher: &str, bytes: u64) {
        self.letters = self.letters.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(count) = self.by_publisher.get_mut(publisher) {
            count.held = count.held.saturating_sub(1);
        }
    }

    /// Counts one more removed by the bound, and gives back how many that makes.
    pub(super) fn evict(&mut self, publisher: &str) -> u64 {
        let count = self.by_publisher.entry(publisher.to_owned()).or_default();
        count.evicted += 1;
        count.evicted
    }
}
