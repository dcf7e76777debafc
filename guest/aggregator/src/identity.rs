//! Whose metrics these are: the names of which backends make `job` and `instance`.

use metricast_sdk::PublishError;

/// The name of a service that has none.
const NAMELESS: &str = "metricast";

/// The value of the label `job`: the service, with its namespace before it, as Prometheus makes it of OTLP's
/// `service.namespace` and `service.name`
/// (<https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#resource-attributes-1>).
pub fn job(service: Option<&str>, namespace: Option<&str>) -> String {
    let service = service.unwrap_or(NAMELESS);
    match namespace {
        Some(namespace) => format!("{namespace}/{service}"),
        None => service.to_owned(),
    }
}

/// Judges names, each by its key: an empty label would not be there, and a line break would end a comment.
///
/// # Errors
/// `misconfigured`, by the first key whose name is empty or has control characters in it.
pub fn check_names(names: &[(&str, Option<&str>)]) -> Result<(), PublishError> {
    for (key, name) in names {
        match name {
            Some(name) if name.trim().is_empty() => {
                return Err(PublishError::misconfigured(key, "is empty: leave the key out"));
            }
            Some(name) if name.contains(char::is_control) => {
                return Err(PublishError::misconfigured(key, "is a name in one line, without control characters"));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_stands_before_the_service() {
        assert_eq!(job(None, None), "metricast");
        assert_eq!(job(Some("shop"), None), "shop");
        assert_eq!(job(Some("shop"), Some("eu")), "eu/shop");
    }

    #[test]
    fn names_are_not_empty_and_in_one_line() {
        let service = |name: &str| check_names(&[("host", None), ("service", Some(name))]);
        let refused = |name| service(name).expect_err(name).to_string();
        assert_eq!(service("shop \"1\""), Ok(()));
        for empty in ["", " "] {
            assert_eq!(refused(empty), "service: is empty: leave the key out");
        }
        for lines in ["a\nb", "a\u{85}b"] {
            assert_eq!(refused(lines), "service: is a name in one line, without control characters");
        }
    }
}
