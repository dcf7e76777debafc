//! What tells the records of one opening, or of one keyed request, from all others.
//!
//! A publisher may name a document by epoch and offset. Records of a request with an `Idempotency-Key` get an epoch
//! that its key and its body decide: whoever repeats both repeats the names, and one key with two bodies is two
//! requests. All others get the epoch of the opening and offsets that run on.

use sha2::{Digest as _, Sha256};

/// Digits of a name.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A name for a random number.
pub fn named(mut number: u128) -> String {
    let mut name = Vec::new();
    loop {
        name.push(DIGITS[(number % DIGITS.len() as u128) as usize]);
        number /= DIGITS.len() as u128;
        if number == 0 {
            break;
        }
    }
    name.reverse();
    String::from_utf8(name).expect("all digits are ASCII")
}

/// The epoch of a request with a key.
pub fn keyed(key: &[u8], body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(body);
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk().expect("16 of 32 bytes are there");
    named(u128::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_of_their_own() {
        assert_eq!((named(0).as_str(), named(35).as_str(), named(36).as_str()), ("0", "z", "10"));
        assert_eq!(named(u128::MAX).len(), 25);
    }

    #[test]
    fn key_and_body_decide_together() {
        let epoch = keyed(b"a", b"bc");
        assert_eq!(epoch, keyed(b"a", b"bc"));
        for (key, body) in [("ab", "c"), ("a", "bd"), ("b", "bc"), ("", "abc")] {
            assert_ne!(epoch, keyed(key.as_bytes(), body.as_bytes()), "{key} {body}");
        }
    }
}
