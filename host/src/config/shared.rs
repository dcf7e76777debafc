//! `[defaults]`: settings that each publisher is given whose plugin has a setting of that name.
//!
//! A plugin's schema says what it takes, so this happens once the plugin is loaded. A publisher's own setting wins;
//! `labels` are merged name by name. What the user did not write has a value only where this machine knows one: `host`
//! and `instance`. `service` has none on purpose: an invented name would stand in every document and every series.

use std::path::Path;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::places::Places;

/// References and alternatives that are followed to tell what a setting takes.
const MAX_HOPS: usize = 16;
/// The key of a composite's settings that has those of its plugins.
const ENTRIES: &str = "publishers";
/// Bytes of the digest in an instance's name: eight hexadecimal digits.
const SHORT: usize = 4;

/// What `[defaults]` and this machine have to give.
#[derive(Debug, Clone, Default)]
pub struct SharedSettings {
    values: Map<String, Value>,
    /// Of those in the file, paths from the top of `[defaults]`.
    places: Places,
}

/// One setting that a publisher was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// `service`, `labels.team`.
    pub key: String,
    /// The value.
    pub value: String,
    /// Whether the file says it; else this machine does.
    pub written: bool,
}

impl SharedSettings {
    /// `values` are those of the file: texts, and one table of texts (`labels`).
    pub(super) fn new(mut values: Map<String, Value>, places: Places, instance: String, host: String) -> Self {
        values.entry("instance").or_insert(Value::String(instance));
        values.entry("host").or_insert(Value::String(host));
        Self { values, places }
    }

    /// Puts into a publisher's settings what its plugin takes and they do not say, and tells what that was. The entries of
    /// a composite get what the plugin of each takes.
    pub fn fill(&self, schema: &Value, settings: &mut Value) -> Vec<Given> {
        let mut given = Vec::new();
        self.fill_table(schema, schema, "", settings, &mut given);
        let entries = schema["properties"][ENTRIES]["prefixItems"].as_array().into_iter().flatten();
        let own = settings.get_mut(ENTRIES).and_then(Value::as_array_mut).into_iter().flatten();
        for (index, (schema_of, entry)) in entries.zip(own).enumerate() {
            self.fill_table(schema, schema_of, &format!("{ENTRIES}[{index}]."), entry, &mut given);
        }
        given
    }

    fn fill_table(&self, root: &Value, schema: &Value, above: &str, settings: &mut Value, given: &mut Vec<Given>) {
        let Some(settings) = settings.as_object_mut() else { return };
        for (key, value) in &self.values {
            let takes = &schema["properties"][key];
            let mut give = |path: &str, key: &str, value: &Value, into: &mut Map<String, Value>| {
                self.give(above, path, (key, value), into, given);
            };
            match value {
                Value::Object(texts) if takes_texts(root, takes) => {
                    let own = settings.entry(key).or_insert_with(|| Value::Object(Map::new()));
                    let Some(own) = own.as_object_mut() else { continue };
                    for (name, text) in texts.iter().filter(|(name, _)| !name.is_empty()) {
                        give(&format!("{key}.{name}"), name, text, own);
                    }
                }
                Value::String(_) if takes_text(root, takes, 0) => give(key, key, value, settings),
                _ => {}
            }
        }
    }

    /// Puts in what is at `path` of `[defaults]`, for settings that stand below `above`.
    fn give(
        &self,
        above: &str,
        path: &str,
        (key, value): (&str, &Value),
        into: &mut Map<String, Value>,
        given: &mut Vec<Given>,
    ) {
        if into.contains_key(key) {
            return;
        }
        into.insert(key.to_owned(), value.clone());
        let text = value.as_str().unwrap_or_default().to_owned();
        given.push(Given { key: format!("{above}{path}"), value: text, written: self.places.has(path) });
    }

    /// The keys that the file has: `service`, `labels`.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|key| self.places.has(key))
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }
}

/// The name of this machine.
pub(super) fn host() -> String {
    let name = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// What tells this metricast from others, the same at every start: the machine's name and a short digest of where its
/// config lies.
pub(super) fn instance(host: &str, config: Option<&Path>) -> String {
    let place = config.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let digest = match &place {
        Some(path) => Sha256::digest(path.as_os_str().as_encoded_bytes()),
        None => Sha256::digest(b"the built-in config"),
    };
    let short = digest.iter().take(SHORT).fold(0_u32, |short, byte| short << 8 | u32::from(*byte));
    format!("{host}-{short:08x}")
}

/// Whether a schema within `root` takes a text.
fn takes_text(root: &Value, schema: &Value, hops: usize) -> bool {
    any(root, schema, hops, &|schema, hops| match &schema["type"] {
        Value::String(kind) => kind == "string",
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "string"),
        _ => hops == 0 && schema.as_object().is_some_and(|schema| !schema.keys().any(|key| is_branch(key))),
    })
}

