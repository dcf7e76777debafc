//! What has been sent, as bytes that survive a restart.
//!
//! # The format, version 1
//! As a [snapshot](crate::snapshot): all numbers little-endian and of fixed width, a text behind its length (`u32`).
//!
//! | part | bytes |
//! |---|---|
//! | magic | `mcpushed` |
//! | version | `u32` |
//! | checksum | `u32`, CRC-32 (IEEE) of all that follows |
//! | last push | `i64`, milliseconds since the Unix epoch |
//! | families | `u32`, then each of them |
//!
//! A family is its name (text), the checksums of its labels' names and of its shape (`u32` each), how many labels it has
//! (`u32`), its series (`u32`), and then each series: its label values (texts), its start in the registry (`f64`), its
//! start for the receiver (`i64`, milliseconds), the time of its latest exemplar (`i64`), and its standing (`u8`: 0 new,
//! 1 known, 2 gone, 3 ended).

use super::sent::{Entry, Sent, SentFamily, Standing};
use crate::labels::LabelTable;
use crate::snapshot::SnapshotError;
use crate::snapshot::bytes::Bytes;

const MAGIC: &[u8; 8] = b"mcpushed";

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const STANDINGS: [Standing; 4] = [Standing::New, Standing::Known, Standing::Gone, Standing::Ended];

impl Sent {
    /// Appends what has been sent to `out`. It belongs to the registry as it is now: both are stored together.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        let checksum_at = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.last.to_le_bytes());
        count(self.families.len(), out);
        self.families.iter().for_each(|family| write_family(family, out));
        let checksum = crc32fast::hash(&out[checksum_at + 4..]);
        out[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// What was written.
    ///
    /// # Errors
    /// Where the bytes are damaged, of another version, or something else.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut bytes = Bytes(bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?);
        let found = bytes.u32()?;
        if found != VERSION {
            return Err(SnapshotError::Version { found });
        }
        if bytes.u32()? != crc32fast::hash(bytes.0) {
            return Err(SnapshotError::Checksum);
        }
        let last = bytes.i64()?;
        let families = (0..bytes.count(20)?).map(|_| read_family(&mut bytes)).collect::<Result<Vec<_>, _>>()?;
        if !bytes.0.is_empty() {
            return Err(SnapshotError::Malformed("something follows its end"));
        }
        Ok(Self { last, families })
    }
}

fn write_family(family: &SentFamily, out: &mut Vec<u8>) {
    let SentFamily { name, label_names, shape, labels, entries } = family;
    text(name, out);
    out.extend_from_slice(&label_names.to_le_bytes());
    out.extend_from_slice(&shape.to_le_bytes());
    count(labels.width(), out);
    count(entries.len(), out);
    for (row, Entry { start, zero, exemplars, standing }) in (0..).zip(entries) {
        labels.row(row).for_each(|value| text(value, out));
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&zero.to_le_bytes());
        out.extend_from_slice(&exemplars.to_le_bytes());
        out.push(*standing as u8);
    }
}

fn read_family(bytes: &mut Bytes<'_>) -> Result<SentFamily, SnapshotError> {
    let (name, label_names, shape) = (bytes.text()?.to_owned(), bytes.u32()?, bytes.u32()?);
    let width = bytes.u32()? as usize;
    let mut family = SentFamily { name, label_names, shape, labels: LabelTable::new(width), entries: Vec::new() };
    for _ in 0..bytes.count(25)? {
        let values = (0..width).map(|_| bytes.text()).collect::<Result<Vec<_>, _>>()?;
        if family.labels.find(&values.iter().copied()).is_some() {
            return Err(SnapshotError::Malformed("a series is there twice"));
        }
        family.labels.insert(values.iter().copied());
        family.entries.push(Entry {
            start: bytes.u64()?,
            zero: bytes.i64()?,
            exemplars: bytes.i64()?,
            standing: standing(bytes.u8()?)?,
        });
    }
    Ok(family)
}

fn standing(number: u8) -> Result<Standing, SnapshotError> {
    let standing = STANDINGS.get(usize::from(number)).copied();
    standing.ok_or(SnapshotError::Malformed("a series has an unknown standing"))
}

/// Label values and counts of series are far below 2^32, by their limits.
fn count(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}
