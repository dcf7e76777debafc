//! The records of the log, as they are there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use metricast_records::time::rfc3339;
use metricast_records::{Batch, dictionary};
use metricast_store::log::{self, Epoch, Found, Frame, Log, Reader};
use serde_json::value::RawValue;

use super::lines::{Damage, Line, Record, Summary};
use super::verify::{DATABASE, of_log};
use super::{Desk, InquiryError, Tell, finish};
use crate::queue::note::Note;

/// Whose records are wanted, and which of them it has no need of.
struct Wanted<'a> {
    publisher: Option<&'a str>,
    skipped: BTreeSet<u64>,
    range: Range<u64>,
}

impl Desk {
    pub(super) fn records(
        &self,
        mut range: Range<u64>,
        publisher: Option<&str>,
        tell: &mut Tell<'_>,
    ) -> Result<Summary, InquiryError> {
        let mut skipped = BTreeSet::new();
        if let Some(name) = publisher {
            let Some(found) = self.meta.publisher(name)? else {
                let known = self.meta.publishers()?.into_iter().filter(|it| it.cursor.is_some());
                let known = known.map(|it| it.name).filter(|name| !name.starts_with('#')).collect();
                return Err(InquiryError::NoPublisher { name: name.to_owned(), known });
            };
            range.start = range.start.max(found.cursor.unwrap_or(0));
            skipped = found.skipped.into_iter().collect();
        }
        range.end = range.end.min(self.end());
        let wanted = Wanted { publisher, skipped, range };
        let reader = self.read_from(wanted.range.start)?;
        wanted.all(reader, tell)
    }
}

/// All records of a folder that nobody has open and whose database is of no use, which is told by `missing`.
///
/// # Errors
/// Only that nobody listens any more.
pub(crate) fn records_without_database(
    folder: &Path,
    range: Range<u64>,
    missing: String,
    tell: &mut Tell<'_>,
) -> Result<(), InquiryError> {
    tell(Line::Damage(Damage { file: DATABASE.to_owned(), byte: None, offsets: None, what: missing }))?;
    let wanted = Wanted { publisher: None, skipped: BTreeSet::new(), range };
    let read = Log::look(&log::Folder::new(folder.join("log"))).map_err(InquiryError::from);
    let answered = read.and_then(|reader| wanted.all(reader, tell));
    finish(answered, tell)
}

impl Wanted<'_> {
    fn all(&self, mut reader: Reader<log::Folder>, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        let mut summary = Summary::default();
        while let Some(found) = reader.read()? {
            match found {
                Found::Damage(damage) if damage.offsets.start >= self.range.end => break,
                Found::Damage(damage) if damage.offsets.end <= self.range.start => {}
                Found::Damage(damage) => tell(Line::Damage(of_log(&damage)))?,
                Found::Frame(frame) if frame.first >= self.range.end => break,
                Found::Frame(frame) if frame.next <= self.range.start => {}
                Found::Frame(frame) => self.frame(&frame, &mut summary, tell)?,
            }
        }
        Ok(summary)
    }

    fn frame(&self, frame: &Frame, summary: &mut Summary, tell: &mut Tell<'_>) -> Result<(), InquiryError> {
        let note = Note::read(frame.note());
        let count = frame.next - frame.first;
        if let Some(addressed) = &note.addressed
            && self.publisher != Some(addressed)
        {
            summary.retried += count;
            return Ok(());
        }
        let (epoch, base) = note.again.map_or((frame.epoch, frame.first), |again| (Epoch(again.epoch), again.base));
        let batch = match Batch::read_bytes(frame.body(), &epoch.to_string(), base) {
            Ok(batch) => batch,
            Err(error) => return tell(Line::Damage(unreadable(frame, &error.to_string()))),
        };
        let mut records: Vec<_> = batch.records().collect();
        records.sort_unstable_by_key(|record| record.offset);
        for (place, record) in (frame.first..).zip(records) {
            if !self.range.contains(&place) || self.skipped.contains(&place) {
                continue;
            }
            let text = dictionary::to_string(&record.metrics);
            let Ok(text) = RawValue::from_string(text) else { continue };
            summary.records += 1;
            let (offset, received) = (record.offset, rfc3339(record.received));
            tell(Line::Record(Record { epoch: batch.epoch().to_owned(), offset, received, record: text }))?;
        }
        Ok(())
    }
}

/// A write of which every byte is there, and which makes no sense all the same.
pub(super) fn unreadable(frame: &Frame, why: &str) -> Damage {
    let what = format!("its records cannot be read: {why}");
    Damage { file: "log".to_owned(), byte: None, offsets: Some((frame.first, frame.next.saturating_sub(1))), what }
}