/// Whether it takes a table of texts, whatever their names.
fn takes_texts(root: &Value, schema: &Value) -> bool {
    any(root, schema, 0, &|schema, _| takes_text(root, &schema["additionalProperties"], 0))
}

fn any(root: &Value, schema: &Value, hops: usize, fits: &dyn Fn(&Value, usize) -> bool) -> bool {
    if hops > MAX_HOPS || !schema.is_object() {
        return false;
    }
    let target = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    let branches = ["oneOf", "anyOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten());
    fits(schema, hops) || branches.chain(target).any(|schema| any(root, schema, hops + 1, fits))
}

fn is_branch(key: &str) -> bool {
    ["$ref", "oneOf", "anyOf", "allOf", "enum", "const"].contains(&key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shared(values: &Value) -> SharedSettings {
        let values = values.as_object().unwrap().clone();
        SharedSettings::new(values, Places::default(), "web-1-01234567".to_owned(), "web-1".to_owned())
    }

    fn filled(schema: &Value, own: &Value) -> (Value, Vec<String>) {
        let shared = shared(&json!({ "service": "shop", "labels": { "team": "a", "zone": "b" } }));
        let mut settings = own.clone();
        let given = shared.fill(schema, &mut settings);
        (settings, given.into_iter().map(|given| given.key).collect())
    }

    #[test]
    fn a_plugin_gets_what_its_schema_has_and_its_settings_lack() {
        let text = json!({ "type": "string" });
        let schema = json!({ "properties": { "service": text, "host": text, "port": { "type": "integer" } } });
        let (settings, given) = filled(&schema, &json!({ "port": 1 }));
        assert_eq!(settings, json!({ "port": 1, "service": "shop", "host": "web-1" }));
        assert_eq!(given, ["host", "service"]);
        let (settings, given) = filled(&schema, &json!({ "service": "own", "host": { "secret": "env:H" } }));
        assert_eq!((settings["service"].as_str(), given), (Some("own"), Vec::<String>::new()));
    }

    #[test]
    fn the_entries_of_a_composite_get_what_the_plugin_of_each_takes() {
        let text = json!({ "type": "string" });
        let entries = json!([{ "properties": { "service": text } }, { "properties": { "host": text } }]);
        let schema = json!({ "properties": { "publishers": { "type": "array", "prefixItems": entries } } });
        let (settings, given) = filled(&schema, &json!({ "publishers": [{}, { "x": 1 }] }));
        assert_eq!(settings, json!({ "publishers": [{ "service": "shop" }, { "host": "web-1", "x": 1 }] }));
        assert_eq!(given, ["publishers[0].service", "publishers[1].host"]);
        assert_eq!(filled(&schema, &json!({ "publishers": 7 })).0, json!({ "publishers": 7 }));
    }

    #[test]
    fn labels_are_merged_name_by_name_and_own_ones_win() {
        let schema =
            json!({ "properties": { "labels": { "type": "object", "additionalProperties": { "type": "string" } } } });
        let (settings, given) = filled(&schema, &json!({ "labels": { "team": "own" } }));
        assert_eq!(settings, json!({ "labels": { "team": "own", "zone": "b" } }));
        assert_eq!(given, ["labels.zone"]);
        assert_eq!(filled(&schema, &json!({ "labels": 7 })).0, json!({ "labels": 7 }), "the plugin tells of that");
    }

    #[test]
    fn settings_of_another_kind_with_the_same_name_are_left_alone() {
        let table = json!({ "type": "object", "properties": { "attribute": { "type": "string" } } });
        let schema = json!({ "properties": {
            "labels": { "type": "object", "additionalProperties": table },
            "service": { "type": "integer" },
        }});
        assert_eq!(filled(&schema, &json!({})), (json!({}), Vec::new()));
    }

    #[test]
    fn references_and_alternatives_are_followed_and_come_to_an_end() {
        let schema = json!({
            "$defs": { "name": { "type": ["string", "null"] }, "loop": { "$ref": "#/$defs/loop" } },
            "properties": {
                "service": { "oneOf": [{ "type": "integer" }, { "$ref": "#/$defs/name" }] },
                "host": { "$ref": "#/$defs/loop" },
                "instance": {},
            },
        });
        assert_eq!(filled(&schema, &json!({})).1, ["instance", "service"]);
    }

    #[test]
    fn an_instance_is_told_from_another_by_where_its_config_lies() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("a.toml"), folder.path().join("b.toml"));
        std::fs::write(&one, "").unwrap();
        let roundabout = folder.path().join(".").join("a.toml");
        assert_eq!(instance("web-1", Some(&one)), instance("web-1", Some(&roundabout)));
        assert_ne!(instance("web-1", Some(&one)), instance("web-1", Some(&other)));
        assert_eq!(instance("web-1", None), "web-1-".to_owned() + &instance("", None)[1..]);
        assert_eq!(instance("web-1", None).len(), "web-1-".len() + 2 * SHORT);
    }
}
