//! What a person needs at Grafana Cloud: an access policy that allows what the config wants, and no more.

use metricast_sdk::Snippet;

use crate::options::Config;
use crate::place::{self, Place};

/// The access policy, as the body of `POST https://www.grafana.com/api/v1/accesspolicies?region=REGION`
/// (<https://grafana.com/docs/grafana-cloud/developer-resources/api-reference/cloud-api/#create-an-access-policy>).
pub(crate) fn access_policy(config: &Config) -> Snippet {
    let signals = config.checked_signals().unwrap_or_default();
    let mut scopes: Vec<&str> = signals.iter().map(|signal| place::scope(*signal)).collect();
    if signals.iter().any(|signal| matches!(place::of(config, *signal), Ok(Place::ToFind(_)))) {
        scopes.push("stacks:read");
    }
    let scopes = serde_json::Value::from(scopes);
    let text = format!(
        r#"{{
  "name": "metricast",
  "displayName": "metricast",
  "scopes": {scopes},
  "realms": [{{ "type": "stack", "identifier": "ID OF THE STACK" }}]
}}
"#
    );
    let about = "The access policy whose token goes into api_key: at grafana.com under Security, Access Policies, with these \
                 scopes and the stack as its realm; or this body by POST to \
                 https://www.grafana.com/api/v1/accesspolicies?region=REGION";
    Snippet { name: "access-policy", about: about.to_owned(), text }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn scopes(config: &Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config.clone()).unwrap();
        let policy: Value = serde_json::from_str(&access_policy(&config).text).unwrap();
        policy["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_policy_allows_what_the_config_wants() {
        let found = serde_json::json!({ "api_key": "k", "org_slug": "acme" });
        assert_eq!(scopes(&found), ["metrics:write", "stacks:read"]);
        let written =
            serde_json::json!({ "api_key": "k", "instance_id": 7, "endpoint": "https://a.grafana.net/api/prom/push" });
        assert_eq!(scopes(&written), ["metrics:write"]);
        let both = serde_json::json!({ "api_key": "k", "stack_slug": "acme", "signals": ["metrics", "logs"] });
        assert_eq!(scopes(&both), ["metrics:write", "logs:write", "stacks:read"]);
    }
}
