//! What a plugin may reach: closed by default, opened only here.
//!
//! A plugin without I/O has clocks, random numbers and a place for log lines, and nothing else. The one thing that can
//! be granted is HTTP to an origin: those that the user wrote in the plugin's own settings (the schema's `format: uri`
//! says which values to read, and nothing more: a schema cannot grant what the user did not write), and those in
//! `allow`. A plugin that is part of this program may bring the origins of one service along, with the hosts below its
//! domain.
//!
//! What the user wrote may lead to private and loopback addresses. Link-local, cloud metadata, multicast and unspecified
//! addresses are reached only where the user wrote that very address: [`crate::egress`] holds names against that. What
//! is granted by a domain leads to public addresses only.

mod origin;
mod own;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

pub use origin::{Origin, OriginError};
pub use own::Domain;

/// What one publisher's plugin may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    origins: BTreeMap<Origin, String>,
    domains: BTreeSet<Domain>,
}

/// To which addresses a granted name may lead, besides those that are nobody's backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Private and loopback ones too: the user wrote the name.
    Any,
    /// Those of the public internet.
    Public,
}

/// Where the own grants of bundled plugins are said to come from.
const OWN: &str = "the plugin itself";

/// A value that names an origin in a way that cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {error}")]
pub struct GrantError {
    /// The path of its key: `allow[0]`, or within the plugin's settings `hosts[1]`.
    pub key: String,
    /// Whether `key` stands within the plugin's settings.
    pub in_settings: bool,
    /// What is wrong.
    pub error: OriginError,
}

impl Grants {
    /// The grants of a publisher: the origins that its settings name where the schema says `format: uri`, and `allow`.
    ///
    /// A value in the settings that is no HTTP address at all grants nothing; it is the plugin's to say what is wrong.
    ///
    /// # Errors
    /// Where an entry of `allow` is no origin, or an address carries a user or password.
    pub fn from_config(schema: &Value, config: &Value, allow: &[String]) -> Result<Self, GrantError> {
        let mut grants = Self::default();
        for (key, text) in schema::uris(schema, config) {
            match text.parse() {
                Ok(origin) => grants = grants.with_origin(origin, &key),
                Err(error @ OriginError::Credentials) => return Err(GrantError { key, in_settings: true, error }),
                Err(_) => {}
            }
        }
        for (index, text) in allow.iter().enumerate() {
            let key = format!("allow[{index}]");
            let origin = text.parse().map_err(|error| GrantError { key, in_settings: false, error })?;
            grants = grants.with_origin(origin, "allow");
        }
        Ok(grants)
    }

