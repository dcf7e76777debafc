//! Which settings of a plugin hold what nobody else may know: told by their keys, for nothing else is known of a
//! plugin that somebody else wrote.

/// What such a key is called, or ends with behind a `_`, `-` or `.`.
const NAMES: [&str; 12] = [
    "access_key",
    "api_key",
    "apikey",
    "authorization",
    "basic",
    "bearer",
    "credentials",
    "password",
    "private_key",
    "secret",
    "secret_key",
    "token",
];

/// Whether the value of a setting called so is a credential, as of `api_key` and `webhook_token`.
pub fn is_credential(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    NAMES
        .iter()
        .any(|name| key.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(['_', '-', '.'])))
}

#[cfg(test)]
mod tests {
    use super::is_credential;

    #[test]
    fn keys_tell_by_their_last_word() {
        for key in
            ["api_key", "password", "basic", "Authorization", "webhook_token", "aws-secret-access_key", "db.password"]
        {
            assert!(is_credential(key), "{key}");
        }
        for key in ["key", "monkey", "index_prefix", "token_url", "hosts", "basics", "secretary", ""] {
            assert!(!is_credential(key), "{key}");
        }
    }
}
