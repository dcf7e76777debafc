//! Whose records these are, in the words of each protocol.

use metricast_aggregator::identity;

/// The instance of who has no name at all.
const NAMELESS: &str = "metricast";

/// Names that the config has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) service: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) host: Option<String>,
}

impl Who {
    /// The label `job`.
    pub(crate) fn job(&self) -> String {
        identity::job(self.service.as_deref(), self.namespace.as_deref())
    }

    /// `service.name`, and the label `service_name` of log lines.
    pub(crate) fn service(&self) -> String {
        identity::job(self.service.as_deref(), None)
    }

    /// The label `instance`, the same at each start.
    pub(crate) fn instance(&self) -> &str {
        self.instance.as_deref().or(self.host.as_deref()).unwrap_or(NAMELESS)
    }

    /// Whether nothing tells this one from others.
    pub(crate) fn is_nameless(&self) -> bool {
        self.instance.is_none() && self.host.is_none()
    }

    /// Attributes of an OTLP resource. A receiver makes `job` of `service.namespace` and `service.name`, `instance` of
    /// `service.instance.id` (<https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#resource-attributes-1>).
    pub(crate) fn resource(&self) -> Vec<(&'static str, String)> {
        let optional = |key, value: &Option<String>| Some((key, value.clone()?));
        [
            Some(("service.name", self.service())),
            optional("service.namespace", &self.namespace),
            Some(("service.instance.id", self.instance().to_owned())),
            optional("deployment.environment.name", &self.environment),
            optional("host.name", &self.host),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_and_instance_are_the_same_in_both_protocols() {
        let who = Who {
            service: Some("till".to_owned()),
            namespace: Some("shop".to_owned()),
            instance: Some("till-7".to_owned()),
            host: Some("web-1".to_owned()),
            environment: None,
        };
        let resource = who.resource();
        let of = |key| resource.iter().find_map(|(known, value)| (*known == key).then(|| value.clone())).unwrap();
        assert_eq!(who.job(), format!("{}/{}", of("service.namespace"), of("service.name")));
        assert_eq!(who.instance(), of("service.instance.id"));
        assert_eq!(of("host.name"), "web-1");
    }

    #[test]
    fn who_has_no_instance_goes_by_the_machine() {
        let named = Who { host: Some("web-1".to_owned()), ..Who::default() };
        assert_eq!((named.instance(), named.is_nameless()), ("web-1", false));
        assert_eq!((Who::default().instance(), Who::default().is_nameless()), ("metricast", true));
        assert_eq!((Who::default().job(), Who::default().resource().len()), ("metricast".to_owned(), 2));
    }
}