    /// Opens one origin; `by` says where the user wrote it.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin, by: &str) -> Self {
        self.origins.entry(origin).or_insert_with(|| by.to_owned());
        self
    }

    /// Adds what the bundled plugin of this name brings along.
    ///
    /// # Panics
    /// Never: a test reads every one of them.
    #[must_use]
    pub fn with_own_of(mut self, bundled: &str) -> Self {
        let own = own::of(bundled);
        self.domains.extend(own.domains);
        let origins = own.origins.iter().map(|text| text.parse().expect("the own origins of plugins are valid"));
        origins.fold(self, |grants, origin| grants.with_origin(origin, OWN))
    }

    /// To which addresses requests to this origin may lead; `None` where none may leave.
    pub fn reach(&self, origin: &Origin) -> Option<Reach> {
        let is_public = || self.domains.iter().any(|domain| domain.covers(origin));
        match self.origins.get(origin) {
            Some(by) if by != OWN => Some(Reach::Any),
            Some(_) => Some(Reach::Public),
            None => is_public().then_some(Reach::Public),
        }
    }

    /// Whether requests to this origin may leave.
    pub fn allows(&self, origin: &Origin) -> bool {
        self.reach(origin).is_some()
    }

    /// The origins in order.
    pub fn origins(&self) -> impl ExactSizeIterator<Item = &Origin> {
        self.origins.keys()
    }

    /// The grants in plain words, one a line.
    pub fn in_words(&self) -> Vec<String> {
        if self.origins.is_empty() && self.domains.is_empty() {
            return vec!["no network".to_owned()];
        }
        let origins = self.origins.iter().map(|(origin, by)| format!("HTTP to {origin} (from {by})"));
        let domains = self.domains.iter().map(|domain| format!("HTTP to {} (from {OWN})", domain.pattern()));
        origins.chain(domains).collect()
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hosts_schema() -> Value {
        json!({ "type": "object", "properties": {
            "hosts": { "type": "array", "items": { "type": "string", "format": "uri" } },
            "name": { "type": "string" },
        }})
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let grants = Grants::from_config(&hosts_schema(), &json!({}), &[]).unwrap();
        assert_eq!(grants, Grants::default());
        assert_eq!(grants.to_string(), "no network");
    }

    #[test]
    fn what_the_user_wrote_is_granted_and_shown_with_its_place() {
        let config = json!({ "hosts": ["http://127.0.0.1:9200/es", "https://Search.example:443"] });
        let grants = Grants::from_config(&hosts_schema(), &config, &["https://api.example".to_owned()]).unwrap();
        assert_eq!(
            grants.in_words(),
            [
                "HTTP to http://127.0.0.1:9200 (from hosts[0])",
                "HTTP to https://api.example (from allow)",
                "HTTP to https://search.example (from hosts[1])",
            ]
        );
        assert!(grants.allows(&"https://search.example/any/path?x".parse().unwrap()));
        assert!(!grants.allows(&"http://search.example".parse().unwrap()), "another scheme is another origin");
        assert!(!grants.allows(&"https://search.example:8443".parse().unwrap()), "another port is another origin");
    }

    #[test]
    fn only_values_that_the_schema_marks_are_read() {
        let config = json!({ "name": "http://10.0.0.1", "other": "http://10.0.0.2" });
        assert_eq!(Grants::from_config(&hosts_schema(), &config, &[]).unwrap(), Grants::default());
    }

    #[test]
    fn a_schema_grants_nothing_by_its_own_words() {
        let schema = json!({ "properties": { "host": {
            "format": "uri", "default": "http://169.254.169.254", "const": "http://169.254.169.254",
        }}});
        assert_eq!(Grants::from_config(&schema, &json!({}), &[]).unwrap(), Grants::default());
    }

    #[test]
    fn a_bundled_plugin_may_bring_the_hosts_of_one_service_along() {
        let grants = Grants::default().with_own_of("grafana-cloud");
        let reach = |grants: &Grants, text: &str| grants.reach(&text.parse().unwrap());
        assert_eq!(reach(&grants, "https://grafana.com/api/orgs/acme/instances"), Some(Reach::Public));
        assert_eq!(reach(&grants, "https://prometheus-us-central1.grafana.net"), Some(Reach::Public));
        assert_eq!(reach(&grants, "https://grafana.com.evil.example"), None);
        assert_eq!(
            grants.in_words(),
            [
                "HTTP to https://grafana.com (from the plugin itself)",
                "HTTP to https://*.grafana.net (from the plugin itself)",
            ]
        );
        let written = grants.with_origin("https://mimir.grafana.net".parse().unwrap(), "endpoint");
        assert_eq!(reach(&written, "https://mimir.grafana.net"), Some(Reach::Any), "the user wrote it");
        assert_eq!(Grants::default().with_own_of("elasticsearch"), Grants::default());
    }

    #[test]
    fn an_address_with_a_password_is_an_error_that_does_not_repeat_it() {
        let config = json!({ "hosts": ["http://a", "http://user:hunter2@b"] });
        let error = Grants::from_config(&hosts_schema(), &config, &[]).unwrap_err();
        assert_eq!((error.key.as_str(), error.in_settings), ("hosts[1]", true));
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn an_allow_entry_that_is_no_origin_is_an_error() {
        let error = Grants::from_config(&json!({}), &json!({}), &["api.example".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "allow[0]: is no address of the form https://host or https://host:port");
    }
}
