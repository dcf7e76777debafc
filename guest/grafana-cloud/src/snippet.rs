//! What a person needs at Grafana Cloud: an access policy that allows what the config wants, and no more.

use metricast_sdk::{PublishError, Snippet};

use crate::options::Config;
use crate::place;

/// The access policy, as the body of `POST https://www.grafana.com/api/v1/accesspolicies?region=REGION`
/// (<https://grafana.com/docs/grafana-cloud/developer-resources/api-reference/cloud-api/#create-an-access-policy>).
/// One for all signals: they share the token.
///
/// # Errors
/// `misconfigured` where no signal is named, or one twice.
pub(crate) fn access_policy(config: &Config) -> Result<Snippet, PublishError> {
    let signals = config.checked_signals()?;
    let mut scopes: Vec<&str> = signals.iter().map(|signal| place::scope(*signal)).collect();
    if !signals.iter().all(|signal| place::is_written(config, *signal)) {
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
    Ok(Snippet { name: "access-policy", about: about.to_owned(), text })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn scopes(config: &Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config.clone()).unwrap();
        let policy: Value = serde_json::from_str(&access_policy(&config).unwrap().text).unwrap();
        policy["scopes"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_policy_allows_what_the_config_wants() {
        let found = serde_json::json!({ "org_slug": "acme" });
        assert_eq!(scopes(&found), ["metrics:write", "stacks:read"]);
        let written =
            serde_json::json!({ "api_key": "k", "instance_id": 7, "endpoint": "https://a.grafana.net/api/prom/push" });
        assert_eq!(scopes(&written), ["metrics:write"]);
        let both = serde_json::json!({ "api_key": "k", "stack_slug": "acme", "signals": ["metrics", "logs"] });
        assert_eq!(scopes(&both), ["metrics:write", "logs:write", "stacks:read"]);
        let none: Config = serde_json::from_str(r#"{ "signals": [] }"#).unwrap();
        assert!(matches!(access_policy(&none), Err(PublishError::Misconfigured(_))));
    }
}
