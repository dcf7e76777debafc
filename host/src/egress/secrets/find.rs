//! Where secrets stand in a config, and where their values come from.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use metricast_records::credentials::is_credential;
use serde_json::{Map, Value};

use super::{PLACEHOLDER, Secret, SecretError};

/// Bytes of a secret.
const MAX: u64 = 64 << 10;

/// Why a secret cannot be had. No case repeats a value, or what may be one.
#[derive(Debug, thiserror::Error)]
pub enum SecretProblem {
    /// Neither of the forms.
    #[error(
        "write {{ secret = \"env:NAME\" }}, {{ secret = \"file:PATH\" }} or {{ basic = {{ user = \"…\", secret = \"env:NAME\" }} }}"
    )]
    Form,
    /// A Basic pair that is not marked as one.
    #[error("a user with a secret is written so: {0} = {{ basic = {{ user = \"…\", secret = \"env:NAME\" }} }}")]
    BarePair(String),
    /// Nearly a form.
    #[error("unknown key `{0}`; did you mean `secret`?")]
    Misspelt(String),
    /// No such variable.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The variable is no text.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    /// The file cannot be read.
    #[error("cannot read the file {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// It is longer than any secret.
    #[error("{0} is longer than 64 KiB")]
    TooLong(String),
    /// It cannot be sent.
    #[error("{0} has characters in it that no HTTP header can carry")]
    NoHeader(String),
    /// RFC 7617 ends the user at the first colon.
    #[error("the user of a Basic pair has no colon in it")]
    ColonInUser,
}

/// Where the config says that a secret is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    Env(&'a str),
    File(&'a Path),
    /// A value that a program gave by itself: no config file can name one.
    Given(&'a str),
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Result<Self, SecretProblem> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name)),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(Path::new(path))),
            Some(("given", name)) if !name.is_empty() => Ok(Self::Given(name)),
            _ => Err(SecretProblem::Form),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable {name}"),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Given(_) => "the value that was given".to_owned(),
        }
    }

    pub(super) fn read(&self, folder: &Path) -> Result<String, SecretProblem> {
        match self {
            Self::Env(name) => env::var(name).map_err(|error| match error {
                env::VarError::NotPresent => SecretProblem::NotSet((*name).to_owned()),
                env::VarError::NotUnicode(_) => SecretProblem::NotText((*name).to_owned()),
            }),
            Self::File(path) => {
                let path = folder.join(path);
                read_file(&path).map_err(|source| SecretProblem::Read { path, source })
            }
            Self::Given(_) => Err(SecretProblem::Form),
        }
    }

    /// The value as a header can carry it; a file's last line break is not part of it.
    fn value(&self, read: Reader<'_>) -> Result<String, SecretProblem> {
        let text = read(self)?;
        let value = text.trim_end_matches(['\r', '\n']);
        if value.is_empty() {
            return Err(SecretProblem::Empty(self.name()));
        }
        if value.len() as u64 > MAX {
            return Err(SecretProblem::TooLong(self.name()));
        }
        if HeaderValue::from_str(value).is_err() {
            return Err(SecretProblem::NoHeader(self.name()));
        }
        Ok(value.to_owned())
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX + 3).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads what a reference names.
pub(super) type Reader<'r> = &'r dyn Fn(&Reference<'_>) -> Result<String, SecretProblem>;

/// Replaces each secret in `config` by a placeholder and returns both.
pub(super) fn take(config: &mut Value, read: Reader<'_>) -> Result<Vec<(String, Secret)>, SecretError> {
    let mut found = Vec::new();
    // The settings as a whole are no secret, whatever their keys are called.
    members(config, &mut String::new(), read, &mut found)?;
    Ok(found)
}

/// The path of each secret's key, and where its value is, in settings whose secrets could be taken.
pub(super) fn references(config: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(config, "", &mut found);
    found
}

/// The paths of credentials that are no references.
pub(super) fn written_out(config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_written(config, "", &mut found);
    found
}

fn collect_written(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match member {
                Value::String(_) if is_credential(key) => found.push(path),
                Value::Array(items) if is_credential(key) && items.iter().any(Value::is_string) => found.push(path),
                // A reference and its user.
                Value::Object(inner) if inner.contains_key("secret") => {}
                member => collect_written(member, &path, found),
            }
        }),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect_written(item, &format!("{path}[{index}]"), found));
        }
        _ => {}
    }
}

