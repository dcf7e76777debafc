//! From a config's JSON to a plugin's own type, with errors that name key and remedy.
//!
//! The keys are those of the plugin's JSON Schema (`properties`, nested through `items`, `oneOf` and `anyOf`), and so are
//! the words that a key may have (`enum`): schema, errors and documentation cannot differ. Types are serde's work.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::PublishError;
use crate::publisher::Publisher;

/// Reads and checks the config of a publisher.
///
/// # Errors
/// [`PublishError::Misconfigured`], which starts with the path of the key at fault.
pub fn parse<P: Publisher>(config: &str) -> Result<P::Config, PublishError> {
    let config = read::<P>(config)?;
    P::check(&config)?;
    Ok(config)
}

/// As [`parse`], without the publisher's own [`check`](Publisher::check).
///
/// # Errors
/// As [`parse`].
pub fn read<P: Publisher>(config: &str) -> Result<P::Config, PublishError> {
    from_schema(config, P::description().config_schema)
}

fn from_schema<T: DeserializeOwned>(config: &str, schema: &str) -> Result<T, PublishError> {
    let config: Value = serde_json::from_str(config)
        .map_err(|error| PublishError::Misconfigured(format!("the config is not JSON: {error}")))?;
    if !config.is_object() {
        return Err(PublishError::Misconfigured("the config is a JSON object, and this is none".to_owned()));
    }
    let schema: Value = serde_json::from_str(schema)
        .map_err(|error| PublishError::Internal(format!("the plugin's config schema is not JSON: {error}")))?;
    check_keys(&config, &schema, "")?;
    serde_path_to_error::deserialize(config).map_err(|error| {
        let path = error.path().to_string();
        match path.as_str() {
            "." => PublishError::Misconfigured(error.inner().to_string()),
            path => PublishError::misconfigured(path, error.inner()),
        }
    })
}

fn check_keys(value: &Value, schema: &Value, path: &str) -> Result<(), PublishError> {
    check_type(value, schema, path)?;
    check_word(value, schema, path)?;
    match value {
        Value::Object(entries) => check_object(entries, schema, path),
        Value::Array(items) => match schema_of_items(schema) {
            Some(of_item) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| check_keys(item, of_item, &format!("{path}[{index}]"))),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Only where the schema names one type; what is beyond that is told by serde.
fn check_type(value: &Value, schema: &Value, path: &str) -> Result<(), PublishError> {
    let (wanted, fits) = match schema.get("type").and_then(Value::as_str) {
        Some("array") => ("a list", value.is_array()),
        Some("object") => ("a table", value.is_object()),
        Some("string") => ("text", value.is_string()),
        Some("boolean") => ("true or false", value.is_boolean()),
        Some("number") => ("a number", value.is_number()),
        Some("integer") => ("a whole number", value.is_i64() || value.is_u64()),
        _ => return Ok(()),
    };
    if !fits {
        return Err(PublishError::misconfigured(path, format_args!("{wanted} is wanted, and this is {}", kind(value))));
    }
    let beyond = |bound: &str, is_beyond: fn(f64, f64) -> bool| {
        let bound = schema.get(bound)?;
        is_beyond(value.as_f64()?, bound.as_f64()?).then_some(bound)
    };
    let too_small = beyond("minimum", |value, bound| value < bound).map(|least| format!("the least is {least}"));
    let too_large = || beyond("maximum", |value, bound| value > bound).map(|most| format!("the most is {most}"));
    match too_small.or_else(too_large) {
        None => Ok(()),
        Some(bound) => Err(PublishError::misconfigured(path, format_args!("{value} is out of range, {bound}"))),
    }
}

/// Where the schema names the words that there are.
fn check_word(value: &Value, schema: &Value, path: &str) -> Result<(), PublishError> {
    let (Some(word), Some(known)) = (value.as_str(), schema.get("enum").and_then(Value::as_array)) else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
    if known.contains(&word) {
        return Ok(());
    }
    let all = known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
    let hint = nearest(word, &known).map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
    Err(PublishError::misconfigured(path, format_args!("\"{word}\" is none of {all}{hint}")))
}

/// Texts are not repeated: they may be secrets.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

fn check_object(entries: &Map<String, Value>, schema: &Value, path: &str) -> Result<(), PublishError> {
    let Some(object) = alternatives(schema).find(|schema| schema.get("properties").is_some()) else {
        return Ok(());
    };
    let known = object["properties"].as_object().into_iter().flatten();
    for (key, value) in entries {
        let path = join(path, key);
        match object["properties"].get(key) {
            Some(of_value) => check_keys(value, of_value, &path)?,
            None if object.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false)) => {}
            None => {
                return Err(PublishError::misconfigured(path, unknown_key(key, known.map(|(name, _)| name.as_str()))));
            }
        }
    }
    match object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|key| !entries.contains_key(*key))
    {
        None => Ok(()),
        Some(missing) => {
            let what = object["properties"][missing]["description"].as_str().unwrap_or_default();
            Err(PublishError::misconfigured(join(path, missing), format_args!("this key is needed. {what}")))
        }
    }
}

