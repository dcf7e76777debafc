//! How the body of a request may be packed, by its Content-Encoding. The unpacking is the server's own.

use std::fmt;

use thiserror::Error;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// A Content-Encoding that the server cannot unpack, or more than one.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("content encoding {named:?} is not known: {} are", Listed(known))]
pub struct UnknownEncoding {
    named: String,
    known: &'static [Encoding],
}

impl Encoding {
    /// Of a body, by the values of its Content-Encoding headers, where the server unpacks `known`.
    ///
    /// # Errors
    /// [`UnknownEncoding`], also where a body is packed twice.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>, known: &'static [Self]) -> Result<Self, UnknownEncoding> {
        let values: Vec<_> = values.into_iter().collect();
        let named = String::from_utf8_lossy(&values.join(b", ".as_slice())).trim().to_ascii_lowercase();
        let encoding = match named.as_str() {
            "identity" | "" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        };
        encoding.filter(|encoding| known.contains(encoding)).ok_or(UnknownEncoding { named, known })
    }

    /// In an answer to the sender: what breaks off when the body does.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "body",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// `gzip, zstd and identity`
struct Listed(&'static [Encoding]);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, encoding) in self.0.iter().enumerate() {
            f.write_str(match index {
                0 => "",
                _ if index + 1 == self.0.len() => " and ",
                _ => ", ",
            })?;
            f.write_str(match encoding {
                Encoding::Identity => "identity",
                named => named.name(),
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Encoding] = &[Encoding::Gzip, Encoding::Zstd, Encoding::Identity];

    #[test]
    fn an_encoding_is_one_that_is_known() {
        let of = |values: &[&'static str], known| Encoding::of(values.iter().map(|value| value.as_bytes()), known);
        assert_eq!(of(&[], ALL), Ok(Encoding::Identity));
        assert_eq!(of(&[" GZIP "], ALL), Ok(Encoding::Gzip));
        assert_eq!(of(&["zstd"], ALL), Ok(Encoding::Zstd));
        let told = |values, known| of(values, known).unwrap_err().to_string();
        let twice = told(&["gzip", "gzip"], ALL);
        assert_eq!(twice, "content encoding \"gzip, gzip\" is not known: gzip, zstd and identity are");
        let fewer = told(&["zstd"], &[Encoding::Gzip, Encoding::Identity]);
        assert_eq!(fewer, "content encoding \"zstd\" is not known: gzip and identity are");
    }
}
