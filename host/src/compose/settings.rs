//! The config that goes into a service: a plugin's own settings, from a file of them or out of a whole metricast config.
//!
//! Another host knows no secrets: a `{ secret = "..." }` would reach the plugin as a table that it cannot use, so it is
//! an error here that says what to do. Secrets that are written out go in, and are named, for they are readable in the
//! component.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{self, ConfigError};
use crate::egress::Secrets;
use crate::plugin::{Plugin, PluginSource};

/// What names a publisher of a whole metricast config, and no plugin's settings.
const PLUGIN: &str = "plugin";
/// Keys that hold what nobody else may know.
const SECRET_KEYS: &[&str] = &["api_key", "authorization", "basic", "bearer", "password", "secret", "token"];

/// A config that can go into a component.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// The plugin's settings, JSON text.
    pub text: String,
    /// The paths of keys whose values nobody else may know.
    pub secrets: Vec<String>,
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
    /// Secrets that another host cannot have.
    #[error(
        "{}: {key} is a reference to a secret ({reference}), and other hosts know none: write the value itself (whoever has the component can read it then), or leave --config out and give the whole config, as JSON, in the environment variable METRICAST_CONFIG of the host",
        path.display()
    )]
    Secret {
        /// The file.
        path: PathBuf,
        /// The path of the key.
        key: String,
        /// `env:NAME` or `file:PATH`.
        reference: String,
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
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut settings = parse(path, &text)?;
        if is_whole(&settings) {
            settings = out_of_whole(path, plugin, source)?;
        }
        if let Some((key, reference)) = Secrets::references(&settings).next() {
            return Err(SettingsError::Secret { path: path.to_owned(), key, reference });
        }
        let mut secrets = Vec::new();
        find_secrets(&settings, "", &mut secrets);
        Ok(Self { text: settings.to_string(), secrets })
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
        settings.as_object_mut().and_then(|settings| settings.remove(&given.key));
    }
    Ok(settings)
}

fn same_plugin(one: &PluginSource, other: &PluginSource) -> bool {
    match (one, other) {
        (PluginSource::File(one), PluginSource::File(other)) => {
            one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
        }
        _ => one == other,
    }
}

fn find_secrets(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if SECRET_KEYS.contains(&key.as_str()) && member.is_string() {
                    found.push(path);
                } else {
                    find_secrets(member, &path, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_secrets(item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
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
    fn written_secrets_are_found_at_any_depth() {
        let mut found = Vec::new();
        find_secrets(
            &json!({ "publishers": [{ "api_key": "x" }, { "tls": { "password": "y", "ca": "z" } }] }),
            "",
            &mut found,
        );
        assert_eq!(found, ["publishers[0].api_key", "publishers[1].tls.password"]);
    }
}
