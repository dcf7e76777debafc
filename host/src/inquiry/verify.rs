//! Whether a folder is whole: every write of the log and every value of the database by their checksums. Nothing is
//! changed.

use std::path::Path;

use metricast_records::Batch;
use metricast_store::log::{self, Found, Log, LogError};
use metricast_store::meta::{Checked, Looking, MetaError};

use super::lines::{Damage, Line, Summary};
use super::records::unreadable;
use super::{Desk, InquiryError, Tell, finish};

pub(super) const DATABASE: &str = "meta.redb";

impl Desk {
    pub(super) fn verify(&self, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        let mut summary = Summary::default();
        let mut reader = self.read_from(0)?;
        frames(|| reader.read(), &mut summary, tell)?;
        database(self.meta.check()?, &mut summary, tell)?;
        Ok(summary)
    }
}

/// The same of a folder that nobody has open, without opening it: opening puts right what it can.
///
/// # Errors
/// Only that nobody listens any more.
pub(crate) fn verify_folder(folder: &Path, tell: &mut Tell<'_>) -> Result<(), InquiryError> {
    let looked = look(folder, tell);
    finish(looked, tell)
}

fn look(folder: &Path, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
    let mut summary = Summary::default();
    let log = log::Folder::new(folder.join("log"));
    let mut reader = Log::look(&log)?;
    frames(|| reader.read(), &mut summary, tell)?;
    if let Some(rest) = Log::remainder(&log)? {
        let what = format!(
            "{} bytes at its end are no whole write: one that a crash cut short, or damage; the next start cuts them off",
            rest.bytes
        );
        tell(Line::Damage(Damage { file: in_log(&rest.file), byte: Some(rest.at), offsets: None, what }))?;
    }
    let unreadable = match Looking::open(folder).and_then(|meta| meta.map(|meta| meta.check()).transpose()) {
        Ok(Some(checked)) => return database(checked, &mut summary, tell).map(|()| summary),
        Ok(None) => ABSENT.to_owned(),
        Err(MetaError::Damaged { detail, .. }) => not_a_database(&detail),
        Err(error) => return Err(error.into()),
    };
    tell(Line::Damage(Damage { file: DATABASE.to_owned(), byte: None, offsets: None, what: unreadable }))?;
    Ok(summary)
}

/// What is told of a database that is gone.
pub(crate) const ABSENT: &str = "it is not there";

/// What is told of one that cannot be opened.
pub(crate) fn not_a_database(detail: &str) -> String {
    format!("it cannot be read as a database: {detail}")
}

fn frames(
    mut read: impl FnMut() -> Result<Option<Found>, LogError>,
    summary: &mut Summary,
    tell: &mut Tell<'_>,
) -> Result<(), InquiryError> {
    while let Some(found) = read()? {
        match found {
            Found::Damage(damage) => tell(Line::Damage(of_log(&damage)))?,
            Found::Frame(frame) => {
                summary.frames += 1;
                summary.records += frame.next - frame.first;
                if let Err(error) = Batch::read_bytes(frame.body(), &frame.epoch.to_string(), frame.first) {
                    tell(Line::Damage(unreadable(&frame, &error.to_string())))?;
                }
            }
        }
    }
    Ok(())
}

fn database(checked: Checked, summary: &mut Summary, tell: &mut Tell<'_>) -> Result<(), InquiryError> {
    summary.values += checked.values;
    for damage in checked.damage {
        let what = damage.to_string();
        tell(Line::Damage(Damage { file: DATABASE.to_owned(), byte: None, offsets: None, what }))?;
    }
    Ok(())
}

pub(super) fn of_log(damage: &log::Damage) -> Damage {
    let offsets = Some((damage.offsets.start, damage.offsets.end.saturating_sub(1)));
    let what = "what stands there is not what was written".to_owned();
    Damage { file: in_log(&damage.file), byte: Some(damage.at), offsets, what }
}

fn in_log(file: &str) -> String {
    format!("log/{file}")
}
