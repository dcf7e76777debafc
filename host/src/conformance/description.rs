//! What a plugin says of itself, and of a record.

use metricast_records::{Metrics, dictionary, input};
use semver::Version;
use serde_json::Value;

use super::report::{Amiss, Judged, broken};
use super::samples;
use super::subject::Subject;
use crate::pipeline::SPLIT_BY;
use crate::plugin::Description;

pub(super) async fn description(subject: &Subject) -> Judged {
    let told = subject.plugin.description();
    check_version(&told.version)?;
    check_schema(&told.config_schema)?;
    check_split(told)?;
    let again = subject.plugin.describe_again(&subject.limits).await?;
    check_same(told, &again)
}

fn check_version(version: &str) -> Judged {
    match Version::parse(version) {
        Ok(_) => Ok(()),
        Err(error) => broken(format!("its version {version:?} is no semantic version, such as 1.2.3: {error}")),
    }
}

/// A host reads the list of a key that is named so.
fn check_split(told: &Description) -> Judged {
    let Some((_, key)) = told.extra.iter().find(|(name, _)| name == SPLIT_BY) else { return Ok(()) };
    if told.config_schema["properties"][key.as_str()]["type"] == "array" {
        return Ok(());
    }
    broken(format!("{SPLIT_BY} names {key:?}, which is no key of its schema with a list"))
}

fn check_schema(schema: &Value) -> Judged {
    if schema["type"] != "object" {
        return broken("its schema does not say \"type\": \"object\"");
    }
    let Some(properties) = schema["properties"].as_object() else {
        return broken("its schema has no \"properties\", not even empty ones");
    };
    let is_described = |property: &Value| property["description"].as_str().is_some_and(|text| !text.trim().is_empty());
    match properties.iter().find(|(_, property)| !is_described(property)) {
        Some((key, _)) => broken(format!("its schema does not say what the key {key:?} is: give it a \"description\"")),
        None => Ok(()),
    }
}

fn check_same(told: &Description, again: &Description) -> Judged {
    if told == again { Ok(()) } else { broken("it described itself otherwise the second time") }
}

pub(super) async fn dictionary(subject: &Subject) -> Judged {
    for record in samples::usual().iter().chain(&samples::hostile()).chain(&samples::extreme()) {
        let text = subject.plugin.format_metrics(record.clone(), &subject.limits).await?;
        compare(record, &text)?;
    }
    Ok(())
}

fn compare(record: &Metrics, text: &str) -> Judged {
    let shortened = |text: &str| text.chars().take(200).collect::<String>();
    let standard = dictionary::to_string(&record.as_ref());
    let parse = |text: &str| serde_json::from_str::<Value>(text);
    let told = match parse(text) {
        Ok(told) => told,
        Err(error) => return broken(format!("it is no JSON: {error}: {}", shortened(text))),
    };
    let wanted = parse(&standard).map_err(|error| Amiss::NotJudged(error.to_string()))?;
    if told != wanted {
        return broken(format!("it says {}, where the standard is {}", shortened(text), shortened(&standard)));
    }
    // What is no valid input would be no standard dictionary either; a record that input refuses is not judged by it.
    match (input::parse_line(standard.as_bytes()), input::parse_line(text.as_bytes())) {
        (Ok(_), Err(refused)) => broken(format!("it is not valid input: {refused}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn versions_have_three_numbers() {
        for good in ["0.1.0", "1.20.3-rc.1", "1.0.0+build"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for bad in ["1.0", "v1.0.0", "1.0.0.0", "1.x.0", "01.0.0", "1.0.0-", "1.0.0-a..b", ""] {
            assert!(check_version(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schema_says_what_each_key_is() {
        assert!(check_schema(&json!({ "type": "object", "properties": {} })).is_ok());
        let described = json!({ "type": "object", "properties": { "url": { "description": "Where to." } } });
        assert!(check_schema(&described).is_ok());
        for bad in [
            json!({ "properties": {} }),
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": { "url": { "type": "string" } } }),
        ] {
            assert!(check_schema(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_dictionary_is_compared_as_json() {
        let record = &samples::usual()[0];
        let standard = dictionary::to_string(&record.as_ref());
        assert!(compare(record, &standard).is_ok());
        let spaced = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&standard).unwrap()).unwrap();
        assert!(compare(record, &spaced.replace('\n', " ")).is_ok());
        assert!(compare(record, &standard.replace("0.25", "0.26")).is_err());
        assert!(compare(record, "{").is_err());
    }
}
