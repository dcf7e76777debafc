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
}

impl Desk {
    pub(super) fn groups(&self, filter: &Filter, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        let mut groups: BTreeMap<(String, Kind, String), Counted> = BTreeMap::new();
        self.each(filter, false, &mut |Filed { number, letter }| {
            let (publisher, filed) = (letter.publisher().to_owned(), letter.filed);
            let new = Counted { count: 0, first: filed, last: filed, example: number };
            let group = groups.entry((publisher, letter.kind.into(), letter.reason)).or_insert(new);
            group.count += 1;
            (group.first, group.last) = (group.first.min(filed), group.last.max(filed));
            group.example = number;
            Ok(())
        })?;
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.count));
        for ((publisher, kind, reason), counted) in groups {
            let Counted { count, first, last, example } = counted;
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
        let filed = self.store.meta().letter(number)?;
        Ok(filed.filter(|_| !self.queue.retried().contains(&number)))
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
        let page = self.store.meta().letters(&filter.page(from, limit, !records))?;
        let next = page.last().filter(|_| page.len() == limit).map(|last| last.number + 1);
        let retried = self.queue.retried();
        for filed in page {
            if filter.takes_time(filed.letter.filed) && retried.binary_search(&filed.number).is_err() {
                visit(filed)?;
            }
        }
        Ok(next)
    }
}
