//! Credentials of a config.

use std::fmt;

use serde::Deserialize;

/// A credential, or the placeholder that stands for it where the host keeps secrets: the host puts the value in on the way
/// out. Its `Debug` hides it.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Of its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What is sent: for no log and no error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
