//! One segment file: its header, and finding whole frames in it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::DiskFile;
use super::frame::{ALIGNMENT, HEADER as FRAME, Header};
use super::{EPOCH, Epoch};

/// The format that is written.
pub(super) const VERSION: u16 = 1;
/// Bytes before the first frame.
pub(super) const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"mcastlog";
const ENDING: &str = ".log";
/// Digits of the largest offset.
const DIGITS: usize = 20;
/// So much is looked through at once in a search for the next frame.
const STRETCH: usize = 1 << 20;

pub(super) struct Segment<F> {
    pub(super) first: u64,
    pub(super) name: String,
    pub(super) file: F,
    /// Of all its frames; none where its header is damaged.
    epoch: Option<Epoch>,
    /// Bytes that are synced.
    end: AtomicU64,
}

/// A whole frame at its place.
pub(super) struct Whole {
    pub(super) at: u64,
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
}

impl<F: DiskFile> Segment<F> {
    /// Takes room for a new one and writes its header.
    pub(super) fn begin(first: u64, epoch: Epoch, file: F, bytes: u64) -> io::Result<Self> {
        file.allocate(bytes.max(HEADER as u64))?;
        file.write_at(&header(first, epoch), 0)?;
        file.sync()?;
        Ok(Self { first, name: name(first), file, epoch: Some(epoch), end: AtomicU64::new(HEADER as u64) })
    }

    /// One that is there, up to its length. A damaged header is no reason against its frames.
    pub(super) fn open(first: u64, file: F) -> Result<Self, Unfit> {
        let mut bytes = [0; HEADER];
        let read = file.read_at(&mut bytes, 0)?;
        let crc = u32::from_le_bytes([bytes[60], bytes[61], bytes[62], bytes[63]]);
        let whole = read == HEADER && bytes[..8] == MAGIC && crc == crc32fast::hash(&bytes[..60]);
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if whole && version > VERSION {
            return Err(Unfit::Newer(version));
        }
        let epoch = whole.then(|| Epoch(std::array::from_fn(|index| bytes[24 + index])));
        let end = AtomicU64::new(file.length()?);
        Ok(Self { first, name: name(first), file, epoch, end })
    }

    /// The next whole frame from a place on, of those that end before `end`.
    pub(super) fn whole_from(&self, mut at: u64, end: u64) -> io::Result<Option<Whole>> {
        loop {
            match self.header_at(at, end)? {
                Some(header) => match self.payload(at, &header)? {
                    Some(payload) => return Ok(Some(Whole { at, header, payload })),
                    None => at += header.length(),
                },
                None => match self.search(at + 1, end)? {
                    Some(place) => at = place,
                    None => return Ok(None),
                },
            }
        }
    }

    fn payload(&self, at: u64, header: &Header) -> io::Result<Option<Vec<u8>>> {
        let mut payload = vec![0; header.payload()];
        let read = self.file.read_at(&mut payload, at + FRAME as u64)?;
        Ok((read == payload.len() && header.fits(&payload)).then_some(payload))
    }

    /// The header at a place, where there is one and its frame ends before `end`.
    fn header_at(&self, at: u64, end: u64) -> io::Result<Option<Header>> {
        let mut bytes = [0; FRAME];
        if at + FRAME as u64 > end || self.file.read_at(&mut bytes, at)? < FRAME {
            return Ok(None);
        }
        Ok(self.header_of(&bytes).filter(|header| at + header.length() <= end))
    }

    /// A header of another opening is none of this segment's: it stands in somebody's text.
    fn header_of(&self, bytes: &[u8]) -> Option<Header> {
        Header::read(bytes).filter(|header| self.epoch.is_none_or(|epoch| header.epoch == epoch))
    }

    /// The next place from `at` on where a header stands.
    fn search(&self, at: u64, end: u64) -> io::Result<Option<u64>> {
        let mut at = at.next_multiple_of(ALIGNMENT as u64).max(HEADER as u64);
        let mut stretch = vec![0; STRETCH + FRAME];
        while at + FRAME as u64 <= end {
            let count = self.file.read_at(&mut stretch, at)?;
            let places = (0..(count + 1).saturating_sub(FRAME).min(STRETCH)).step_by(ALIGNMENT);
            for place in places {
                if self.header_of(&stretch[place..]).is_some() {
                    return Ok(Some(at + place as u64));
                }
            }
            at += STRETCH as u64;
        }
        Ok(None)
    }
}

/// Why a file is no segment that can be used.
#[derive(Debug)]
pub(super) enum Unfit {
    Newer(u16),
    Disk(io::Error),
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl<F> Segment<F> {
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn grow_to(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end() <= HEADER as u64
    }
}

/// What a segment that begins at an offset is called.
pub(super) fn name(first: u64) -> String {
    format!("{first:0DIGITS$}{ENDING}")
}

/// The offset that a name says; none of other files.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING)?;
    let well_formed = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if well_formed { digits.parse().ok() } else { None }
}

fn header(first: u64, epoch: Epoch) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&first.to_le_bytes());
    bytes[24..24 + EPOCH].copy_from_slice(&epoch.0);
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_first_offset() {
        assert_eq!(name(1234), "00000000000000001234.log");
        for first in [0, 1234, u64::MAX] {
            assert_eq!(first_of(&name(first)), Some(first));
        }
        for other in ["1234.log", "lock", "000000000000000012a4.log", "+0000000000000001234.log", "meta.redb"] {
            assert_eq!(first_of(other), None);
        }
    }
}
