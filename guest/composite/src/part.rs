//! A leg's part of the config, and how what it says is told as the composite's.
//!
//! The config is one flat list, `{"publishers": [{...}, {...}]}`, whatever the nesting: a leg that is a composite itself
//! takes as many entries as it has plugins, which it says in its description (`legs`, their names in order). What a leg
//! says about its own config or records is told with its place in that list: `publishers[1].hosts[0]: ...` of a key,
//! `publishers[1] (elasticsearch): ...` of anything else.

use serde_json::Value;

use crate::types::{Description, PublishError};

/// The one key of the config, and of the description's `extra`.
pub const PUBLISHERS: &str = "publishers";
/// The key of the description's `extra` that names a composite's plugins in the order of the config, with commas.
pub const LEGS: &str = "legs";

/// One leg's part of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    at: usize,
    names: Vec<String>,
    is_composite: bool,
}

impl Part {
    /// The part of a leg that describes itself so and whose first entry is the one at `at`.
    pub fn new(description: &Description, at: usize) -> Self {
        let legs = description.extra.iter().find(|pair| pair.key == LEGS);
        match legs {
            Some(legs) => Self { at, names: legs.value.split(',').map(str::to_owned).collect(), is_composite: true },
            None => Self { at, names: vec![description.name.clone()], is_composite: false },
        }
    }

    /// The parts of two legs, one behind the other.
    pub fn both(first: &Description, second: &Description) -> [Self; 2] {
        let first = Self::new(first, 0);
        let second = Self::new(second, first.names.len());
        [first, second]
    }

    /// The names of its plugins, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where its first entry stands.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether it is a composite itself.
    pub fn is_composite(&self) -> bool {
        self.is_composite
    }

    /// What it is called in reasons and reports.
    pub fn label(&self) -> String {
        if self.is_composite {
            return self.names.join(" and ");
        }
        format!("{PUBLISHERS}[{}] ({})", self.at, self.names[0])
    }

    /// A reason of this leg, with the leg's name before it.
    pub fn told(&self, reason: &str) -> String {
        if self.is_composite { self.shifted(reason) } else { format!("{}: {reason}", self.label()) }
    }

    /// The name of a leg below this one, as this one gives it; its own where it gives none.
    pub fn leg(&self, name: &str) -> String {
        if self.is_composite && !name.is_empty() { self.shifted(name) } else { self.label() }
    }

    /// What is said of a key of this leg's config, with the key's path in the whole.
    pub fn at_key(&self, text: &str) -> String {
        if self.is_composite {
            return self.shifted(text);
        }
        let entry = format!("{PUBLISHERS}[{}]", self.at);
        match text.split_once(": ") {
            Some((path, _)) if is_path(path) => format!("{entry}.{text}"),
            _ => format!("{entry}: {text}"),
        }
    }

    /// An error of this leg.
    pub fn error(&self, error: PublishError) -> PublishError {
        match error {
            PublishError::Misconfigured(text) => PublishError::Misconfigured(self.at_key(&text)),
            PublishError::Unauthorized(text) => PublishError::Unauthorized(self.told(&text)),
            PublishError::Rejected(text) => PublishError::Rejected(self.told(&text)),
            PublishError::StateIncompatible(text) => PublishError::StateIncompatible(self.told(&text)),
            PublishError::Internal(text) => PublishError::Internal(self.told(&text)),
            PublishError::Unavailable(mut unavailable) => {
                unavailable.reason = self.told(&unavailable.reason);
                PublishError::Unavailable(unavailable)
            }
        }
    }

    /// A text of a composite, its places counted on from this part's first.
    fn shifted(&self, text: &str) -> String {
        let start = format!("{PUBLISHERS}[");
        let shift = |piece: &str| {
            let place = piece.strip_prefix(&start).and_then(|rest| rest.split_once(']'));
            match place.and_then(|(place, rest)| Some((place.parse::<usize>().ok()?, rest))) {
                Some((place, rest)) => format!("{start}{}]{rest}", place + self.at),
                None => piece.to_owned(),
            }
        };
        text.split("; ").map(shift).collect::<Vec<_>>().join("; ")
    }

    fn config(&self, entries: &[Value]) -> String {
        let own = &entries[self.at..self.at + self.names.len()];
        if self.is_composite { serde_json::json!({ PUBLISHERS: own }).to_string() } else { own[0].to_string() }
    }
}

