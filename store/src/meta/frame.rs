//! Each value's own frame: a format byte, a CRC32, and fields of fixed little-endian widths.
//!
//! The CRC covers the table's name and the key too, so that a value at a wrong place is known as well. redb's checksums
//! are looked at only when the file is checked at its opening; these are looked at whenever a value is read.

/// The one format of values so far.
const FORMAT: u8 = 1;

/// Bytes before the fields: the format and the CRC.
const HEAD: usize = 5;

/// A value that is not what was written there. What it held is treated as absent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table {table}, key {key}: {what}")]
pub struct Damage {
    /// The table that it is in.
    pub table: &'static str,
    /// Its key, with what is not plain text as `\x..`.
    pub key: String,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Damage {
    /// Damage at `key`.
    pub(super) fn at(table: &'static str, key: &[u8], what: &'static str) -> Self {
        Self { table, key: key.escape_ascii().to_string(), what }
    }
}

fn crc(table: &str, key: &[u8], format: u8, fields: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(table.as_bytes());
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(&[format]);
    hasher.update(fields);
    hasher.finalize()
}

/// Frames `fields` as the value of `key`.
pub(super) fn seal(table: &str, key: &[u8], fields: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD + fields.len());
    value.push(FORMAT);
    value.extend_from_slice(&crc(table, key, FORMAT, fields).to_le_bytes());
    value.extend_from_slice(fields);
    value
}

/// The fields of the value of `key`.
pub(super) fn unseal<'v>(table: &'static str, key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Damage> {
    let Some(([format, sum @ ..], fields)) = value.split_first_chunk::<HEAD>() else {
        return Err(Damage::at(table, key, "the value is shorter than its frame"));
    };
    if u32::from_le_bytes(*sum) != crc(table, key, *format, fields) {
        return Err(Damage::at(table, key, "the checksum is wrong"));
    }
    if *format != FORMAT {
        return Err(Damage::at(table, key, "the value's format is unknown"));
    }
    Ok(fields)
}

/// Fields in the order in which they are put.
#[derive(Debug, Default)]
pub(super) struct Put(pub(super) Vec<u8>);

impl Put {
    pub(super) fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn f64(mut self, value: f64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn array<const N: usize>(mut self, value: &[u8; N]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// The length as four bytes, then the bytes.
    pub(super) fn bytes(mut self, value: &[u8]) -> Self {
        self = self.u32(value.len() as u32);
        self.0.extend_from_slice(value);
        self
    }

    /// A byte 0 where there is nothing; 1 and the value where there is.
    pub(super) fn option<T>(self, value: Option<T>, put: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => put(self.u8(1), value),
        }
    }
}

/// Reads fields back in the order in which they were put; `None` where they end too soon or make no sense.
#[derive(Debug)]
pub(super) struct Take<'v>(pub(super) &'v [u8]);

impl<'v> Take<'v> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'v [u8]> {
        let length = self.u32()? as usize;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    #[expect(clippy::option_option, reason = "outer: whether it makes sense, inner: what was put")]
    pub(super) fn option<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.u8()? {
            0 => Some(None),
            1 => take(self).map(Some),
            _ => None,
        }
    }

    /// `value`, if nothing is left behind it.
    pub(super) fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}
