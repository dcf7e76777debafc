//! Secrets stay with the host. In a plugin's settings `{ "secret": "env:NAME" }`, `{ "secret": "file:PATH" }` and, for a
//! Basic pair, `{ "basic": { "user": "…", "secret": "…" } }` become opaque placeholders before the plugin sees them; a
//! header value with a placeholder in it gets the real value when its request leaves for a granted origin. So does one
//! whose Basic credentials have a placeholder in their encoded pair: a plugin that finds out the user by itself.

mod find;

use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

pub use find::SecretProblem;

/// What every placeholder begins with.
const PLACEHOLDER: &str = "metricast-secret-";

/// Bytes of an encoded pair of user and placeholder: no user is near as long.
const LONGEST_PAIR: usize = 8 << 10;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides a value.
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret in a publisher's settings that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SecretError {
    /// The path of its key in the plugin's settings.
    pub key: String,
    /// Why.
    pub problem: SecretProblem,
}

/// The secrets of one publisher, each behind its placeholder. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<[(String, Secret)]>);

impl Secrets {
    /// Takes the secrets out of a plugin's settings and leaves placeholders. A relative path of a file starts at
    /// `folder`.
    ///
    /// # Errors
    /// With the first secret that is not there, is empty, or cannot stand in a header.
    pub fn extract(config: &mut Value, folder: &Path) -> Result<Self, SecretError> {
        Self::extract_given(config, folder, &BTreeMap::new())
    }

    /// As [`extract`](Self::extract), where `{ "secret": "given:NAME" }` stands for a value that the program has.
    ///
    /// # Errors
    /// As [`extract`](Self::extract), and where no value of that name is given.
    pub(crate) fn extract_given(
        config: &mut Value,
        folder: &Path,
        given: &BTreeMap<String, Secret>,
    ) -> Result<Self, SecretError> {
        let read = |reference: &find::Reference<'_>| match reference {
            find::Reference::Given(name) => {
                given.get(*name).map(|secret| secret.reveal().to_owned()).ok_or(SecretProblem::Form)
            }
            kept => kept.read(folder),
        };
        find::take(config, &read).map(|found| Self(found.into()))
    }

    /// Replaces each secret in `config` by a placeholder without reading any: for who only asks about the rest.
    ///
    /// # Errors
    /// Where a secret is written in a form that there is not.
    pub fn hide(config: &mut Value) -> Result<(), SecretError> {
        find::take(config, &|_| Ok("not read".to_owned())).map(drop)
    }

    /// Where a plugin's settings say that secrets are: the path of each key, and `env:…` or `file:…`.
    pub fn references(config: &Value) -> impl Iterator<Item = (String, String)> {
        find::references(config).into_iter()
    }

    /// The paths of keys whose values are credentials by their names and stand in the settings as they are.
    pub fn written_out(config: &Value) -> Vec<String> {
        find::written_out(config)
    }

    pub(super) fn feed(&self, digest: &mut Sha256) {
        for (_, secret) in &*self.0 {
            digest.update(secret.reveal());
            digest.update([0]);
        }
    }

    /// Puts the values in where header values hold placeholders. Call it only for a request to a granted origin.
    pub(super) fn put_in(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        for value in headers.values_mut() {
            if let Some(revealed) = self.revealed(value) {
                *value = revealed;
            }
        }
    }

    fn revealed(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let text = value.to_str().ok()?;
        let revealed = match self.filled(text) {
            Some(revealed) => revealed,
            None => format!("Basic {}", BASE64_STANDARD.encode(self.filled(&basic_pair(text)?)?)),
        };
        // Every secret was found fit for a header when it was read.
        let mut revealed = HeaderValue::try_from(revealed).ok()?;
        revealed.set_sensitive(true);
        Some(revealed)
    }

    /// The text with the values where it has placeholders; `None` where it has none.
    fn filled(&self, text: &str) -> Option<String> {
        let fill = |text: String, (placeholder, secret): &(String, Secret)| text.replace(placeholder, secret.reveal());
        text.contains(PLACEHOLDER).then(|| self.0.iter().fold(text.to_owned(), fill))
    }
}

/// User and password of Basic credentials (RFC 7617, section 2), where a value is such.
fn basic_pair(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_PAIR {
        return None;
    }
    String::from_utf8(BASE64_STANDARD.decode(encoded.trim_start()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_in_header_values_and_marked_sensitive() {
        let secrets = Secrets(Arc::new([
            ("metricast-secret-1".to_owned(), Secret::new("hunter2")),
            ("metricast-secret-2".to_owned(), Secret::new("dTpw")),
        ]));
        let mut headers = HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("ApiKey metricast-secret-1"));
        headers.append("x-many", HeaderValue::from_static("metricast-secret-2,metricast-secret-1"));
        headers.append("x-many", HeaderValue::from_static("plain"));
        headers.append("x-unknown", HeaderValue::from_static("metricast-secret-9"));
        secrets.put_in(&mut headers);
        assert_eq!(headers["authorization"], "ApiKey hunter2");
        assert!(headers["authorization"].is_sensitive());
        assert_eq!(headers.get_all("x-many").iter().collect::<Vec<_>>(), ["dTpw,hunter2", "plain"]);
        assert!(!headers.get_all("x-many").iter().nth(1).unwrap().is_sensitive());
        assert_eq!(headers["x-unknown"], "metricast-secret-9");
    }

    #[test]
    fn a_placeholder_within_a_basic_pair_is_replaced_there() {
        let secrets = Secrets(Arc::new([("metricast-secret-1".to_owned(), Secret::new("glc_token"))]));
        let filled = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.append("authorization", HeaderValue::try_from(value).unwrap());
            secrets.put_in(&mut headers);
            (headers["authorization"].to_str().unwrap().to_owned(), headers["authorization"].is_sensitive())
        };
        let pair = |pair: &str| BASE64_STANDARD.encode(pair);
        let wanted = (format!("Basic {}", pair("123456:glc_token")), true);
        assert_eq!(filled(&format!("Basic {}", pair("123456:metricast-secret-1"))), wanted);
        assert_eq!(filled(&format!("basic {}", pair("123456:metricast-secret-1"))), wanted);
        for unchanged in [
            format!("Basic {}", pair("123456:another")),
            format!("Bearer {}", pair("123456:metricast-secret-1")),
            "Basic ////".to_owned(),
            "Basic not base64".to_owned(),
            format!("Basic {}", pair(&format!("{}metricast-secret-1", "x".repeat(LONGEST_PAIR)))),
        ] {
            assert_eq!(filled(&unchanged), (unchanged.clone(), false));
        }
    }

    #[test]
    fn a_value_that_the_program_gives_is_known_by_its_name_and_to_no_config_file() {
        let config = serde_json::json!({ "api_key": { "secret": "given:api_key" } });
        let given = BTreeMap::from([("api_key".to_owned(), Secret::new("hunter2"))]);
        let mut settings = config.clone();
        let secrets = Secrets::extract_given(&mut settings, Path::new("/"), &given).unwrap();
        assert_eq!(secrets.0[0].1, Secret::new("hunter2"));
        assert_eq!(settings["api_key"], secrets.0[0].0);
        let error = Secrets::extract(&mut config.clone(), Path::new("/")).unwrap_err().to_string();
        assert!(error.starts_with("api_key: write { secret"), "{error}");
    }

    #[test]
    fn a_secret_does_not_show() {
        let secrets = Secrets(Arc::new([("metricast-secret-1".to_owned(), Secret::new("hunter2"))]));
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
