//! The body of a request, unpacked as it comes and never beyond its bound.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use metricast_records::body::Format;
use metricast_records::encoding::Encoding;
use metricast_records::problem::Problem;

use crate::request::Head;

/// One body after decompression, bytes: what metricast's own ingest takes by default.
pub const MAX_BODY: usize = 16 << 20;

/// What is unpacked. Zstandard would double the component.
const KNOWN: &[Encoding] = &[Encoding::Gzip, Encoding::Identity];

/// A body that is on its way.
#[derive(Debug)]
pub struct Intake(Kind);

#[derive(Debug)]
enum Kind {
    Plain(Bounded),
    /// Several members after each other are one body.
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Intake {
    /// By what the head of the request says of its body.
    ///
    /// # Errors
    /// Where the head already says that it cannot be taken.
    pub fn expect(head: &Head) -> Result<Self, Problem> {
        Format::of(head.text("content-type"), b"")?;
        let body = Bounded::default();
        let encoding = Encoding::of(head.all("content-encoding"), KNOWN)?;
        if encoding == Encoding::Gzip {
            return Ok(Self(Kind::Gzip(Box::new(MultiGzDecoder::new(body)))));
        }
        let announced = head.text("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if announced > MAX_BODY {
            return Err(Problem::TooLarge { limit: MAX_BODY });
        }
        Ok(Self(Kind::Plain(body)))
    }

    /// Takes what came next.
    ///
    /// # Errors
    /// Where the body is too large or broken.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        match &mut self.0 {
            Kind::Plain(body) => body.write_all(bytes).map_err(|_full| Problem::TooLarge { limit: MAX_BODY }),
            Kind::Gzip(decoder) => {
                let written = decoder.write_all(bytes);
                written.map_err(|error| failed(decoder.get_ref().is_full, &error))
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// Where it is too large or broken.
    pub fn finish(self) -> Result<Vec<u8>, Problem> {
        match self.0 {
            Kind::Plain(body) => Ok(body.bytes),
            Kind::Gzip(mut decoder) => {
                let finished = decoder.try_finish();
                finished.map_err(|error| failed(decoder.get_ref().is_full, &error))?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
        }
    }
}

fn failed(is_full: bool, error: &io::Error) -> Problem {
    let encoding = Encoding::Gzip.name();
    if is_full {
        Problem::TooLarge { limit: MAX_BODY }
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        Problem::CutOff(encoding)
    } else {
        Problem::NotUnpacked { encoding, reason: error.to_string() }
    }
}

/// Bytes up to [`MAX_BODY`].
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_full |= self.bytes.len() + bytes.len() > MAX_BODY;
        if self.is_full {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn take(headers: &[(&str, &str)], body: &[u8], pieces: usize) -> Result<Vec<u8>, Problem> {
        let mut intake = Intake::expect(&Head::new("POST", "/v1/records", headers))?;
        for piece in body.chunks(body.len().div_ceil(pieces).max(1)) {
            intake.push(piece)?;
        }
        intake.finish()
    }

    #[test]
    fn members_after_each_other_are_one_body_however_they_are_cut() {
        let both = [gzip(b"one\n"), gzip(b"two\n")].concat();
        for pieces in [1, 2, 7, both.len()] {
            assert_eq!(take(&[("content-encoding", "gzip")], &both, pieces).unwrap(), b"one\ntwo\n");
        }
        assert_eq!(take(&[], b"plain", 2).unwrap(), b"plain");
    }

    #[test]
    fn nothing_is_unpacked_beyond_the_bound() {
        let too_large = Problem::TooLarge { limit: MAX_BODY };
        let most = vec![b' '; MAX_BODY];
        let packed = gzip(&[&most[..], b"x"].concat());
        assert!(packed.len() < MAX_BODY / 100);
        assert_eq!(take(&[("content-encoding", "gzip")], &packed, 3), Err(too_large.clone()));
        assert_eq!(take(&[("content-encoding", "gzip")], &gzip(&most), 3).unwrap().len(), MAX_BODY);
        assert_eq!(take(&[], &[&most[..], b"x"].concat(), 3), Err(too_large.clone()));
        assert_eq!(take(&[("content-length", "16777217")], b"", 1), Err(too_large));
    }

    #[test]
    fn a_packed_body_that_breaks_off_or_is_none_is_told() {
        let text = "a body that is long enough".repeat(100);
        let whole = gzip(text.as_bytes());
        let told = |body: &[u8]| take(&[("content-encoding", "gzip")], body, 2).unwrap_err().to_string();
        for length in [0, 5, whole.len() / 2] {
            assert_eq!(told(&whole[..length]), "the body breaks off before the end of its gzip", "{length}");
        }
        // Half a checksum is a wrong one.
        assert!(told(&whole[..whole.len() - 3]).ends_with("does not have a matching checksum"));
        assert!(told(text.as_bytes()).starts_with("the body cannot be unpacked as gzip"), "{}", told(text.as_bytes()));
        let twice = take(&[("content-encoding", "gzip"), ("content-encoding", "zstd")], b"", 1).unwrap_err();
        assert_eq!(twice.to_string(), "content encoding \"gzip, zstd\" is not known: gzip and identity are");
    }
}
