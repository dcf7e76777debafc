//! The token, and the headers that it goes into.
//!
//! Where the host keeps secrets the token is a placeholder here, and the host puts the value in on the way out, inside
//! Basic credentials too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metricast_sdk::Secret;

/// Whether it can stand in a header.
pub(crate) fn is_one_word(token: &Secret) -> bool {
    !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

/// The value of an `Authorization` header, as the API takes it.
pub(crate) fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose()))
}

/// The value of an `Authorization` header, as the receivers take it: the user is an instance id.
pub(crate) fn basic(token: &Secret, user: &str) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", token.expose()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_into_headers_and_into_no_text() {
        let secret = Secret::new("glc_token");
        assert_eq!(bearer(&secret).expose(), "Bearer glc_token");
        assert_eq!(basic(&secret, "715391").expose(), "Basic NzE1MzkxOmdsY190b2tlbg==");
        for text in [format!("{secret:?}"), format!("{:?}", bearer(&secret)), format!("{:?}", basic(&secret, "1"))] {
            assert!(!text.contains("token") && !text.contains("dG9rZW4"), "{text}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_told() {
        for bad in ["", "two words", "line\nbreak", "ключ"] {
            assert!(!is_one_word(&Secret::new(bad)), "{bad:?}");
        }
        assert!(is_one_word(&Secret::new("glc_eyJvIjoiMSJ9")));
    }
}
