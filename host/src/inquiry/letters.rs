//! Dead letters, listed and put together by reason.

use std::collections::BTreeMap;

use metricast_records::time::rfc3339;
use metricast_store::meta::Filed;

use super::filter::{Filter, Kind};
use super::lines::{Group, Letter, Line, Summary};
use super::{Desk, InquiryError, Tell};

/// So many are read from the database at once.
const PAGE: usize = 1_000;
/// The same with their records.
const PAGE_OF_RECORDS: usize = 128;

/// What a group has so far.
struct Counted {
    count: u64,
    first: f64,
    last: f64,
    example: u64,
    /// What all have in common.
    reason: String,
}

impl Desk {
    pub(super) fn groups(&self, filter: &Filter, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        let mut groups: BTreeMap<(String, Kind, String), Counted> = BTreeMap::new();
        self.each(filter, false, &mut |Filed { number, letter }| {
            let (publisher, filed) = (letter.publisher().to_owned(), letter.filed);
            let alike = without_values(&letter.reason);
            let new =
                || Counted { count: 0, first: filed, last: filed, example: number, reason: letter.reason.clone() };
            let group = groups.entry((publisher, letter.kind.into(), alike.clone())).or_insert_with(new);
            if group.reason != letter.reason {
                group.reason = alike;
            }
            group.count += 1;
            (group.first, group.last) = (group.first.min(filed), group.last.max(filed));
            group.example = number;
            Ok(())
        })?;
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.count));
        for ((publisher, kind, _), counted) in groups {
            let Counted { count, first, last, example, reason } = counted;
            let publisher = Some(publisher).filter(|name| !name.is_empty());
            let (first, last) = (rfc3339(first), rfc3339(last));
            tell(Line::Group(Group { count, publisher, kind, reason, first, last, example }))?;
        }
        Ok(Summary::default())
    }

    pub(super) fn letters(&self, filter: &Filter, records: bool, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        self.each(filter, records, &mut |filed| tell(Line::Letter(Box::new(Letter::of(filed)))))?;
        Ok(Summary::default())
    }

    pub(super) fn letter(&self, number: u64, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        if let Some(filed) = self.one(number)? {
            tell(Line::Letter(Box::new(Letter::of(filed))))?;
        }
        Ok(Summary::default())
    }

    /// The letter of a number, unless it is in the queue again.
    pub(super) fn one(&self, number: u64) -> Result<Option<Filed>, InquiryError> {
        let filed = self.meta.letter(number)?;
        Ok(filed.filter(|_| self.retried().binary_search(&number).is_err()))
    }

    /// Those that a filter lets through, the oldest first.
    pub(super) fn each(
        &self,
        filter: &Filter,
        records: bool,
        visit: &mut dyn FnMut(Filed) -> Result<(), InquiryError>,
    ) -> Result<(), InquiryError> {
        let mut from = 0;
        while let Some(next) = self.page(filter, from, records, visit)? {
            from = next;
        }
        Ok(())
    }

    /// Some of them, and from which number on there may be more.
    pub(super) fn page(
        &self,
        filter: &Filter,
        from: u64,
        records: bool,
        visit: &mut dyn FnMut(Filed) -> Result<(), InquiryError>,
    ) -> Result<Option<u64>, InquiryError> {
        let limit = if records { PAGE_OF_RECORDS } else { PAGE };
        let page = self.meta.letters(&filter.page(from, limit, !records))?;
        let next = page.last().filter(|_| page.len() == limit).map(|last| last.number + 1);
        let retried = self.retried();
        for filed in page {
            if filter.takes_time(filed.letter.filed) && retried.binary_search(&filed.number).is_err() {
                visit(filed)?;
            }
        }
        Ok(next)
    }
}

/// A reason without what is one record's own: words with digits in them, but for the first one, which is a status.
fn without_values(reason: &str) -> String {
    let is_inside = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_');
    let mut alike = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(start) = rest.find(is_inside) {
        let (between, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|char| !is_inside(char)).unwrap_or(word.len()));
        let is_first = alike.is_empty() && between.is_empty();
        alike += between;
        alike += if !is_first && word.contains(|char: char| char.is_ascii_digit()) { "…" } else { word };
        rest = after;
    }
    alike + rest
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn reasons_are_alike_without_their_ids_and_values() {
        let reason = |id: &str, value: &str| {
            format!("400 mapper_parsing_exception failed to parse field [process.pid] in document '{id}': '{value}'")
        };
        let alike = without_values(&reason("f6f784b9f9c3971ab28912ec-11", "25331"));
        assert_eq!(alike, reason("…", "…"));
        assert_eq!(alike, without_values(&reason("f6f784b9f9c3971ab28912ec-12", "-7")));
        assert_ne!(without_values("400 bad"), without_values("413 bad"), "a status is no value");
        assert_eq!(without_values(""), "");
    }
}
