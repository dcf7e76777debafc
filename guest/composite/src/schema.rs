//! The description of a composite, made of those of its legs.

use serde_json::{Value, json};

use crate::part::{LEGS, PUBLISHERS, Part};
use crate::types::{Attribute, Description};

/// What a composite of these two says that it is.
pub fn description(first: &Description, second: &Description) -> Description {
    let parts = Part::both(first, second);
    let names: Vec<&str> = parts.iter().flat_map(|part| part.names().iter().map(String::as_str)).collect();
    Description {
        name: "composite".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_schema: schema(&parts, [first, second], &names).to_string(),
        extra: vec![Attribute { key: LEGS.to_owned(), value: names.join(",") }],
    }
}

fn schema(parts: &[Part; 2], descriptions: [&Description; 2], names: &[&str]) -> Value {
    let entries: Vec<Value> = parts.iter().zip(descriptions).flat_map(|(part, one)| entries(part, one)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "composite",
        "description": format!("Gives every record to {}.", names.join(" and ")),
        "type": "object",
        "additionalProperties": false,
        "required": [PUBLISHERS],
        "properties": { PUBLISHERS: {
            "description": format!("The config of each plugin, in this order: {}.", names.join(", ")),
            "type": "array",
            "minItems": names.len(),
            "maxItems": names.len(),
            "prefixItems": entries,
            "items": false,
        }},
    })
}

/// The schemas of a leg's entries.
fn entries(part: &Part, description: &Description) -> Vec<Value> {
    let schema: Value = serde_json::from_str(&description.config_schema).unwrap_or_else(|_| json!({}));
    let own = if part.is_composite() {
        schema["properties"][PUBLISHERS]["prefixItems"].as_array().cloned().unwrap_or_default()
    } else {
        vec![schema]
    };
    let count = part.names().len();
    let mut entries: Vec<Value> = own.into_iter().chain(std::iter::repeat_with(|| json!({}))).take(count).collect();
    for (index, entry) in entries.iter_mut().enumerate() {
        let before = if part.is_composite() { place(index) } else { String::new() };
        move_references(entry, &before, &place(part.at() + index));
    }
    entries
}

fn place(index: usize) -> String {
    format!("/properties/{PUBLISHERS}/prefixItems/{index}")
}

/// References into a schema go on leading into it at its new place.
fn move_references(schema: &mut Value, from: &str, to: &str) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match member {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(rest) = reference.strip_prefix('#').and_then(|path| path.strip_prefix(from)) {
                            *reference = format!("#{to}{rest}");
                        }
                    }
                    member => move_references(member, from, to),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                move_references(item, from, to);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted;

    #[test]
    fn composites_nest_into_one_flat_list_whose_references_still_lead_somewhere() {
        let leaf = |name: &str| {
            let schema = json!({
                "$defs": { "address": { "type": "string", "format": "uri", "title": name } },
                "properties": { "host": { "$ref": "#/$defs/address" } },
            });
            Description { config_schema: schema.to_string(), ..scripted::description(name, None) }
        };
        let inner = description(&leaf("b"), &leaf("c"));
        let whole = description(&leaf("a"), &inner);
        assert_eq!(whole.extra, [Attribute { key: "legs".into(), value: "a,b,c".into() }]);
        let schema: Value = serde_json::from_str(&whole.config_schema).unwrap();
        let entries = schema["properties"]["publishers"]["prefixItems"].as_array().unwrap();
        let titles = entries.iter().map(|entry| {
            let reference = entry["properties"]["host"]["$ref"].as_str().unwrap();
            schema.pointer(&reference[1..]).unwrap()["title"].as_str().unwrap()
        });
        assert_eq!(titles.collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_leg_whose_schema_is_no_json_still_has_its_place() {
        let broken = Description { config_schema: "{".into(), ..scripted::description("a", None) };
        let whole = description(&broken, &scripted::description("b", None));
        let schema: Value = serde_json::from_str(&whole.config_schema).unwrap();
        assert_eq!(schema["properties"]["publishers"]["prefixItems"].as_array().map(Vec::len), Some(2));
    }
}
