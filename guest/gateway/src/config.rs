//! Where the plugin's config comes from in a host that has no file for it, and the secrets in it.
//!
//! In metricast's own host a plugin never holds a secret. Other hosts have no such thing: here the value is in the
//! config that the plugin gets. What is told to a sender never has it ([`Config::hide`]).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use metricast_records::credentials::is_credential;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::publisher::Surroundings;

/// The environment variable that holds the config where none was made part of the component.
pub const VARIABLE: &str = "METRICAST_CONFIG";

/// Shorter values are no secrets, and hiding them would garble the text.
const LEAST_SECRET: usize = 4;
/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// A config with its secrets filled in.
#[derive(Clone)]
pub struct Config {
    json: String,
    secrets: Vec<String>,
    /// Where they stand.
    keys: Vec<String>,
}

/// Why there is none. Says nothing of what stands in it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// It is no JSON.
    #[error("{place} is no JSON: line {line}, column {column}; it is the plugin's config as a JSON object")]
    NoJson {
        /// Where it came from.
        place: &'static str,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// It is JSON, and no object.
    #[error("{0} is no JSON object; it is the plugin's config, such as {{\"index_prefix\": \"metrics\"}}")]
    NoObject(&'static str),
    /// A secret cannot be had.
    #[error("{path}: {problem}")]
    Secret {
        /// The key.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

impl Config {
    /// The config that was made part of the component; else the environment variable; else an empty one, which says
    /// that it is that.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn find(surroundings: &impl Surroundings) -> Result<(Self, bool), ConfigError> {
        let variable = || surroundings.variable(VARIABLE).filter(|text| !text.trim().is_empty());
        let (place, text) = match (surroundings.settings(), variable()) {
            (Some(text), _) => ("the config in the component", text),
            (None, Some(text)) => ("the environment variable METRICAST_CONFIG", text),
            (None, None) => return Ok((Self { json: "{}".to_owned(), secrets: Vec::new(), keys: Vec::new() }, false)),
        };
        let mut value: Value = serde_json::from_str(&text).map_err(|error| ConfigError::NoJson {
            place,
            line: error.line(),
            column: error.column(),
        })?;
        if !value.is_object() {
            return Err(ConfigError::NoObject(place));
        }
        let mut found = Found::default();
        fill(&mut value, "", &|name| surroundings.variable(name), &mut found)?;
        let Found { mut secrets, keys } = found;
        secrets.retain(|secret| secret.len() >= LEAST_SECRET);
        // A secret that holds another is hidden first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok((Self { json: value.to_string(), secrets, keys }, true))
    }

    /// As the plugin takes it.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What a backend says that refuses the credentials, with the keys that they stand in.
    pub fn name_keys(&self, text: &str) -> String {
        match self.keys.join(", ").as_str() {
            "" => format!("{text}; the config has no credentials"),
            keys => format!("{text}; the credentials are those of {keys}"),
        }
    }

    /// A text without the secrets.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

/// The secrets of a config, and the paths of their keys.
#[derive(Default)]
struct Found {
    secrets: Vec<String>,
    keys: Vec<String>,
}

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

fn fill(value: &mut Value, path: &str, variable: Variable<'_>, found: &mut Found) -> Result<(), ConfigError> {
    match value {
        Value::Object(object) => match referred(object, variable, &mut found.secrets) {
            Some(Ok(filled)) => {
                found.keys.push(path.to_owned());
                *value = Value::String(filled);
            }
            Some(Err(problem)) => return Err(ConfigError::Secret { path: path.to_owned(), problem }),
            None => {
                for (key, inner) in object.iter_mut() {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    if is_credential(key) {
                        let before = found.secrets.len();
                        found.secrets.extend(texts(inner).map(str::to_owned));
                        if found.secrets.len() > before {
                            found.keys.push(path.clone());
                        }
                    }
                    fill(inner, &path, variable, found)?;
                }
            }
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill(item, &format!("{path}[{index}]"), variable, found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// A text, or those of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice).iter().filter_map(Value::as_str)
}

/// `{"secret": "env:NAME"}` or `{"basic": {"user": "…", "secret": "env:NAME"}}`, as in metricast.toml.
fn referred(
    object: &Map<String, Value>,
    variable: Variable<'_>,
    secrets: &mut Vec<String>,
) -> Option<Result<String, String>> {
    let only = |key: &str| object.get(key).filter(|_| object.len() == 1);
    if let Some(reference) = only("secret").and_then(Value::as_str) {
        return Some(read(reference, variable).inspect(|secret| secrets.push(secret.clone())));
    }
    let basic = only("basic")?.as_object()?;
    let (user, reference) = (basic.get("user")?.as_str()?, basic.get("secret")?.as_str()?);
    Some(read(reference, variable).map(|secret| {
        let pair = BASE64_STANDARD.encode(format!("{user}:{secret}"));
        secrets.extend([secret, pair.clone()]);
        pair
    }))
}

fn read(reference: &str, variable: Variable<'_>) -> Result<String, String> {
    let Some(name) = reference.strip_prefix("env:") else {
        return Err("a secret is written { \"secret\": \"env:NAME\" } here: a component has no files".to_owned());
    };
    match variable(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(format!("the environment variable {name} is not set: the secret is to come from it")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stub::Stub;

    fn find(stub: &Stub) -> Result<(Config, bool), ConfigError> {
        Config::find(&stub)
    }

    #[test]
    fn a_config_in_the_component_goes_before_the_environment() {
        let mut stub = Stub::default();
        assert!(matches!(find(&stub), Ok((config, false)) if config.json() == "{}"));
        stub.variables.insert(VARIABLE, r#"{"a": 1}"#.to_owned());
        assert!(matches!(find(&stub), Ok((config, true)) if config.json() == r#"{"a":1}"#));
        stub.settings = Some(r#"{"b": 2}"#.to_owned());
        assert!(matches!(find(&stub), Ok((config, true)) if config.json() == r#"{"b":2}"#));
    }

    #[test]
    fn what_is_no_config_is_told_by_its_place_and_not_by_what_it_says() {
        let told = |text: &str| {
            let variables = [(VARIABLE, text.to_owned())].into();
            find(&Stub { variables, ..Stub::default() }).err().map(|error| error.to_string())
        };
        let broken = told("{\"api_key\": hunter2}").unwrap();
        assert_eq!(
            broken,
            "the environment variable METRICAST_CONFIG is no JSON: line 1, column 13; it is the plugin's config as a JSON object"
        );
        assert!(told("[]").unwrap().contains("is no JSON object"));
        assert_eq!(told(" "), None);
    }

    #[test]
    fn secrets_come_from_the_environment_and_are_not_told() {
        let config = json!({
            "api_key": { "secret": "env:KEY" },
            "publishers": [{ "basic": { "basic": { "user": "u", "secret": "env:PASSWORD" } }, "bearer": "tok-en" }],
        });
        let mut stub = Stub { settings: Some(config.to_string()), ..Stub::default() };
        let missing = find(&stub).err().unwrap().to_string();
        assert_eq!(missing, "api_key: the environment variable KEY is not set: the secret is to come from it");
        stub.variables.extend([("KEY", "hunter2".to_owned()), ("PASSWORD", "pass".to_owned())]);
        let (config, _) = find(&stub).unwrap();
        let filled = json!({ "api_key": "hunter2", "publishers": [{ "basic": "dTpwYXNz", "bearer": "tok-en" }] });
        assert_eq!(serde_json::from_str::<Value>(config.json()).unwrap(), filled);
        assert_eq!(
            config.name_keys("401"),
            "401; the credentials are those of api_key, publishers[0].basic, publishers[0].bearer"
        );
        let listed = Stub { settings: Some(r#"{"apiTokens": ["one-of", "them"]}"#.to_owned()), ..Stub::default() };
        let (listed, _) = find(&listed).unwrap();
        assert_eq!(
            (listed.hide("one-of them"), listed.name_keys("401")),
            ("*** ***".to_owned(), "401; the credentials are those of apiTokens".to_owned(),)
        );
        assert_eq!(config.hide("401 for hunter2, u:pass, dTpwYXNz, tok-en"), "401 for ***, u:***, ***, ***");
    }

    #[test]
    fn a_secret_in_a_file_is_told_where_it_may_be() {
        let settings = json!({ "deep": [{ "token": { "secret": "file:/run/key" } }] }).to_string();
        let told = find(&Stub { settings: Some(settings), ..Stub::default() }).err().unwrap().to_string();
        assert!(told.starts_with("deep[0].token: a secret is written"), "{told}");
    }
}
