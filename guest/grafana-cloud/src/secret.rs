//! The token, and the headers that it goes into.
//!
//! Where the host keeps secrets the token is a placeholder here, and the host puts the value in on the way out, inside
//! Basic credentials too.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// A credential, or the placeholder that stands for it.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Whether it can stand in a header.
    pub(crate) fn is_one_line(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// As the API takes it.
    pub(crate) fn bearer(&self) -> Authorization {
        Authorization(format!("Bearer {}", self.0))
    }

    /// As the receivers take it: the user is an instance id.
    pub(crate) fn basic(&self, user: &str) -> Authorization {
        Authorization(format!("Basic {}", STANDARD.encode(format!("{user}:{}", self.0))))
    }
}

/// The value of an `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Authorization(String);

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(…)")
    }
}

impl Authorization {
    /// What is sent.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_into_headers_and_into_no_text() {
        let secret = Secret("glc_token".to_owned());
        assert_eq!(secret.bearer().expose(), "Bearer glc_token");
        assert_eq!(secret.basic("715391").expose(), "Basic NzE1MzkxOmdsY190b2tlbg==");
        for text in [format!("{secret:?}"), format!("{:?}", secret.bearer()), format!("{:?}", secret.basic("1"))] {
            assert!(!text.contains("token") && !text.contains("dG9rZW4"), "{text}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_told() {
        for bad in ["", "two words", "line\nbreak", "ключ"] {
            assert!(!Secret(bad.to_owned()).is_one_line(), "{bad:?}");
        }
        assert!(Secret("glc_eyJvIjoiMSJ9".to_owned()).is_one_line());
    }
}
