//! The config: as it is written, and as it is used.

use std::collections::BTreeMap;

use metricast_sdk::{PublishError, Secret};
use serde::Deserialize;

use crate::labels::{Label, Labels};
use crate::layout::Layout;
use crate::nodes;
use crate::units::{Size, Span};

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = include_str!("../config.schema.json");

/// The config as it is written; what is left out has its default.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Nodes of one cluster.
    pub hosts: Vec<String>,
    /// What the names of all indices begin with.
    pub index_prefix: String,
    /// Data streams or plain indices.
    #[serde(default)]
    pub indices: Indices,
    /// Elastic's own scheme of names.
    #[serde(default)]
    pub data_stream: Option<DataStream>,
    /// Whether the plugin puts the index template; else a person does.
    #[serde(default = "yes")]
    pub manage_template: bool,
    /// How long documents are kept; for ever where nothing is said.
    #[serde(default)]
    pub retention: Option<Span>,
    /// Sent as `ApiKey`.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Sent as `Basic`.
    #[serde(default)]
    pub basic: Option<Secret>,
    /// Sent as `Bearer`.
    #[serde(default)]
    pub bearer: Option<Secret>,
    /// `service.name` of each document.
    #[serde(default)]
    pub service: Option<String>,
    /// `service.namespace` of each document.
    #[serde(default)]
    pub namespace: Option<String>,
    /// `service.environment` of each document.
    #[serde(default)]
    pub environment: Option<String>,
    /// `service.node.name` of each document.
    #[serde(default)]
    pub instance: Option<String>,
    /// `host.name` of each document.
    #[serde(default)]
    pub host: Option<String>,
    /// `labels.*` of each document.
    #[serde(default)]
    pub labels: BTreeMap<String, Label>,
    /// How request bodies are compressed.
    #[serde(default)]
    pub compression: Option<Compression>,
    /// The most bytes that a body of `_bulk` has before compression.
    #[serde(default = "max_body")]
    pub max_body: Size,
    /// With daily indices: how long before it was taken in the time of a record may lie.
    #[serde(default = "max_past")]
    pub max_past: Span,
    /// With daily indices: how long after it was taken in the time of a record may lie.
    #[serde(default = "max_future")]
    pub max_future: Span,
}

fn yes() -> bool {
    true
}

/// Managed OpenSearch on small machines takes 10 MiB, the least of the limits that servers have by themselves
/// (<https://docs.aws.amazon.com/opensearch-service/latest/developerguide/limits.html>).
fn max_body() -> Size {
    Size(10_000_000)
}

fn max_past() -> Span {
    Span::days(90)
}

fn max_future() -> Span {
    Span::days(2)
}

/// How request bodies are compressed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As they are.
    None,
    /// `Content-Encoding: gzip`.
    Gzip,
}

/// Where documents go.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Indices {
    /// One data stream for each kind of record.
    #[default]
    DataStreams,
    /// One plain index for each kind of record and day.
    Daily,
}

/// The parts of the names of Elastic's own data streams.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct DataStream {
    /// What the data is about; the index prefix where nothing is said.
    pub dataset: Option<String>,
    /// Whose data it is.
    pub namespace: String,
}

impl Default for DataStream {
    fn default() -> Self {
        Self { dataset: None, namespace: "default".to_owned() }
    }
}

/// The config as it is used: all of it holds.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Origins and paths without a slash at the end.
    pub(crate) hosts: Vec<String>,
    /// The whole value of the header.
    pub(crate) authorization: Option<Secret>,
    pub(crate) layout: Layout,
    pub(crate) manage_template: bool,
    pub(crate) retention: Option<Span>,
    /// Fields that are the same in all documents, by object and name.
    pub(crate) who: Who,
    pub(crate) labels: Labels,
    pub(crate) gzip: bool,
    /// Bytes before compression.
    pub(crate) max_body: usize,
    pub(crate) max_past: Span,
    pub(crate) max_future: Span,
}

/// Whose records these are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Who {
    pub(crate) service: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) host: Option<String>,
}

/// Below it a batch would go out record by record.
const LEAST_BODY: u64 = 1_000;

impl TryFrom<&Config> for Options {
    type Error = PublishError;

    fn try_from(config: &Config) -> Result<Self, PublishError> {
        let hosts = hosts(&config.hosts)?;
        let gzip = match config.compression {
            Some(compression) => compression == Compression::Gzip,
            None => !hosts.iter().all(|host| nodes::is_loopback(host)),
        };
        Ok(Self {
            hosts,
            authorization: authorization(config)?,
            layout: Layout::try_from(config)?,
            manage_template: config.manage_template,
            retention: config.retention.clone(),
            who: Who::try_from(config)?,
            labels: Labels::try_from(&config.labels)?,
            gzip,
            max_body: most(config.max_body)?,
            max_past: config.max_past.clone(),
            max_future: config.max_future.clone(),
        })
    }
}

impl TryFrom<&Config> for Who {
    type Error = PublishError;

    fn try_from(config: &Config) -> Result<Self, PublishError> {
        Ok(Self {
            service: not_empty("service", config.service.as_ref())?,
            namespace: not_empty("namespace", config.namespace.as_ref())?,
            environment: not_empty("environment", config.environment.as_ref())?,
            instance: not_empty("instance", config.instance.as_ref())?,
            host: not_empty("host", config.host.as_ref())?,
        })
    }
}

fn most(max_body: Size) -> Result<usize, PublishError> {
    let Size(bytes) = max_body;
    if bytes < LEAST_BODY {
        let what = format_args!("{bytes} bytes have no room for a document: at least {LEAST_BODY}");
        return Err(PublishError::misconfigured("max_body", what));
    }
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn hosts(written: &[String]) -> Result<Vec<String>, PublishError> {
    if written.is_empty() {
        return Err(PublishError::misconfigured("hosts", "needs at least one, such as https://search:9200"));
    }
    let checked = |(at, host): (usize, &String)| {
        nodes::base_url(host).map_err(|what| PublishError::misconfigured(format_args!("hosts[{at}]"), what))
    };
    written.iter().enumerate().map(checked).collect()
}

fn authorization(config: &Config) -> Result<Option<Secret>, PublishError> {
    let ways = [
        ("api_key", "ApiKey", &config.api_key),
        ("basic", "Basic", &config.basic),
        ("bearer", "Bearer", &config.bearer),
    ];
    let mut given = ways.into_iter().filter_map(|(key, scheme, secret)| Some((key, scheme, secret.as_ref()?)));
    let Some((key, scheme, secret)) = given.next() else {
        return Ok(None);
    };
    if let Some((second, ..)) = given.next() {
        let what = format_args!("there is {key} already, and a request has one Authorization header: keep one of them");
        return Err(PublishError::misconfigured(second, what));
    }
    let value = secret.expose();
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err(PublishError::misconfigured(key, "is one line of visible ASCII characters"));
    }
    Ok(Some(Secret::new(format!("{scheme} {value}"))))
}

fn not_empty(key: &str, value: Option<&String>) -> Result<Option<String>, PublishError> {
    match value {
        Some(value) if value.is_empty() => Err(PublishError::misconfigured(key, "is empty: leave the key out")),
        value => Ok(value.cloned()),
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
