//! The tables and their keys, and the one way in which a row is read or written.
//!
//! Keys are bytes, compared as bytes: numbers in them are big-endian, and a publisher's name that has something behind it
//! comes with its length before it.

use std::ops::Range;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use super::error::Fault;
use super::frame::{Damage, seal, unseal};

/// A table's definition.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// What a row is read from: a table in a reading or a writing transaction.
pub(super) trait Rows: ReadableTable<&'static [u8], &'static [u8]> {}
impl<T: ReadableTable<&'static [u8], &'static [u8]>> Rows for T {}

macro_rules! tables {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// Every table's name.
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The tables in a transaction that writes.
        pub(super) struct Tables<'t> {
            $($(#[doc = $doc])* pub(super) $name: Named<Table<'t, &'static [u8], &'static [u8]>>,)*
        }

        impl<'t> Tables<'t> {
            pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
                Ok(Self {
                    $($name: Named {
                        name: stringify!($name),
                        rows: transaction.open_table(Definition::new(stringify!($name)))?,
                    },)*
                })
            }

            /// The table of this name.
            pub(super) fn by_name(&mut self, name: &str) -> Option<&mut Named<Table<'t, &'static [u8], &'static [u8]>>> {
                $(if name == stringify!($name) { return Some(&mut self.$name); })*
                None
            }
        }

        /// The tables in a transaction that reads.
        pub(super) struct Views {
            $($(#[doc = $doc])* pub(super) $name: Named<ReadOnlyTable<&'static [u8], &'static [u8]>>,)*
        }

        impl Views {
            pub(super) fn open(transaction: &ReadTransaction) -> Result<Self, TableError> {
                Ok(Self {
                    $($name: Named {
                        name: stringify!($name),
                        rows: transaction.open_table(Definition::new(stringify!($name)))?,
                    },)*
                })
            }

            /// All of them.
            pub(super) fn all(&self) -> impl Iterator<Item = &Named<ReadOnlyTable<&'static [u8], &'static [u8]>>> {
                [$(&self.$name),*].into_iter()
            }
        }
    };
}

tables! {
    /// `id`, `version`, `serial` (of the last commit) and `next` (the number of the next dead letter).
    about,
    /// Name: cursor, plugin, times, counts, and the head of the state.
    publishers,
    /// Name and offset: nothing.
    skipped,
    /// Name and number of the piece: bytes of the state.
    pieces,
    /// Number: what is known of a dead letter but for the record itself.
    letters,
    /// Number: the record's or the line's bytes.
    bodies,
    /// Name, epoch and offset: the letter's number.
    letter_keys,
    /// Name: the dead letters that the bound has removed.
    evicted,
    /// Digest: a request's answer.
    requests,
    /// Number: digest, in the order in which requests came.
    request_order,
    /// Input: how far it has been read.
    places,
}

/// A table with the name that its rows' checksums cover.
pub(super) struct Named<T> {
    pub(super) name: &'static str,
    pub(super) rows: T,
}

impl<T: Rows> Named<T> {
    /// What `read` makes of the row's fields. A damaged row is reported and treated as absent.
    pub(super) fn get<R>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> Option<R>) -> Result<Option<R>, Fault> {
        let Some(value) = self.rows.get(key)? else { return Ok(None) };
        Ok(report(self.decode(key, value.value(), read)))
    }

    /// What `read` makes of a row's fields, or the damage in the way.
    pub(super) fn decode<R>(
        &self,
        key: &[u8],
        value: &[u8],
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<R, Damage> {
        read(unseal(self.name, key, value)?).ok_or_else(|| self.senseless(key))
    }

    /// The damage of a row whose checksum is right and whose fields are not.
    pub(super) fn senseless(&self, key: &[u8]) -> Damage {
        Damage::at(self.name, key, "the fields make no sense")
    }

    /// Calls `visit` for each row of `keys` with its fields or the damage, until it says false.
    pub(super) fn each(
        &self,
        keys: Range<&[u8]>,
        mut visit: impl FnMut(&[u8], Result<&[u8], Damage>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        for row in self.rows.range::<&[u8]>(keys)? {
            let (key, value) = row?;
            if !visit(key.value(), unseal(self.name, key.value(), value.value()))? {
                break;
            }
        }
        Ok(())
    }
}

impl Named<Table<'_, &'static [u8], &'static [u8]>> {
    /// Writes a row.
    pub(super) fn put(&mut self, key: &[u8], fields: &[u8]) -> Result<(), Fault> {
        let value = seal(self.name, key, fields);
        self.rows.insert(key, value.as_slice())?;
        Ok(())
    }

    /// Removes a row; whether there was one.
    pub(super) fn remove(&mut self, key: &[u8]) -> Result<bool, Fault> {
        Ok(self.rows.remove(key)?.is_some())
    }

    /// Removes the rows of `keys`.
    pub(super) fn remove_all(&mut self, keys: Range<&[u8]>) -> Result<(), Fault> {
        Ok(self.rows.retain_in::<&[u8], _>(keys, |_, _| false)?)
    }

    /// The lowest key, if any.
    pub(super) fn first_key(&self) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.rows.first()?.map(|(key, _)| key.value().to_vec()))
    }
}

/// The value, or `None` with the damage in the log.
pub(super) fn report<T>(read: Result<T, Damage>) -> Option<T> {
    read.inspect_err(|damage| tracing::error!(%damage, "a damaged value in the database is treated as absent")).ok()
}

/// Every key there can be: keys are shorter than this end.
pub(super) const ALL: Range<&[u8]> = &[]..&[0xff; 64];

/// The key of what belongs to a publisher: its name with the length before it, and what is behind it.
pub(super) fn under(name: &str, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + name.len() + rest.len());
    key.extend_from_slice(&(name.len() as u16).to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key.extend_from_slice(rest);
    key
}

/// The end of the keys [`under`] a name, whose rests are at most 20 bytes.
pub(super) fn under_end(name: &str) -> Vec<u8> {
    under(name, &[0xff; 21])
}

/// The key of a letter.
pub(super) fn letter_key(publisher: &str, epoch: [u8; 12], offset: u64) -> Vec<u8> {
    let mut rest = [0; 20];
    rest[..12].copy_from_slice(&epoch);
    rest[12..].copy_from_slice(&offset.to_be_bytes());
    under(publisher, &rest)
}

/// The number that ends a key.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}
