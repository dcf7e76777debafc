//! The config: as it is written, and as it is used.

use std::fmt;

use metricast_sdk::PublishError;
use serde::Deserialize;

use crate::layout::Layout;
use crate::nodes;

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
    /// `host.name` of each document.
    #[serde(default)]
    pub host_name: Option<String>,
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

/// A credential, or the placeholder that stands for it.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// What is sent: for a person's eyes only where it is a placeholder.
    pub(crate) fn expose(&self) -> &str {
        &self.0
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
    pub(crate) service: Option<String>,
    pub(crate) host_name: Option<String>,
}

impl TryFrom<&Config> for Options {
    type Error = PublishError;

    fn try_from(config: &Config) -> Result<Self, PublishError> {
        Ok(Self {
            hosts: hosts(&config.hosts)?,
            authorization: authorization(config)?,
            layout: Layout::try_from(config)?,
            service: not_empty("service", config.service.as_ref())?,
            host_name: not_empty("host_name", config.host_name.as_ref())?,
        })
    }
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
    Ok(Some(Secret(format!("{scheme} {value}"))))
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
