//! What the config knows of who scrapes: the server that a probe asks, and names for the printed scrape config. Nothing
//! of it changes what is scraped.

use metricast_sdk::PublishError;

use crate::options::Config;

/// Judges the keys.
pub(crate) fn check(config: &Config) -> Result<(), PublishError> {
    check_server(config.server.as_deref())?;
    check_names(config)
}

fn check_server(server: Option<&str>) -> Result<(), PublishError> {
    let Some(server) = server else { return Ok(()) };
    let rest = server.strip_prefix("http://").or_else(|| server.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', '@']) => Ok(()),
        _ => Err(PublishError::misconfigured(
            "server",
            "is the address of a Prometheus with its scheme and without user, query or fragment, such as \
             http://127.0.0.1:9090",
        )),
    }
}

/// An empty label would not be there, and a line break would end a comment.
fn check_names(config: &Config) -> Result<(), PublishError> {
    let Config { service, namespace, environment, instance, host, .. } = config;
    let names = [
        ("service", service),
        ("namespace", namespace),
        ("environment", environment),
        ("instance", instance),
        ("host", host),
    ];
    for (key, name) in names {
        let Some(name) = name else { continue };
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(PublishError::misconfigured(key, "is a name: not empty, and without line breaks"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_whole_address() {
        for good in ["http://127.0.0.1:9090", "https://prometheus.example/prom/"] {
            assert_eq!(check_server(Some(good)), Ok(()));
        }
        for bad in ["127.0.0.1:9090", "http://", "http:///x", "ftp://a", "http://user:word@a", "http://a?b", ""] {
            let error = check_server(Some(bad)).expect_err(bad).to_string();
            assert!(error.starts_with("server: is the address of a Prometheus"), "{error}");
        }
    }

    #[test]
    fn names_are_not_empty_and_in_one_line() {
        let service = |name: &str| check_names(&Config { service: Some(name.to_owned()), ..Config::default() });
        assert_eq!(service("shop \"1\""), Ok(()));
        for bad in ["", " ", "a\nb", "a\u{85}b"] {
            let error = service(bad).expect_err(bad).to_string();
            assert_eq!(error, "service: is a name: not empty, and without line breaks");
        }
    }
}