fn collect(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let reference = value.get("secret").or_else(|| value.get("basic")?.get("secret")).and_then(Value::as_str);
    if let Some(reference) = reference.filter(|_| !path.is_empty()) {
        found.push((path.to_owned(), reference.to_owned()));
        return;
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, &format!("{path}[{index}]"), found));
        }
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(member, &path, found);
        }),
        _ => {}
    }
}

fn walk(
    value: &mut Value,
    path: &mut String,
    read: Reader<'_>,
    found: &mut Vec<(String, Secret)>,
) -> Result<(), SecretError> {
    let secret = value.as_object().and_then(|object| secret_of(object, path, read));
    if let Some(secret) = secret.transpose().map_err(|problem| SecretError { key: path.clone(), problem })? {
        let placeholder = placeholder();
        *value = Value::String(placeholder.clone());
        found.push((placeholder, secret));
        return Ok(());
    }
    members(value, path, read, found)
}

fn members(
    value: &mut Value,
    path: &mut String,
    read: Reader<'_>,
    found: &mut Vec<(String, Secret)>,
) -> Result<(), SecretError> {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, item)| below(item, &format!("[{index}]"), path, read, found)),
        Value::Object(members) => members.iter_mut().try_for_each(|(key, member)| {
            let step = if path.is_empty() { key.clone() } else { format!(".{key}") };
            below(member, &step, path, read, found)
        }),
        _ => Ok(()),
    }
}

fn below(
    value: &mut Value,
    step: &str,
    path: &mut String,
    read: Reader<'_>,
    found: &mut Vec<(String, Secret)>,
) -> Result<(), SecretError> {
    let length = path.len();
    path.push_str(step);
    walk(value, path, read, found)?;
    path.truncate(length);
    Ok(())
}

/// The secret that an object stands for; `None` where it is no such object.
fn secret_of(object: &Map<String, Value>, path: &str, read: Reader<'_>) -> Option<Result<Secret, SecretProblem>> {
    if let Some(key) = misspelt(object) {
        return Some(Err(SecretProblem::Misspelt(key.to_owned())));
    }
    if object.len() == 2 && ["user", "secret"].iter().all(|key| object.get(*key).is_some_and(Value::is_string)) {
        let key = path.rsplit('.').next().unwrap_or(path);
        return Some(Err(SecretProblem::BarePair(key.to_owned())));
    }
    if let Some(basic) = object.get("basic").and_then(Value::as_object) {
        return Some(if object.len() == 1 { pair(basic, read) } else { Err(SecretProblem::Form) });
    }
    let reference = object.get("secret").filter(|secret| !secret.is_object())?;
    Some(match reference.as_str() {
        Some(reference) if object.len() == 1 => single(reference, read).map(Secret::new),
        _ => Err(SecretProblem::Form),
    })
}

/// The one key of an object that is nearly `secret`, with a reference behind it.
fn misspelt(object: &Map<String, Value>) -> Option<&str> {
    const NEAR_ENOUGH: f64 = 0.8;
    let (key, value) = object.iter().next().filter(|_| object.len() == 1)?;
    let refers = value.as_str().is_some_and(|text| Reference::parse(text).is_ok());
    (refers && key != "secret" && strsim::jaro_winkler(&key.to_lowercase(), "secret") >= NEAR_ENOUGH).then_some(key)
}

fn single(reference: &str, read: Reader<'_>) -> Result<String, SecretProblem> {
    Reference::parse(reference)?.value(read)
}

fn pair(basic: &Map<String, Value>, read: Reader<'_>) -> Result<Secret, SecretProblem> {
    let text = |key: &str| basic.get(key).and_then(Value::as_str);
    let (Some(user), Some(reference), 2) = (text("user"), text("secret"), basic.len()) else {
        return Err(SecretProblem::Form);
    };
    if user.contains(':') {
        return Err(SecretProblem::ColonInUser);
    }
    let secret = single(reference, read)?;
    Ok(Secret::new(BASE64_STANDARD.encode(format!("{user}:{secret}"))))
}

