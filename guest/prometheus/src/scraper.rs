//! What the config knows of who scrapes: the server that a probe asks, and names for the printed scrape config. Nothing
//! of it changes what is scraped.

use metricast_aggregator::identity;
use metricast_sdk::PublishError;

use crate::options::Config;

/// Judges the keys.
pub(crate) fn check(config: &Config) -> Result<(), PublishError> {
    check_server(config.server.as_deref())?;
    check_names(config)
}

fn check_server(server: Option<&str>) -> Result<(), PublishError> {
    let Some(server) = server else { return Ok(()) };
    let wrong = |what: &str| Err(PublishError::misconfigured("server", what));
    match server.strip_prefix("http://").or_else(|| server.strip_prefix("https://")) {
        None => wrong("needs a scheme, such as http://127.0.0.1:9090"),
        Some(rest) if rest.is_empty() || rest.starts_with('/') => wrong("has no name, such as http://127.0.0.1:9090"),
        Some(rest) if rest.contains('@') => wrong("has credentials in it: leave them out"),
        Some(rest) if rest.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#')) => {
            wrong("has more in it than scheme, name, port and path: leave that out")
        }
        Some(_) => Ok(()),
    }
}

fn check_names(config: &Config) -> Result<(), PublishError> {
    let Config { service, namespace, environment, instance, host, .. } = config;
    identity::check_names(&[
        ("service", service.as_deref()),
        ("namespace", namespace.as_deref()),
        ("environment", environment.as_deref()),
        ("instance", instance.as_deref()),
        ("host", host.as_deref()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_whole_address() {
        for good in ["http://127.0.0.1:9090", "https://prometheus.example/prom/"] {
            assert_eq!(check_server(Some(good)), Ok(()));
        }
        for bad in
            ["127.0.0.1:9090", "http://", "http:///x", "ftp://a", "http://user:word@a", "http://a?b", "", "http://a b"]
        {
            let error = check_server(Some(bad)).expect_err(bad).to_string();
            assert!(error.starts_with("server: "), "{error}");
        }
    }
}
