//! Publishers that are opened more than once: a plugin may say that one opening does one of the things that a list of
//! its settings names (`split-by` in the contract's `description.extra`). Each thing becomes a publisher of its own, with
//! its own delivery: the metrics and the logs of one Grafana Cloud stack keep no record back for each other.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::Publisher;
use crate::plugin::Description;

/// What a description calls the settings' key.
pub(crate) const SPLIT_BY: &str = "split-by";

/// Whether a publisher's settings have a list in them that its plugin might ask to be split.
pub(super) fn has_list(publisher: &Publisher) -> bool {
    publisher.config.as_object().is_some_and(|settings| settings.values().any(|value| texts(value).len() > 1))
}

/// The publishers that a publisher becomes, called `NAME/TEXT`; none where it stays one. A list with a text twice is the
/// plugin's to refuse.
pub(super) fn parts(description: &Description, publisher: &Publisher) -> Vec<Publisher> {
    let Some((_, key)) = description.extra.iter().find(|(name, _)| name == SPLIT_BY) else { return Vec::new() };
    let texts = publisher.config.get(key).map(texts).unwrap_or_default();
    if texts.len() < 2 || texts.iter().collect::<BTreeSet<_>>().len() < texts.len() {
        return Vec::new();
    }
    let part = |text: &&str| {
        let mut part = publisher.clone();
        part.name = format!("{}/{text}", publisher.name);
        part.config[key.as_str()] = Value::from(vec![*text]);
        part
    };
    texts.iter().map(part).collect()
}

/// The texts of a list of nothing else.
fn texts(value: &Value) -> Vec<&str> {
    let texts: Option<Vec<_>> = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    texts.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config;

    fn publisher(settings: Value) -> Publisher {
        let mut publisher = config::built_in().publishers.remove(0);
        "cloud".clone_into(&mut publisher.name);
        publisher.config = settings;
        publisher
    }

    fn described(extra: &[(&str, &str)]) -> Description {
        Description {
            name: "grafana-cloud".to_owned(),
            version: "1.0.0".to_owned(),
            config_schema: json!({}),
            extra: extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn each_text_of_the_list_is_a_publisher_of_its_own() {
        let both = publisher(json!({ "signals": ["metrics", "logs"], "org_slug": "acme" }));
        let parts = parts(&described(&[("other", "x"), ("split-by", "signals")]), &both);
        let told: Vec<_> = parts.iter().map(|part| (part.name.as_str(), &part.config)).collect();
        assert_eq!(
            told,
            [
                ("cloud/metrics", &json!({ "signals": ["metrics"], "org_slug": "acme" })),
                ("cloud/logs", &json!({ "signals": ["logs"], "org_slug": "acme" })),
            ]
        );
        assert!(has_list(&both));
    }

    #[test]
    fn what_is_one_stays_one() {
        let signals = described(&[("split-by", "signals")]);
        for settings in [
            json!({}),
            json!({ "signals": ["metrics"] }),
            json!({ "signals": "metrics" }),
            json!({ "signals": ["metrics", "metrics"] }),
            json!({ "signals": ["metrics", 1] }),
            json!({ "hosts": ["http://a", "http://b"] }),
        ] {
            assert!(parts(&signals, &publisher(settings.clone())).is_empty(), "{settings}");
        }
        assert!(parts(&described(&[]), &publisher(json!({ "signals": ["metrics", "logs"] }))).is_empty());
    }
}
