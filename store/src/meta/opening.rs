//! Opening the database: who else has it, whether it is too new, whether it is whole, and a fresh one where it is not.

use std::path::PathBuf;

use redb::{Builder, Database, Durability, ReadableDatabase, WriteTransaction};

use super::change::Limits;
use super::disk::{Disk, Glance};
use super::error::{Fault, MetaError, guarded};
use super::frame::{Damage, Put, Take};
use super::salvage;
use super::tables::{ALL, Definition, NAMES, Named, Tables, Views};
use super::tally::Tally;

/// The format of the whole database: the tables and the fields in them.
pub(super) const VERSION: u32 = 1;

/// What is said where the id is gone.
pub(super) const ID_LOST: &str = "the folder's id was lost: it has a new one";

/// How the database was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The folder's permanent id, 32 hexadecimal digits.
    pub id: String,
    /// Whether the database was made just now.
    pub created: bool,
    /// Where the damaged file is, if there was one. What was whole in it has been taken over.
    pub set_aside: Option<PathBuf>,
    /// What was damaged, and so is absent.
    pub damage: Vec<Damage>,
}

/// An open database.
pub(super) struct Open {
    pub(super) database: Database,
    pub(super) tally: Tally,
    pub(super) opened: Opened,
}

/// Opens it, with every page's checksum looked at.
pub(super) fn open<D: Disk>(disk: &D, limits: &Limits) -> Result<Open, MetaError> {
    let path = disk.path().to_owned();
    refuse_newer(disk)?;
    let mut result = attempt(disk, limits);
    if matches!(result, Err(Fault::Full(_))) && disk.drop_ballast() {
        tracing::warn!(path = %path.display(), "the disk is full: the ballast was given up to open the database");
        result = attempt(disk, limits);
    }
    match result {
        Ok(open) => Ok(open),
        Err(Fault::Damaged(detail)) => {
            let (database, mut opened) = guarded(|| salvage::make(disk, limits, Some(&glance(disk))))
                .map_err(|fault| fault.into_error(&path))?;
            let aside = opened.set_aside.clone().unwrap_or_default();
            tracing::error!(
                path = %path.display(), aside = %aside.display(), detail, lost = opened.damage.len(),
                "the database was damaged: it was set aside, and what was whole was taken over into a fresh one"
            );
            let tally = guarded(|| look(&database, &mut opened)).map_err(|fault| fault.into_error(&path))?;
            Ok(Open { database, tally, opened })
        }
        Err(fault) => Err(fault.into_error(&path)),
    }
}

/// Reads the format without writing a byte, as opening a database does.
pub(super) fn refuse_newer<D: Disk>(disk: &D) -> Result<(), MetaError> {
    if !disk.is_made() {
        return Ok(());
    }
    let found = guarded(|| {
        let database = glance(disk)?;
        let views = Named { name: "about", rows: database.begin_read()?.open_table(Definition::new("about"))? };
        views.get(b"version", |fields| Take(fields).u32())
    });
    match found {
        Ok(Some(found)) if found > VERSION => {
            Err(MetaError::Newer { path: disk.path().to_owned(), found, known: VERSION })
        }
        _ => Ok(()),
    }
}

/// The database as it is, for reading only.
pub(super) fn glance<D: Disk>(disk: &D) -> Result<redb::ReadOnlyDatabase, Fault> {
    let file = disk.open().map_err(|error| Fault::from_io(&error))?;
    let mut builder = Builder::new();
    builder.set_concurrency_mode(redb::ConcurrencyMode::SingleWriter).set_cache_size(1 << 20);
    Ok(builder.open_read_only_with_backend(Glance(file))?)
}

fn attempt<D: Disk>(disk: &D, limits: &Limits) -> Result<Open, Fault> {
    guarded(|| {
        if !disk.is_made() {
            let (database, opened) = salvage::make(disk, limits, None)?;
            let tally = Tally::count(&Views::open(&database.begin_read()?)?)?;
            return Ok(Open { database, tally, opened });
        }
        let file = disk.open().map_err(|error| Fault::from_io(&error))?;
        let database = builder(limits, true).create_with_backend(file)?;
        let mut opened = Opened::default();
        let tally = look(&database, &mut opened)?;
        Ok(Open { database, tally, opened })
    })
}

/// Opens the file again after a failure that was no damage, and trusts redb's last commit.
pub(super) fn reopen<D: Disk>(disk: &D, limits: &Limits) -> Result<(Database, Tally), Fault> {
    guarded(|| {
        let file = disk.open().map_err(|error| Fault::from_io(&error))?;
        let database = builder(limits, false).create_with_backend(file)?;
        let tally = Tally::count(&Views::open(&database.begin_read()?)?)?;
        Ok((database, tally))
    })
}

/// How the database is opened for writing.
pub(super) fn builder(limits: &Limits, check: bool) -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(limits.cache_bytes).set_check_integrity_on_open(check);
    builder
}

/// A transaction whose commit is on the disk when it returns, and needs no repair after a crash.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Reads the id, makes what is missing, counts, and lists damaged rows.
fn look(database: &Database, opened: &mut Opened) -> Result<Tally, Fault> {
    let transaction = begin(database)?;
    let tables = transaction.list_tables()?.count();
    let mut writing = Tables::open(&transaction)?;
    let id = writing.about.get(b"id", |fields| fields.try_into().ok())?;
    if tables == NAMES.len()
        && let Some(id) = id
    {
        opened.id = hex(id);
        drop(writing);
        transaction.abort()?;
    } else {
        if id.is_none() {
            opened.damage.push(Damage::at("about", b"id", ID_LOST));
        }
        let id = id.unwrap_or_else(random_id);
        opened.id = hex(id);
        describe(&mut writing, id)?;
        drop(writing);
        transaction.commit()?;
    }
    let views = Views::open(&database.begin_read()?)?;
    damaged_rows(&views, opened)?;
    Tally::count(&views)
}

/// Writes the id and the format.
pub(super) fn describe(tables: &mut Tables<'_>, id: [u8; 16]) -> Result<(), Fault> {
    tables.about.put(b"id", &id)?;
    tables.about.put(b"version", &Put::default().u32(VERSION).0)
}

/// Adds the rows of the small tables whose checksum is wrong.
fn damaged_rows(views: &Views, opened: &mut Opened) -> Result<(), Fault> {
    let mut visit = |_: &[u8], fields: Result<&[u8], Damage>| {
        opened.damage.extend(fields.err());
        Ok(true)
    };
    for table in [&views.about, &views.publishers, &views.skipped, &views.letters, &views.places] {
        table.each(ALL, &mut visit)?;
    }
    Ok(())
}

/// An id that no other folder has.
pub(super) fn random_id() -> [u8; 16] {
    use std::hash::BuildHasher;
    // Two outputs of SipHash under a key that the system drew.
    let state = std::hash::RandomState::new();
    let (high, low) = (state.hash_one(0), state.hash_one(1));
    ((u128::from(high) << 64) | u128::from(low)).to_le_bytes()
}

/// The id as text.
pub(super) fn hex(id: [u8; 16]) -> String {
    use std::fmt::Write;
    id.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
