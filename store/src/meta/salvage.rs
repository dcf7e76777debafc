//! What is whole in a damaged file, taken over into a fresh one.
//!
//! The damaged file is only read. Each table is read from its first row on until it breaks off, and then from its last row
//! back, so that one broken page costs the rows on it; each row's own checksum says whether it is whole. The tables that
//! can be made from others are made anew, and what belonged to a row that is lost goes with it.

use redb::{Database, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase, ReadableTable};

use super::change::Limits;
use super::disk::Disk;
use super::error::{Fault, guarded};
use super::frame::{Damage, Put, unseal};
use super::letters::{self, key_of};
use super::opening::{ID_LOST, Opened, begin, builder, describe, hex, random_id};
use super::requests;
use super::tables::{ALL, Definition, Tables, number_of};

/// Tables whose rows are copied, each behind the one that says which of its rows belong to something.
const COPIED: [&str; 9] =
    ["about", "publishers", "skipped", "pieces", "letters", "bodies", "evicted", "requests", "places"];

/// Puts a fresh database at the place of the old one, with what is whole in that; `None` where there is no old one.
///
/// It gets its place only when it is complete, so that no crash leaves half of one.
pub(super) fn make<D: Disk>(
    disk: &D,
    limits: &Limits,
    old: Option<&Result<ReadOnlyDatabase, Fault>>,
) -> Result<(Database, Opened), Fault> {
    let io = |error: std::io::Error| Fault::from_io(&error);
    let fresh = builder(limits, false).create_with_backend(disk.begin_anew().map_err(io)?)?;
    let mut opened = Opened { created: old.is_none(), ..Opened::default() };
    let transaction = begin(&fresh)?;
    let mut tables = Tables::open(&transaction)?;
    if let Some(old) = old {
        take_over(old, &mut tables, &mut opened.damage)?;
    }
    let id = tables.about.get(b"id", |fields| fields.try_into().ok())?.unwrap_or_else(random_id);
    opened.id = hex(id);
    describe(&mut tables, id)?;
    drop(tables);
    transaction.commit()?;
    opened.set_aside = disk.replace().map_err(io)?;
    Ok((fresh, opened))
}

/// Copies what is whole, and lists what is not.
fn take_over(
    old: &Result<ReadOnlyDatabase, Fault>,
    tables: &mut Tables<'_>,
    damage: &mut Vec<Damage>,
) -> Result<(), Fault> {
    match old {
        Err(fault) => damage.push(lost_table("every table", fault)),
        Ok(old) => {
            for name in COPIED {
                copy(old, tables, name, damage)?;
            }
        }
    }
    index(tables)?;
    if tables.about.rows.get(b"id".as_slice())?.is_none() {
        damage.push(Damage::at("about", b"id", ID_LOST));
    }
    Ok(())
}

fn lost_table(table: &'static str, fault: &Fault) -> Damage {
    tracing::error!(table, ?fault, "a table of the damaged database breaks off");
    Damage { table, key: String::new(), what: "the table breaks off, and rows of it may be lost" }
}

/// Copies one table's whole rows.
fn copy(
    old: &ReadOnlyDatabase,
    tables: &mut Tables<'_>,
    name: &'static str,
    damage: &mut Vec<Damage>,
) -> Result<(), Fault> {
    let mut forward = Walk { last: None, failed: None };
    let found = guarded(|| Ok(old.begin_read()?.open_table(Definition::new(name))?));
    let table = match found {
        Ok(table) => table,
        Err(fault) => {
            damage.push(lost_table(name, &fault));
            return Ok(());
        }
    };
    let mut row = |key: &[u8], value: &[u8]| -> Result<(), Fault> {
        match unseal(name, key, value) {
            Err(found) => damage.push(found),
            Ok(fields) if belongs(tables, name, key)? => {
                if let Some(table) = tables.by_name(name) {
                    table.put(key, fields)?;
                }
            }
            Ok(_) => {}
        }
        Ok(())
    };
    forward.run(&table, false, None, &mut row)?;
    if let Some(fault) = forward.failed {
        let mut back = Walk { last: None, failed: None };
        back.run(&table, true, forward.last.as_deref(), &mut row)?;
        damage.push(lost_table(name, &fault));
    }
    Ok(())
}

/// Whether a row's owner was whole.
fn belongs(tables: &Tables<'_>, name: &str, key: &[u8]) -> Result<bool, Fault> {
    Ok(match name {
        "skipped" | "pieces" => {
            let publisher = key
                .split_first_chunk::<2>()
                .and_then(|(length, rest)| rest.get(..usize::from(u16::from_be_bytes(*length))));
            publisher.is_some_and(|publisher| tables.publishers.rows.get(publisher).is_ok_and(|row| row.is_some()))
        }
        "bodies" => tables.letters.rows.get(key)?.is_some(),
        _ => true,
    })
}

/// A walk through a table until it breaks off.
struct Walk {
    last: Option<Vec<u8>>,
    failed: Option<Fault>,
}

impl Walk {
    /// Calls `row` for each row; a failure of the table read is kept, one of `row` given back.
    fn run(
        &mut self,
        table: &ReadOnlyTable<&'static [u8], &'static [u8]>,
        back: bool,
        until: Option<&[u8]>,
        row: &mut impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut range = match guarded(|| Ok(ReadableTable::range::<&[u8]>(table, ALL)?)) {
            Ok(range) => range,
            Err(fault) => {
                self.failed = Some(fault);
                return Ok(());
            }
        };
        loop {
            let next = guarded(|| {
                let next = if back { range.next_back() } else { range.next() };
                let read = next.transpose()?;
                Ok(read.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
            });
            match next {
                Err(fault) => self.failed = Some(fault),
                Ok(Some((key, value)))
                    if self.goes_on(&key, back) && until.is_none_or(|until| key.as_slice() > until) =>
                {
                    row(&key, &value)?;
                    self.last = Some(key);
                    continue;
                }
                Ok(_) => {}
            }
            return Ok(());
        }
    }

    /// Whether the key lies behind the last one. A broken tree may lead in a circle.
    fn goes_on(&mut self, key: &[u8], back: bool) -> bool {
        let goes_on = self.last.as_deref().is_none_or(|last| if back { key < last } else { key > last });
        if !goes_on {
            self.failed = Some(Fault::Damaged("the keys are not in order".to_owned()));
        }
        goes_on
    }
}

/// Makes the tables that follow from others.
fn index(tables: &mut Tables<'_>) -> Result<(), Fault> {
    let mut keys = Vec::new();
    let mut next = 1;
    tables.letters.each(ALL, |number, fields| {
        let head = fields.ok().and_then(letters::decode);
        if let (Some(head), Some(number)) = (head, number_of(number)) {
            next = next.max(number + 1);
            keys.extend(key_of(&head.letter).map(|key| (key, number)));
        }
        Ok(true)
    })?;
    for (key, number) in keys {
        tables.letter_keys.put(&key, &Put::default().u64(number).0)?;
    }
    let mut order = Vec::new();
    tables.requests.each(ALL, |digest, fields| {
        order.extend(fields.ok().and_then(requests::number).map(|number| (number, digest.to_vec())));
        Ok(true)
    })?;
    for (number, digest) in order {
        tables.request_order.put(&number.to_be_bytes(), &digest)?;
    }
    let known = tables.about.get(b"next", |fields| super::frame::Take(fields).u64())?.unwrap_or(1);
    tables.about.put(b"next", &Put::default().u64(next.max(known)).0)
}
