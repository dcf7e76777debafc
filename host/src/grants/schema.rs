//! Which values of a config a JSON Schema marks with `format: uri`.
//!
//! Only as much of JSON Schema as it takes to find them. The schema is a stranger's text: the walk goes no deeper than
//! the config, follows references inside the schema only, and stops after a bounded number of steps.

use serde_json::Value;

/// Subschemas that are looked at for one config.
const MAX_STEPS: usize = 10_000;
/// References and alternatives in a row that lead to no deeper value of the config.
const MAX_HOPS: usize = 16;

/// The marked values, each with the path of its key.
pub(super) fn uris<'a>(schema: &'a Value, config: &'a Value) -> Vec<(String, &'a str)> {
    let mut walk = Walk { root: schema, steps: 0, found: Vec::new() };
    walk.look(schema, config, &mut String::new(), 0);
    walk.found.sort();
    walk.found.dedup();
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    steps: usize,
    found: Vec<(String, &'a str)>,
}

impl<'a> Walk<'a> {
    fn look(&mut self, schema: &'a Value, value: &'a Value, path: &mut String, hops: usize) {
        self.steps += 1;
        if self.steps > MAX_STEPS || hops > MAX_HOPS {
            return;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|reference| self.target(reference)) {
            self.look(target, value, path, hops + 1);
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for schema in schema[alternatives].as_array().into_iter().flatten() {
                self.look(schema, value, path, hops + 1);
            }
        }
        match value {
            Value::String(text) if schema["format"] == "uri" => self.found.push((path.clone(), text)),
            Value::Array(items) => self.items(schema, items, path),
            Value::Object(members) => self.members(schema, members, path),
            _ => {}
        }
    }

    fn items(&mut self, schema: &'a Value, items: &'a [Value], path: &mut String) {
        let tuple = schema["prefixItems"].as_array().map_or(&[][..], Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            let schema = tuple.get(index).unwrap_or(&schema["items"]);
            self.below(schema, item, path, &format!("[{index}]"));
        }
    }

    fn members(&mut self, schema: &'a Value, members: &'a serde_json::Map<String, Value>, path: &mut String) {
        for (key, member) in members {
            let own = &schema["properties"][key];
            let schema = if own.is_null() { &schema["additionalProperties"] } else { own };
            let step = if path.is_empty() { key.clone() } else { format!(".{key}") };
            self.below(schema, member, path, &step);
        }
    }

    fn below(&mut self, schema: &'a Value, value: &'a Value, path: &mut String, step: &str) {
        if schema.is_object() {
            let length = path.len();
            path.push_str(step);
            self.look(schema, value, path, 0);
            path.truncate(length);
        }
    }

    fn target(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_in_which_schemas_nest_is_followed() {
        let uri = json!({ "type": "string", "format": "uri" });
        let schema = json!({
            "$defs": { "address": uri },
            "properties": {
                "direct": uri,
                "by_reference": { "$ref": "#/$defs/address" },
                "list": { "items": { "$ref": "#/$defs/address" } },
                "pair": { "prefixItems": [{}, uri] },
                "maybe": { "anyOf": [{ "type": "null" }, uri] },
                "deep": { "type": "object", "properties": { "er": { "allOf": [uri] } } },
                "free": { "additionalProperties": uri },
            },
        });
        let config = json!({
            "direct": "a", "by_reference": "b", "list": ["c", "d"], "pair": ["no", "e"], "maybe": "f",
            "deep": { "er": "g" }, "free": { "x": "h", "n": 1 }, "unknown": "no",
        });
        let found = uris(&schema, &config);
        let expected = [
            ("by_reference", "b"),
            ("deep.er", "g"),
            ("direct", "a"),
            ("free.x", "h"),
            ("list[0]", "c"),
            ("list[1]", "d"),
            ("maybe", "f"),
            ("pair[1]", "e"),
        ];
        assert_eq!(found, expected.map(|(path, text)| (path.to_owned(), text)));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "oneOf": [{ "$ref": "#" }, { "$ref": "#" }, { "$ref": "#" }], "format": "uri" });
        assert_eq!(uris(&schema, &json!("http://a")), [(String::new(), "http://a")]);
    }
}
