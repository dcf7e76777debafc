//! Which settings of a plugin hold what nobody else may know: told by their keys, for nothing else is known of a
//! plugin that somebody else wrote.

/// What ends the name of such a key, after its parts were joined with `_`.
const ENDS: [&str; 17] = [
    "access_key",
    "api_key",
    "apikey",
    "authorization",
    "basic",
    "bearer",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "private_key",
    "secret",
    "secret_key",
    "token",
    "tokens",
];

/// Whether the value of a setting called so is a credential, as of `api_key`, `x-api-key`, `webhookToken` and
/// `db.password`.
pub fn is_credential(key: &str) -> bool {
    let name = joined(key);
    ENDS.iter().any(|end| name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('_')))
}

/// The words of a key in small letters, joined with `_`.
fn joined(key: &str) -> String {
    let mut joined = String::with_capacity(key.len() + 4);
    let mut was_small = false;
    for letter in key.chars() {
        if letter.is_uppercase() && was_small {
            joined.push('_');
        }
        was_small = letter.is_lowercase() || letter.is_ascii_digit();
        match letter {
            '-' | '.' | ' ' => joined.push('_'),
            letter => joined.extend(letter.to_lowercase()),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::is_credential;

    #[test]
    fn keys_tell_by_their_last_words() {
        for key in [
            "api_key",
            "x-api-key",
            "X-API-Key",
            "apiKey",
            "API_KEY",
            "password",
            "basic",
            "Authorization",
            "webhook_token",
            "bearerToken",
            "tokens",
            "clientSecret",
            "aws-secret-access-key",
            "accessKey",
            "oauth2Token",
            "db.password",
            "tls.passphrase",
        ] {
            assert!(is_credential(key), "{key}");
        }
        for key in ["key", "monkey", "index_prefix", "token_url", "tokenUrl", "hosts", "basics", "secretary", ""] {
            assert!(!is_credential(key), "{key}");
        }
    }
}
