//! Looking at all values without changing one: for a person who asks whether the database is whole.

use redb::ReadableDatabase as _;

use super::disk::Disk;
use super::error::{Fault, MetaError, guarded};
use super::frame::Damage;
use super::opening::{glance, refuse_newer};
use super::tables::{ALL, Views};

/// No more is listed.
const LISTED: usize = 10_000;

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many values.
    pub values: u64,
    /// What is not as it was written, the first 10,000 of it.
    pub damage: Vec<Damage>,
}

/// Each value of each table.
pub(super) fn rows(views: &Views) -> Result<Checked, Fault> {
    let mut checked = Checked::default();
    for table in views.all() {
        let walked = guarded(|| {
            table.each(ALL, |_, fields| {
                checked.values += 1;
                checked.damage.extend(fields.err().filter(|_| checked.damage.len() < LISTED));
                Ok(true)
            })
        });
        match walked {
            Err(Fault::Damaged(_)) => {
                let what = "the table breaks off, and rows of it may be lost";
                checked.damage.push(Damage { table: table.name, key: String::new(), what });
            }
            walked => walked?,
        }
    }
    Ok(checked)
}

/// The same of a database that is only read.
pub(super) fn look<D: Disk>(disk: &D) -> Result<Option<Checked>, MetaError> {
    refuse_newer(disk)?;
    if !disk.is_made() {
        return Ok(None);
    }
    let looked = guarded(|| rows(&Views::open(&glance(disk)?.begin_read()?)?));
    match looked {
        Err(Fault::Damaged(_)) => {
            let what = "the file cannot be read as a database";
            let damage = vec![Damage { table: "every table", key: String::new(), what }];
            Ok(Some(Checked { values: 0, damage }))
        }
        looked => looked.map(Some).map_err(|fault| fault.into_error(disk.path())),
    }
}