/// The config of each leg.
///
/// # Errors
/// `misconfigured`, where it is not a list with an entry for each plugin.
pub fn split(config: &str, parts: &[Part; 2]) -> Result<[String; 2], PublishError> {
    let wrong = |text: String| PublishError::Misconfigured(text);
    let config: Value =
        serde_json::from_str(config).map_err(|error| wrong(format!("the config is not JSON: {error}")))?;
    let object = config.as_object().ok_or_else(|| wrong("the config is a JSON object, and this is none".to_owned()))?;
    if let Some(key) = object.keys().find(|key| *key != PUBLISHERS) {
        return Err(wrong(format!("{key}: no such key; did you mean {PUBLISHERS:?}? {}", wanted(parts))));
    }
    let entries = object.get(PUBLISHERS).and_then(Value::as_array);
    let entries = entries.ok_or_else(|| wrong(format!("{PUBLISHERS}: is not there. {}", wanted(parts))))?;
    let legs: usize = parts.iter().map(|part| part.names.len()).sum();
    if entries.len() != legs {
        return Err(wrong(format!("{PUBLISHERS}: there are {} entries. {}", entries.len(), wanted(parts))));
    }
    if let Some(index) = entries.iter().position(|entry| !entry.is_object()) {
        return Err(wrong(format!("{PUBLISHERS}[{index}]: a table is wanted, the config of one plugin")));
    }
    Ok([parts[0].config(entries), parts[1].config(entries)])
}

fn wanted(parts: &[Part; 2]) -> String {
    let names: Vec<&str> = parts.iter().flat_map(|part| part.names.iter().map(String::as_str)).collect();
    format!("It is a list with the config of each of the {} plugins, in this order: {}", names.len(), names.join(", "))
}

/// Whether this is the path of a key, such as `tls.ca` or `hosts[0]`, and not the first words of a sentence.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || "_-.[]".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::description;

    fn parts() -> [Part; 2] {
        Part::both(&description("a", None), &description("composite", Some("b,c")))
    }

    fn fault(config: &str) -> String {
        match split(config, &parts()) {
            Err(PublishError::Misconfigured(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flat_list_is_cut_by_how_many_each_leg_has() {
        let [first, second] = split(r#"{"publishers": [{"x": 1}, {"y": 2}, {}]}"#, &parts()).unwrap();
        assert_eq!(first, r#"{"x":1}"#);
        assert_eq!(second, r#"{"publishers":[{"y":2},{}]}"#);
    }

    #[test]
    fn what_is_no_such_list_is_told_what_is_wanted() {
        let wanted = "It is a list with the config of each of the 3 plugins, in this order: a, b, c";
        assert_eq!(fault("{}"), format!("publishers: is not there. {wanted}"));
        assert_eq!(fault(r#"{"publishers": [{}]}"#), format!("publishers: there are 1 entries. {wanted}"));
        assert_eq!(
            fault(r#"{"publisher": []}"#),
            format!("publisher: no such key; did you mean \"publishers\"? {wanted}")
        );
        assert_eq!(
            fault(r#"{"publishers": [{}, 7, {}]}"#),
            "publishers[1]: a table is wanted, the config of one plugin"
        );
        assert_eq!(fault("[]"), "the config is a JSON object, and this is none");
        assert!(fault("{").starts_with("the config is not JSON: "));
    }

    #[test]
    fn a_legs_words_get_their_place_in_the_whole() {
        let [first, second] = parts();
        assert_eq!(first.at_key("hosts[0]: needs a scheme"), "publishers[0].hosts[0]: needs a scheme");
        assert_eq!(first.at_key("no host: name one"), "publishers[0]: no host: name one");
        assert_eq!(first.told("refused"), "publishers[0] (a): refused");
        assert_eq!(second.at_key("publishers[1].port: too large"), "publishers[2].port: too large");
        assert_eq!(
            second.told("publishers[0] (b): away; publishers[1] (c): away"),
            "publishers[1] (b): away; publishers[2] (c): away"
        );
        assert_eq!(second.leg("publishers[1] (c)"), "publishers[2] (c)");
        assert_eq!(first.leg(""), "publishers[0] (a)");
    }
}
