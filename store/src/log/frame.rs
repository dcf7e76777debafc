//! One frame's bytes: a header of its own checksum, then a note and a body.

use crate::log::{EPOCH, Epoch, Frame};

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 48;
/// How every frame begins: `mcf1`.
const MAGIC: [u8; 4] = *b"mcf1";
/// A larger frame is no frame.
pub(super) const LARGEST: usize = 1 << 30;
/// Frames begin at multiples of it, so that a search after damage has few places to look at.
pub(super) const ALIGNMENT: usize = 8;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) note: u32,
    pub(super) body: u32,
    pub(super) payload_crc: u32,
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) epoch: Epoch,
}

impl Header {
    /// Of the first [`HEADER`] bytes of a frame; none where they are not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        if bytes[..4] != MAGIC || u32_at(bytes, 4) != crc32fast::hash(&bytes[8..]) {
            return None;
        }
        let header = Self {
            note: u32_at(bytes, 8),
            body: u32_at(bytes, 12),
            payload_crc: u32_at(bytes, 16),
            count: u32_at(bytes, 20),
            first: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
            epoch: Epoch(bytes[32..32 + EPOCH].try_into().ok()?),
        };
        let fits = header.payload() <= LARGEST && header.first.checked_add(u64::from(header.count)).is_some();
        fits.then_some(header)
    }

    fn write(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.note.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.count.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_le_bytes());
        bytes[32..32 + EPOCH].copy_from_slice(&self.epoch.0);
        let crc = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Bytes behind the header.
    pub(super) fn payload(&self) -> usize {
        self.note as usize + self.body as usize
    }

    /// Bytes up to where the next frame begins.
    pub(super) fn length(&self) -> u64 {
        (HEADER + self.payload()).next_multiple_of(ALIGNMENT) as u64
    }

    /// The offset behind its last record.
    pub(super) fn next(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload() && crc32fast::hash(payload) == self.payload_crc
    }
}

/// Records that have no place in the log yet.
#[derive(Clone, Debug)]
pub struct Draft {
    note: u32,
    payload: Vec<u8>,
    crc: u32,
    count: u32,
}

/// More than a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes of records at once; the log takes {LARGEST} at most")]
pub struct TooLarge {
    /// How many bytes it would be.
    pub bytes: usize,
}

impl Draft {
    /// `count` records: a short note about them, and their bytes as `write` appends them.
    ///
    /// # Errors
    /// [`TooLarge`]
    pub fn new(count: u32, note: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Result<Self, TooLarge> {
        let mut payload = note.to_vec();
        write(&mut payload);
        let bytes = payload.len();
        let too_large = TooLarge { bytes };
        if bytes > LARGEST {
            return Err(too_large);
        }
        let note = u32::try_from(note.len()).map_err(|_| too_large)?;
        let crc = crc32fast::hash(&payload);
        Ok(Self { note, payload, crc, count })
    }

    /// How many records.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The bytes that it takes in the log.
    pub fn length(&self) -> u64 {
        (HEADER + self.payload.len()).next_multiple_of(ALIGNMENT) as u64
    }

    /// As a reader finds it at a place.
    pub fn at(self, first: u64, epoch: Epoch) -> Frame {
        Frame::new(epoch, first..first + u64::from(self.count), self.payload, self.note as usize)
    }

    /// Appends the frame's bytes, with its place.
    pub(super) fn write(&self, first: u64, epoch: Epoch, buffer: &mut Vec<u8>) {
        let body = self.payload.len() as u32 - self.note;
        let header = Header { note: self.note, body, payload_crc: self.crc, first, count: self.count, epoch };
        buffer.extend_from_slice(&header.write());
        buffer.extend_from_slice(&self.payload);
        buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
    }
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let draft = Draft::new(3, b"note", |body| body.extend_from_slice(b"three records")).unwrap();
        let mut bytes = Vec::new();
        draft.write(17, Epoch([7; EPOCH]), &mut bytes);
        assert_eq!(bytes.len() as u64, draft.length());
        bytes
    }

    #[test]
    fn a_frame_says_what_it_holds() {
        let bytes = frame();
        let header = Header::read(&bytes).unwrap();
        assert_eq!((header.first, header.next(), header.note, header.epoch.0), (17, 20, 4, [7; EPOCH]));
        assert_eq!(header.length(), bytes.len() as u64);
        assert!(header.fits(&bytes[HEADER..HEADER + header.payload()]));
    }

    #[test]
    fn no_flipped_bit_goes_unseen() {
        let good = frame();
        let meant = HEADER + Header::read(&good).unwrap().payload();
        for bit in 0..meant * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let seen = Header::read(&bytes).is_none_or(|header| !header.fits(&bytes[HEADER..meant]));
            assert!(seen, "bit {bit}");
        }
    }
}
