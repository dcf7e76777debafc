//! A plugin's JSON Schema as settings that a person reads.
//!
//! Only as much of JSON Schema as plugins' settings take. The schema may be a stranger's: depth and number are bounded.

use std::fmt;

use serde_json::Value;

const MAX_DEPTH: usize = 8;
const MAX_SETTINGS: usize = 500;
/// Subschemas that are looked at to tell the kinds of all settings.
const MAX_STEPS: usize = 10_000;
/// Items of a default that are shown.
const SHOWN_ITEMS: usize = 3;
const WIDTH: usize = 92;

/// All settings of a plugin; shown as a list.
#[derive(Debug)]
pub(super) struct Settings(Vec<Setting>);

#[derive(Debug, PartialEq, Eq)]
struct Setting {
    /// `buckets.events`
    key: String,
    /// `list of numbers`
    kind: String,
    default: Option<String>,
    required: bool,
    about: String,
}

impl Settings {
    pub(super) fn of(schema: &Value) -> Self {
        let mut walk = Walk { root: schema, found: Vec::new(), steps: 0 };
        walk.table(schema, "", MAX_DEPTH);
        Self(walk.found)
    }
}

struct Walk<'a> {
    root: &'a Value,
    found: Vec<Setting>,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn table(&mut self, schema: &'a Value, path: &str, depth: usize) {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, stated) in schema["properties"].as_object().into_iter().flatten() {
            if self.found.len() == MAX_SETTINGS || depth == 0 {
                return;
            }
            let setting = self.resolve(stated);
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if setting["properties"].is_object() {
                self.table(setting, &path, depth - 1);
                continue;
            }
            let told = |name| stated.get(name).or_else(|| setting.get(name));
            let kind = self.kind(stated, MAX_DEPTH);
            self.found.push(Setting {
                kind,
                default: told("default").filter(|default| !default.is_null()).map(short),
                required: required.contains(&key.as_str()),
                about: told("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
                key: path,
            });
        }
    }

    /// What `$ref` points at within the schema, a few steps deep.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
            let Some(target) = pointer.and_then(|pointer| self.root.pointer(pointer)) else { break };
            schema = target;
        }
        schema
    }

    fn kind(&mut self, schema: &'a Value, depth: usize) -> String {
        let schema = self.resolve(schema);
        self.steps += 1;
        if depth == 0 || self.steps > MAX_STEPS {
            return "…".to_owned();
        }
        for alternatives in ["oneOf", "anyOf"] {
            if let Some(all) = schema[alternatives].as_array() {
                return joined(all.iter().map(|one| self.kind(one, depth - 1)), " or ");
            }
        }
        if let Some(words) = schema["enum"].as_array() {
            return joined(words.iter().map(Value::to_string), " or ");
        }
        match schema["type"].as_str() {
            Some("integer") => format!("whole number{}", range(schema)),
            Some("number") => format!("number{}", range(schema)),
            Some("boolean") => "true or false".to_owned(),
            Some("string") if schema["format"] == "uri" => "address, as https://host:port".to_owned(),
            Some("string") => "text".to_owned(),
            Some("array") => format!("list of: {}", self.kind(&schema["items"], depth - 1)),
            Some("object") => self.object(schema, depth),
            _ => "any value".to_owned(),
        }
    }

    /// A small table such as `{ secret }`, or one whose keys are the user's.
    fn object(&mut self, schema: &'a Value, depth: usize) -> String {
        if let Some(members) = schema["properties"].as_object() {
            return format!("{{ {} }}", joined(members.keys().cloned(), ", "));
        }
        match &schema["additionalProperties"] {
            of @ Value::Object(_) => format!("table of: {}", self.kind(of, depth - 1)),
            _ => "table".to_owned(),
        }
    }
}

fn joined(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

fn range(schema: &Value) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, Value::Null) => String::new(),
        (least, Value::Null) => format!(", {least} or more"),
        (Value::Null, most) => format!(", up to {most}"),
        (least, most) => format!(", {least} to {most}"),
    }
}

fn short(default: &Value) -> String {
    match default.as_array() {
        Some(items) if items.len() > SHOWN_ITEMS => {
            let first = joined(items.iter().take(SHOWN_ITEMS).map(Value::to_string), ", ");
            format!("[{first}, … {} in all]", items.len())
        }
        _ => default.to_string(),
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "  none");
        }
        let width = self.0.iter().map(|setting| setting.key.chars().count()).max().unwrap_or(0);
        for Setting { key, kind, default, required, about } in &self.0 {
            let note = match default {
                Some(default) => format!("; default {default}"),
                None if *required => "; required".to_owned(),
                None => String::new(),
            };
            writeln!(f, "  {key:<width$}  {kind}{note}")?;
            for line in wrapped(about, WIDTH) {
                writeln!(f, "      {line}")?;
            }
        }
        Ok(())
    }
}

/// Text in lines of at most `width` characters, where its words allow.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_told_with_kind_default_and_sense() {
        let schema = json!({
            "required": ["hosts"],
            "$defs": { "secret": { "type": "object", "properties": { "secret": { "type": "string" } } } },
            "properties": {
                "hosts": { "type": "array", "items": { "type": "string", "format": "uri" }, "description": "Where." },
                "port": { "type": "integer", "minimum": 0, "maximum": 9, "default": 7 },
                "kind": { "enum": ["a", "b"], "default": "a" },
                "key": { "oneOf": [{ "type": "string" }, { "$ref": "#/$defs/secret" }] },
                "buckets": { "type": "object", "properties": {
                    "events": { "type": "array", "items": { "type": "number" }, "default": [1, 2, 3, 4] },
                }},
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            },
        });
        let wanted = "  buckets.events  list of: number; default [1, 2, 3, … 4 in all]
  hosts           list of: address, as https://host:port; required
      Where.
  key             text or { secret }
  kind            \"a\" or \"b\"; default \"a\"
  labels          table of: text
  port            whole number, 0 to 9; default 7
";
        assert_eq!(Settings::of(&schema).to_string(), wanted);
    }

    #[test]
    fn a_schema_that_points_at_itself_comes_to_an_end() {
        let schema = json!({
            "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#/properties/b" }, "c": { "oneOf": [{ "$ref": "#/properties/c" }] } },
        });
        assert!(!Settings::of(&schema).to_string().is_empty());
        let wide = json!({ "properties": { "a": { "oneOf": vec![json!({ "$ref": "#/properties/a" }); 50] } } });
        assert!(Settings::of(&wide).to_string().len() < 1 << 20);
        assert_eq!(Settings::of(&json!("no schema")).to_string(), "  none\n");
    }

    #[test]
    fn text_is_wrapped_between_words() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
        assert!(wrapped("", 3).is_empty());
    }
}
