//! Where a signal goes, as far as the config knows: to an endpoint that the user wrote, or to what the API has to tell.

use metricast_sdk::PublishError;

use crate::address::Address;
use crate::options::{Config, InstanceId, Protocol, Signal};

/// Where a signal goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The user wrote it.
    Written(Target),
    /// The API is asked.
    ToFind(Question),
}

/// A receiver, and who its user is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The whole address of a push.
    pub(crate) url: Address,
    /// Goes with the token as Basic; without it the token goes as Bearer.
    pub(crate) user: Option<String>,
}

/// What the API is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The organisation.
    pub(crate) org: Option<String>,
    /// Where its stack is.
    pub(crate) region: Option<String>,
    /// The stack.
    pub(crate) stack: Option<String>,
}

/// The keys of a signal's endpoint, as they are written.
struct Keys<'a> {
    endpoint: (&'static str, Option<&'a String>),
    instance_id: (&'static str, Option<&'a InstanceId>),
}

impl<'a> Keys<'a> {
    fn of(config: &'a Config, signal: Signal) -> Self {
        match signal {
            Signal::Metrics => Self {
                endpoint: ("endpoint", config.endpoint.as_ref()),
                instance_id: ("instance_id", config.instance_id.as_ref()),
            },
            Signal::Logs => Self {
                endpoint: ("logs.endpoint", config.logs.endpoint.as_ref()),
                instance_id: ("logs.instance_id", config.logs.instance_id.as_ref()),
            },
        }
    }
}

/// Whether the config has an endpoint for a signal, right or wrong.
pub(crate) fn is_written(config: &Config, signal: Signal) -> bool {
    Keys::of(config, signal).endpoint.1.is_some()
}

/// Where a signal of the config goes.
///
/// # Errors
/// `misconfigured`, by the key at fault.
pub(crate) fn of(config: &Config, signal: Signal) -> Result<Place, PublishError> {
    let keys = Keys::of(config, signal);
    match keys.endpoint {
        (key, Some(endpoint)) => written(config, signal, key, endpoint, &keys).map(Place::Written),
        (key, None) => to_find(config, key, &keys).map(Place::ToFind),
    }
}

fn written(
    config: &Config,
    signal: Signal,
    key: &str,
    endpoint: &str,
    keys: &Keys<'_>,
) -> Result<Target, PublishError> {
    let address = Address::parse(endpoint).map_err(|what| PublishError::misconfigured(key, what))?;
    let url = push_url(&address, signal, config.protocol).map_err(|what| PublishError::misconfigured(key, what))?;
    let (user_key, user) = keys.instance_id;
    let user = user.map(|user| user_name(user_key, user)).transpose()?;
    if address.is_named_as_grafana() && !address.is_of_grafana() {
        let what = "a host of Grafana Labs is asked over https on its usual port, so that nobody reads the token";
        return Err(PublishError::misconfigured(key, what));
    }
    if config.api_key.is_none() && (user.is_some() || address.is_of_grafana()) {
        return Err(PublishError::misconfigured("api_key", "is missing: the token that goes with the endpoint"));
    }
    if address.is_of_grafana() && user.is_none() {
        let tile = tile(signal, config.protocol);
        let what = format_args!("is missing: the user that goes with the endpoint, {tile}");
        return Err(PublishError::misconfigured(user_key, what));
    }
    Ok(Target { url, user })
}

fn to_find(config: &Config, endpoint: &str, keys: &Keys<'_>) -> Result<Question, PublishError> {
    if let (key, Some(_)) = keys.instance_id {
        let what = format_args!("goes with {endpoint}, which is missing: write both, or none to have them found");
        return Err(PublishError::misconfigured(key, what));
    }
    let slug = |key: &str, value: &Option<String>| match value.as_deref() {
        Some(slug) if !is_slug(slug) => Err(PublishError::misconfigured(
            key,
            "is a slug: letters, digits, hyphens and underscores, as it stands in the address of its page",
        )),
        slug => Ok(slug.map(str::to_owned)),
    };
    let question = Question {
        org: slug("org_slug", &config.org_slug)?,
        region: slug("region", &config.region)?,
        stack: slug("stack_slug", &config.stack_slug)?,
    };
    if question.org.is_none() && question.stack.is_none() {
        let what = format_args!(
            "is missing: the organisation, as in https://grafana.com/orgs/SLUG. Or write stack_slug, or {endpoint}"
        );
        return Err(PublishError::misconfigured("org_slug", what));
    }
    if config.api_key.is_none() {
        let what = "is missing: the token of an access policy, such as { secret = \"env:GRAFANA_TOKEN\" }";
        return Err(PublishError::misconfigured("api_key", what));
    }
    Ok(question)
}

/// They stand in paths that the API is asked by.
fn is_slug(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn user_name(key: &str, user: &InstanceId) -> Result<String, PublishError> {
    let user = user.to_string();
    if user.is_empty() || user.contains(':') || user.contains(char::is_control) {
        return Err(PublishError::misconfigured(key, "is a number, or a name without a colon in one line"));
    }
    Ok(user)
}

/// The address of a push at what the user wrote, or the API named.
///
/// # Errors
/// What is wrong with it, to stand behind the key.
pub(crate) fn push_url(address: &Address, signal: Signal, protocol: Protocol) -> Result<Address, String> {
    let text = address.as_str();
    match (signal, protocol) {
        (Signal::Logs, _) if text.ends_with("/push") => Ok(address.clone()),
        (Signal::Logs, _) => Ok(address.join("/loki/api/v1/push")),
        (Signal::Metrics, Protocol::Otlp) if text.ends_with("/v1/metrics") => Ok(address.clone()),
        // https://opentelemetry.io/docs/specs/otlp/#otlphttp-request: the base URL takes the path of the signal.
        (Signal::Metrics, Protocol::Otlp) if !address.has_path() && address.is_receiver_of_grafana() => {
            Ok(address.join("/otlp/v1/metrics"))
        }
        (Signal::Metrics, Protocol::Otlp) => Ok(address.join("/v1/metrics")),
        (Signal::Metrics, Protocol::RemoteWrite) if address.has_path() => Ok(address.clone()),
        (Signal::Metrics, Protocol::RemoteWrite) if address.is_receiver_of_grafana() => {
            Ok(address.join("/api/prom/push"))
        }
        (Signal::Metrics, Protocol::RemoteWrite) => Err(format!(
            "needs the path of remote write too: {address}/api/v1/push for Mimir, {address}/api/v1/write for Prometheus \
             and VictoriaMetrics"
        )),
    }
}

/// Where a person finds endpoint and user of a signal.
pub(crate) fn tile(signal: Signal, protocol: Protocol) -> &'static str {
    match (signal, protocol) {
        (Signal::Logs, _) => "at grafana.com in the stack's Details, in the tile Loki as URL and User",
        (Signal::Metrics, Protocol::RemoteWrite) => {
            "at grafana.com in the stack's Details, in the tile Prometheus as Remote Write Endpoint and Username / \
             Instance ID"
        }
        (Signal::Metrics, Protocol::Otlp) => {
            "at grafana.com in the stack's Details, in the tile OpenTelemetry as OTLP Endpoint and Instance ID"
        }
    }
}

/// The keys of a signal's endpoint and its user.
pub(crate) fn keys(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics => "endpoint and instance_id",
        Signal::Logs => "logs.endpoint and logs.instance_id",
    }
}

/// What a token must be allowed to do for a signal.
pub(crate) fn scope(signal: Signal) -> &'static str {
    match signal {
        Signal::Metrics => "metrics:write",
        Signal::Logs => "logs:write",
    }
}