/// The schema itself and those of which one or any holds.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let some_of = ["oneOf", "anyOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    std::iter::once(schema).chain(some_of)
}

fn schema_of_items(schema: &Value) -> Option<&Value> {
    alternatives(schema).find_map(|schema| schema.get("items"))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    match nearest(key, &known) {
        Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
        None => format!("unknown key; the keys are {}", known.join(", ")),
    }
}

/// The one of these that was most likely meant, if it is near enough.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distances = known.iter().map(|candidate| (strsim::damerau_levenshtein(&word, candidate), *candidate));
    let (distance, candidate) = distances.min()?;
    (distance <= candidate.len().div_ceil(3)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{PublishError, from_schema};

    const SCHEMA: &str = r#"{
        "type": "object",
        "required": ["hosts"],
        "properties": {
            "hosts": { "type": "array", "items": { "type": "string" }, "description": "Where it is." },
            "index_prefix": { "type": "string" },
            "port": { "type": "integer" },
            "limit": { "type": "integer", "minimum": 1 },
            "layout": { "type": "string", "enum": ["data_streams", "daily"] },
            "signals": { "type": "array", "items": { "type": "string", "enum": ["metrics", "logs"] } },
            "streams": { "oneOf": [
                { "type": "boolean" },
                { "type": "object", "properties": { "dataset": { "type": "string" } } }
            ] },
            "labels": { "type": "object", "properties": {}, "additionalProperties": { "type": "string" } }
        }
    }"#;

    #[derive(Debug, Deserialize)]
    struct Config {
        hosts: Vec<String>,
        #[serde(default)]
        port: u16,
    }

    fn fault(config: &str) -> String {
        match from_schema::<Config>(config, SCHEMA) {
            Err(PublishError::Misconfigured(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_good_config_is_read() {
        let config: Config =
            from_schema(r#"{"hosts": ["a"], "port": 9, "labels": {"any": "x"}, "streams": {"dataset": "d"}}"#, SCHEMA)
                .unwrap();
        assert_eq!((config.hosts, config.port), (vec!["a".to_owned()], 9));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_or_all() {
        assert_eq!(
            fault(r#"{"hosts": [], "index_prefx": "a"}"#),
            "index_prefx: unknown key; did you mean `index_prefix`?"
        );
        assert_eq!(
            fault(r#"{"hosts": [], "zzz": 1}"#),
            "zzz: unknown key; the keys are hosts, index_prefix, labels, layout, limit, port, signals, streams"
        );
        assert_eq!(
            fault(r#"{"hosts": [], "streams": {"datset": "a"}}"#),
            "streams.datset: unknown key; did you mean `dataset`?"
        );
    }

    #[test]
    fn a_word_that_is_none_of_those_names_the_nearest() {
        for (config, expected) in [
            (
                r#"{"hosts": [], "layout": "Data-Stream"}"#,
                r#"layout: "Data-Stream" is none of "data_streams" or "daily"; did you mean `data_streams`?"#,
            ),
            (r#"{"hosts": [], "layout": "weekly"}"#, r#"layout: "weekly" is none of "data_streams" or "daily""#),
            (
                r#"{"hosts": [], "signals": ["metrics", "log"]}"#,
                r#"signals[1]: "log" is none of "metrics" or "logs"; did you mean `logs`?"#,
            ),
            (r#"{"hosts": [], "layout": 1}"#, "layout: text is wanted, and this is a number"),
        ] {
            assert_eq!(fault(config), expected);
        }
        assert!(from_schema::<Config>(r#"{"hosts": [], "layout": "daily", "signals": ["logs"]}"#, SCHEMA).is_ok());
    }

    #[test]
    fn a_missing_key_says_what_it_is_for() {
        assert_eq!(fault("{}"), "hosts: this key is needed. Where it is.");
    }

    #[test]
    fn a_wrong_type_names_the_place() {
        assert_eq!(fault(r#"{"hosts": "a"}"#), "hosts: a list is wanted, and this is text");
        assert_eq!(fault(r#"{"hosts": ["a", 7]}"#), "hosts[1]: text is wanted, and this is a number");
        assert_eq!(fault(r#"{"hosts": [], "limit": 0}"#), "limit: 0 is out of range, the least is 1");
        assert_eq!(
            fault(r#"{"hosts": [], "limit": 1.5}"#),
            "limit: a whole number is wanted, and this is a number with a fraction"
        );
        assert_eq!(fault(r#"{"hosts": [], "port": 70000}"#), "port: invalid value: integer `70000`, expected u16");
        assert_eq!(fault("[]"), "the config is a JSON object, and this is none");
        assert!(fault("{").starts_with("the config is not JSON: "));
    }
}
