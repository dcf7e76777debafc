//! A registry as bytes that survive a restart.
//!
//! # The format, version 1
//! All numbers are little-endian and of fixed width; a text is its length (`u32`) and that many bytes of UTF-8.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `mcseries` |
//! | version | `u32` |
//! | checksum | `u32`, CRC-32 (IEEE) of all that follows |
//! | watermark | `u64`, given by the caller and given back to it |
//! | turn | `u32`, the turn of expiry that was recorded in |
//! | families | `u32`, then each of them |
//!
//! A family is its name (text), kind (`u8`: 0 counter, 1 gauge, 2 histogram), labels (`u32`, then each name as text),
//! for a histogram its bounds (`u32`, then each as `f64`) and whether it has native buckets (`u8`: 0 no, 1 yes), how
//! many values overflowed (`u64`), its series (`u32`), and then each series: its label values (texts), its start
//! (`f64`), the turn in which it was last recorded in (`u32`), and what it counted. That is a `u128` for a counter, an
//! `f64` for a gauge, and for a histogram a `u64` for each bucket, the infinite one included, the two `f64` of its sum,
//! and where there are native buckets how many values were zero (`u64`), how often the resolution was halved (`u8`), the
//! number of the first bucket (`i32`), and the buckets (`u32`, then each as `u64`).
//!
//! Constant labels and exemplars are not in it: the former are the config's, the latter are examples.
//!
//! Nothing follows the last family. Reading checks all of it before it changes anything; a later version gets another
//! number, and what cannot be read is refused and never guessed.
//!
//! # Restoring into other families
//! A registry takes what it can show. A family that it does not have is left out, and one whose kind, labels or buckets
//! have changed, or that shall have native buckets now, starts anew; both are named in [`Restored`].

pub(crate) mod bytes;
mod read;
mod write;

use thiserror::Error;

pub use read::restore;
pub use write::write;

const MAGIC: &[u8; 8] = b"mcseries";

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// Counts beyond these are no counts but damage; below them an addition cannot overflow.
const MAX_COUNTER: u128 = u128::MAX / 2;
const MAX_COUNT: u64 = u64::MAX / 1024;

const COUNTER: u8 = 0;
const GAUGE: u8 = 1;
const HISTOGRAM: u8 = 2;

/// What a snapshot brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The number that was written with it.
    pub watermark: u64,
    /// Families that start anew, because their kind, labels or buckets are others now, or native ones are new.
    pub reset: Vec<String>,
    /// Families of the snapshot that the registry does not have.
    pub dropped: Vec<String>,
}

/// Why bytes are no snapshot that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// They do not begin as one.
    #[error("these bytes are no snapshot of metrics")]
    NotASnapshot,
    /// Written by another version.
    #[error("the snapshot has version {found}, and only version {VERSION} can be read")]
    Version {
        /// The version it says.
        found: u32,
    },
    /// The checksum says otherwise.
    #[error("the snapshot is damaged: its checksum does not fit")]
    Checksum,
    /// The checksum fits and the contents make no sense.
    #[error("the snapshot is damaged: {0}")]
    Malformed(&'static str),
}

#[cfg(test)]
mod tests;