/// Random so that no text of the user's is one by chance. A plugin that guesses another's gains nothing: each publisher
/// has its own.
fn placeholder() -> String {
    format!("{PLACEHOLDER}{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(reference: &Reference<'_>) -> Result<String, SecretProblem> {
        match reference {
            Reference::Env("KEY") => Ok("hunter2".to_owned()),
            Reference::File(path) if *path == Path::new("/run/key") => Ok("from-file\r\n".to_owned()),
            Reference::Env("EMPTY") => Ok("\n".to_owned()),
            Reference::Env("TWO_LINES") => Ok("one\ntwo".to_owned()),
            Reference::Env("LONG") => Ok("x".repeat(MAX as usize + 1)),
            other => other.read(Path::new("/")),
        }
    }

    #[test]
    fn each_form_becomes_a_placeholder_of_its_own() {
        let mut config = json!({
            "api_key": { "secret": "env:KEY" },
            "deep": [{ "token": { "secret": "file:/run/key" } }],
            "login": { "basic": { "user": "u", "secret": "env:KEY" } },
            "plain": "env:KEY",
            "number": 3,
        });
        let found = take(&mut config, &values).unwrap();
        let secret_at = |pointer: &str| {
            let placeholder = config.pointer(pointer).unwrap().as_str().unwrap();
            assert!(placeholder.starts_with(PLACEHOLDER) && placeholder.len() == PLACEHOLDER.len() + 32);
            &found.iter().find(|(known, _)| known == placeholder).unwrap().1
        };
        assert_eq!(secret_at("/api_key"), &Secret::new("hunter2"));
        assert_eq!(secret_at("/deep/0/token"), &Secret::new("from-file"), "the line break is not part of it");
        assert_eq!(secret_at("/login"), &Secret::new(BASE64_STANDARD.encode("u:hunter2")));
        assert_eq!((&config["plain"], &config["number"]), (&json!("env:KEY"), &json!(3)));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_key_named_secret_may_itself_hold_a_secret() {
        let mut config = json!({ "secret": { "secret": "env:KEY" }, "other": 1 });
        assert_eq!(take(&mut config, &values).unwrap().len(), 1);
        assert!(config["secret"].is_string());
    }

    #[test]
    fn settings_with_a_key_named_basic_are_no_secret_themselves() {
        let mut config = json!({ "basic": { "basic": { "user": "u", "secret": "env:KEY" } } });
        assert_eq!(references(&config), [("basic".to_owned(), "env:KEY".to_owned())]);
        assert_eq!(take(&mut config, &values).unwrap().len(), 1);
        assert!(config["basic"].is_string());
        let mut bare = json!({ "basic": { "user": "u", "secret": "env:KEY" } });
        assert_eq!(
            take(&mut bare, &values).unwrap_err().to_string(),
            "basic: a user with a secret is written so: basic = { basic = { user = \"…\", secret = \"env:NAME\" } }"
        );
    }

    #[test]
    fn where_secrets_come_from_can_be_told() {
        let config = json!({ "api_key": { "secret": "env:KEY" }, "deep": [{ "token": { "secret": "file:key" } }] });
        let told: Vec<String> = references(&config).iter().map(|(key, from)| format!("{key} {from}")).collect();
        assert_eq!(told, ["api_key env:KEY", "deep[0].token file:key"]);
    }

    #[test]
    fn what_cannot_be_had_is_an_error_with_its_key() {
        for (secret, words) in [
            (json!({ "secret": "env:METRICAST_TEST_NOT_SET" }), "METRICAST_TEST_NOT_SET is not set"),
            (json!({ "secret": "file:/no/such/file" }), "cannot read the file /no/such/file"),
            (json!({ "secret": "env:EMPTY" }), "the environment variable EMPTY is empty"),
            (json!({ "secret": "env:TWO_LINES" }), "characters in it that no HTTP header can carry"),
            (json!({ "secret": "env:LONG" }), "longer than 64 KiB"),
            (json!({ "secret": "hunter2" }), "write { secret = \"env:NAME\" }"),
            (json!({ "secret": "env:" }), "write { secret"),
            (json!({ "secret": 5 }), "write { secret"),
            (json!({ "secert": "env:KEY" }), "unknown key `secert`; did you mean `secret`?"),
            (json!({ "secret": "env:KEY", "more": 1 }), "write { secret"),
            (json!({ "basic": { "user": "u" } }), "write { secret"),
            (json!({ "basic": { "user": "u:v", "secret": "env:KEY" } }), "no colon"),
        ] {
            let mut config = json!({ "list": [{}, { "key": secret }] });
            let error = take(&mut config, &values).unwrap_err();
            assert_eq!(error.key, "list[1].key");
            let text = error.to_string();
            assert!(text.contains(words), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_written_out_is_found_at_any_depth_and_references_are_not() {
        let config = json!({
            "publishers": [{ "api_key": "x" }, { "tls": { "password": "y", "ca": "z" } }],
            "tokens": ["a", "b"],
            "basic": { "basic": { "user": "u", "secret": "env:KEY" } },
            "bearer": { "secret": "env:KEY" },
            "password": null,
        });
        assert_eq!(written_out(&config), ["publishers[0].api_key", "publishers[1].tls.password", "tokens"]);
    }
}
