//! `Idempotency-Key` (<https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header-07>): a body that
//! comes again with its key is answered as before, and its records are not taken twice.

use http::{HeaderMap, HeaderName, HeaderValue};
use metricast_records::problem::Problem;
use sha2::{Digest as _, Sha256};

use crate::queue::note::{Digest, Request};

pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// In answers that were given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Bytes of a key.
const LONGEST: usize = 255;

/// What tells a request from others: its key, and its body as it was unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) key: Digest,
    pub(super) body: Digest,
}

impl Identity {
    pub(super) fn new(key: &HeaderValue, content_type: Option<&str>, body: &[u8]) -> Self {
        let body = Sha256::new().chain_update(content_type.unwrap_or_default()).chain_update([0]).chain_update(body);
        Self { key: Sha256::digest(key.as_bytes()).into(), body: body.finalize().into() }
    }

    pub(super) fn answered(self, answer: &str) -> Request {
        Request::new(self.key, self.body, answer.as_bytes().to_vec())
    }
}

/// The key of a request that has one.
///
/// # Errors
/// [`Problem::BadKey`]
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let mut keys = headers.get_all(KEY).iter();
    let key = keys.next();
    let fits = key.is_none_or(|key| (1..=LONGEST).contains(&key.len()));
    if !fits || keys.next().is_some() {
        return Err(Problem::BadKey { longest: LONGEST });
    }
    Ok(key.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_key_of_some_length_or_none() {
        let headers = |keys: &[&str]| -> HeaderMap {
            keys.iter().map(|key| (KEY, HeaderValue::from_str(key).unwrap())).collect()
        };
        assert_eq!(key_of(&headers(&[])), Ok(None));
        assert_eq!(key_of(&headers(&["a"])), Ok(Some(HeaderValue::from_static("a"))));
        let mut two = headers(&["a"]);
        two.append(KEY, HeaderValue::from_static("b"));
        for wrong in [two, headers(&[""]), headers(&[&"k".repeat(256)])] {
            assert_eq!(key_of(&wrong), Err(Problem::BadKey { longest: 255 }));
        }
    }

    #[test]
    fn an_identity_is_of_the_key_and_the_body_with_its_type() {
        let (a, b) = (HeaderValue::from_static("a"), HeaderValue::from_static("b"));
        let of = Identity::new(&a, None, b"{}");
        assert_eq!(of, Identity::new(&a, None, b"{}"));
        assert_ne!(of.key, Identity::new(&b, None, b"{}").key);
        assert_ne!(of.body, Identity::new(&a, None, b"[]").body);
        assert_ne!(of.body, Identity::new(&a, Some("{"), b"}").body);
    }
}
