//! The config that goes into a service: a plugin's own settings, from a file of them or out of a whole metricast config.
//!
//! Another host knows no secrets. A reference to an environment variable goes in as it is, and the gateway reads the
//! variable where the service runs; one to a file is an error here, for a service has no files. Secrets that are written
//! out go in, and are named, for they are readable in the component.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{self, ConfigError};
use crate::egress::{SecretError, Secrets};
use crate::plugin::{Plugin, PluginSource};

/// What names a publisher of a whole metricast config, and no plugin's settings.
const PLUGIN: &str = "plugin";

/// A config that can go into a component.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// The plugin's settings, JSON text.
    pub text: String,
    /// The same with something in place of each secret that is read where the service runs: what a plugin can judge.
    pub judged: String,
    /// The paths of keys whose values nobody else may know, and which are in the text.
    pub secrets: Vec<String>,
    /// The names of environment variables that hold secrets where the service runs.
    pub variables: Vec<String>,
}

/// Why a file is no config for a service.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("cannot read the config {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is neither form.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A whole metricast config in which something is wrong.
    #[error(transparent)]
    Whole(#[from] ConfigError),
    /// A whole metricast config with another number of publishers that use the plugin than one.
    #[error(
        "{}: {found} of its publishers use {plugin}, and a service is of one: keep one, or write a file with the plugin's own settings alone",
        path.display()
    )]
    Publishers {
        /// The file.
        path: PathBuf,
        /// The plugin.
        plugin: String,
        /// How many.
        found: usize,
    },
    /// A secret that another host cannot have.
    #[error(
        "{}: {key} is a secret in {reference}, and a service has no files: write {{ secret = \"env:NAME\" }}, and give NAME to the host that runs it",
        path.display()
    )]
    Secret {
        /// The file.
        path: PathBuf,
        /// The path of the key.
        key: String,
        /// `file:PATH`.
        reference: String,
    },
    /// A secret in a form that there is not.
    #[error("{}: {error}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SecretError,
    },
}

impl ServiceConfig {
    /// Reads a plugin's settings: a JSON or TOML file of them, or a whole metricast config with one publisher that uses
    /// the plugin.
    ///
    /// # Errors
    /// [`SettingsError`]. What the plugin says to its settings is not asked here.
    pub fn read(path: &Path, plugin: &Plugin, source: &PluginSource) -> Result<Self, SettingsError> {
        let read = |source| SettingsError::Read { path: path.to_owned(), source };
        let wrong = |reason: String| SettingsError::Syntax { path: path.to_owned(), reason };
        if path.is_dir() {
            return Err(wrong("it is a folder: name the file in it".to_owned()));
        }
        let text = String::from_utf8(std::fs::read(path).map_err(read)?).map_err(|error| {
            wrong(format!("it is not UTF-8 text, from byte {} on", error.utf8_error().valid_up_to() + 1))
        })?;
        let mut settings = parse(path, &text)?;
        if is_whole(&settings) {
            settings = out_of_whole(path, plugin, source)?;
        }
        let mut judged = settings.clone();
        Secrets::hide(&mut judged).map_err(|error| SettingsError::Form { path: path.to_owned(), error })?;
        let mut variables = Vec::new();
        for (key, reference) in Secrets::references(&settings) {
            match reference.strip_prefix("env:") {
                Some(name) => variables.push(name.to_owned()),
                None => return Err(SettingsError::Secret { path: path.to_owned(), key, reference }),
            }
        }
        let secrets = Secrets::written_out(&settings);
        Ok(Self { text: settings.to_string(), judged: judged.to_string(), secrets, variables })
    }
}

fn parse(path: &Path, text: &str) -> Result<Value, SettingsError> {
    let wrong = |reason: String| SettingsError::Syntax { path: path.to_owned(), reason };
    let is_json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    if is_json || text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| wrong(format!("it is not JSON: {error}")));
    }
    toml::from_str(text).map_err(|error| wrong(format!("it is not TOML: {}", error.to_string().trim_end())))
}

/// Whether this is a config of `metricast run`. The settings of a composite have a list of that name too.
fn is_whole(settings: &Value) -> bool {
    let mut publishers = settings["publishers"].as_array().into_iter().flatten();
    publishers.any(|publisher| publisher[PLUGIN].is_string())
}

fn out_of_whole(path: &Path, plugin: &Plugin, source: &PluginSource) -> Result<Value, SettingsError> {
    let checked = config::load(path)?;
    let uses = |publisher: &&config::Publisher| same_plugin(&publisher.plugin, source);
    let fitting: Vec<_> = checked.publishers.iter().filter(uses).collect();
    let [publisher] = fitting[..] else {
        let (path, plugin) = (path.to_owned(), source.to_string());
        return Err(SettingsError::Publishers { path, plugin, found: fitting.len() });
    };
    let mut settings = publisher.config.clone();
    let given = checked.shared.fill(&plugin.description().config_schema, &mut settings);
    // What this machine is called says nothing of where the service will run.
    for given in given.iter().filter(|given| !given.written) {
        remove(&mut settings, &given.key);
    }
    Ok(settings)
}

/// Takes a key away: `host`, or of a composite's entry `publishers[1].host`.
fn remove(settings: &mut Value, path: &str) {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    let Some((table, key)) = pointer.rsplit_once('/') else { return };
    settings.pointer_mut(table).and_then(Value::as_object_mut).and_then(|table| table.remove(key));
}

fn same_plugin(one: &PluginSource, other: &PluginSource) -> bool {
    match (one, other) {
        (PluginSource::File(one), PluginSource::File(other)) => {
            one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_json_or_toml_by_its_name_or_its_start() {
        let same = json!({ "hosts": ["http://a:1"] });
        assert_eq!(parse(Path::new("a.json"), r#"{"hosts": ["http://a:1"]}"#).unwrap(), same);
        assert_eq!(parse(Path::new("a"), "\n {\"hosts\": [\"http://a:1\"]}").unwrap(), same);
        assert_eq!(parse(Path::new("a.toml"), "hosts = [\"http://a:1\"]").unwrap(), same);
        let told = |name: &str, text| parse(Path::new(name), text).unwrap_err().to_string();
        assert!(told("a.json", "hosts = 1").starts_with("a.json: it is not JSON: "));
        assert!(told("a.toml", "hosts = ").starts_with("a.toml: it is not TOML: "));
    }

    #[test]
    fn a_composites_settings_are_told_from_a_whole_config() {
        assert!(is_whole(&json!({ "publishers": [{ "name": "s", "plugin": "elasticsearch" }] })));
        assert!(!is_whole(&json!({ "publishers": [{ "hosts": [] }, {}] })));
        assert!(!is_whole(&json!({})));
    }

    #[test]
    fn keys_are_taken_away_at_the_top_and_in_entries() {
        let mut settings = json!({ "host": "a", "publishers": [{}, { "host": "b", "x": 1 }] });
        for path in ["host", "publishers[1].host", "publishers[7].host", "none"] {
            remove(&mut settings, path);
        }
        assert_eq!(settings, json!({ "publishers": [{}, { "x": 1 }] }));
    }
}
