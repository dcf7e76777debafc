//! Which of the two servers answers, and which version of it.

use std::fmt;

use metricast_sdk::http::Response;
use metricast_sdk::{Deadline, PublishError, shortened};
use serde::Deserialize;
use serde_json::Value;

use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client};

/// Older ones have no composable templates, or none that know the field types used here.
const OLDEST: (u32, u32) = (7, 17);

/// The server, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// With major and minor version; 0.0 where it does not say.
    Elasticsearch(u32, u32),
    /// Elastic's hosted form without settings of its own.
    Serverless,
    OpenSearch,
    /// One that does not say (an old proxy, a role without `monitor`) gets what all of them take.
    Unknown,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elasticsearch(0, 0) => f.write_str("Elasticsearch of an unknown version"),
            Self::Elasticsearch(major, minor) => write!(f, "Elasticsearch {major}.{minor}"),
            Self::Serverless => f.write_str("Elasticsearch Serverless"),
            Self::OpenSearch => f.write_str("OpenSearch"),
            Self::Unknown => f.write_str("a server that does not say its version"),
        }
    }
}

impl Engine {
    /// Asks.
    pub(crate) fn detect(client: &mut Client, deadline: Deadline) -> Result<Self, PublishError> {
        let response = client.send(&Ask::get("/"), deadline)?;
        Self::of_response(&response)
    }

    /// What an answer to `GET /` says.
    ///
    /// # Errors
    /// [`PublishError::Misconfigured`] where it is none of these servers, or one that is too old;
    /// [`PublishError::Unauthorized`], and [`PublishError::Unavailable`] for what may pass.
    pub(crate) fn of_response(response: &Response) -> Result<Self, PublishError> {
        match response.status {
            200..300 => Self::of(response).ok_or_else(|| stranger(response)).and_then(Self::new_enough),
            // A role without `monitor` may write; and the distributions for tests have nothing at the root.
            400 | 403 | 404 | 405 if speaks_alike(response) => Ok(Self::of(response).unwrap_or(Self::Unknown)),
            400 | 404 | 405 => Err(PublishError::unavailable(format!(
                "{}: this is no answer of Elasticsearch or OpenSearch; a path in front of the API belongs into hosts",
                refusal("GET /", response)
            ))),
            _ => Err(refusal("GET /", response)),
        }
    }

    /// Whether fields can have the type `flattened`.
    pub(crate) fn has_flattened(self) -> bool {
        matches!(self, Self::Elasticsearch(..) | Self::Serverless)
    }

    /// Whether `_bulk` can be told that it must write into a data stream. The others answer 400 to the parameter.
    pub(crate) fn can_require_data_stream(self) -> bool {
        self == Self::Serverless || self.is_elasticsearch_of((8, 13))
    }

    /// Whether a template and a data stream can have a lifecycle.
    pub(crate) fn has_lifecycle(self) -> bool {
        self == Self::Serverless || self.is_elasticsearch_of((8, 11))
    }

    /// Whether a template may say how many replicas there are.
    pub(crate) fn has_replicas(self) -> bool {
        self != Self::Serverless
    }

    fn is_elasticsearch_of(self, least: (u32, u32)) -> bool {
        matches!(self, Self::Elasticsearch(major, minor) if (major, minor) >= least)
    }

    fn of(response: &Response) -> Option<Self> {
        let Root { version, tagline } = Root::of(response);
        let product = response.header("x-elastic-product");
        // An OpenSearch that gives itself out as Elasticsearch 7.10 (`compatibility.override_main_response_version`)
        // leaves the distribution out.
        if version.distribution == "opensearch" || tagline.contains("OpenSearch") {
            Some(Self::OpenSearch)
        } else if version.build_flavor == "serverless" {
            Some(Self::Serverless)
        } else if product == Some("Elasticsearch") || !version.number.is_empty() {
            let mut parts = version.number.split('.').map(|part| part.parse().unwrap_or(0));
            Some(Self::Elasticsearch(parts.next().unwrap_or(0), parts.next().unwrap_or(0)))
        } else {
            None
        }
    }

    /// For a person: `OpenSearch 2.19.4`.
    pub(crate) fn named(self, response: &Response) -> String {
        let Root { version, .. } = Root::of(response);
        match self {
            Self::Elasticsearch(..) if !version.number.is_empty() => format!("Elasticsearch {}", version.number),
            Self::OpenSearch if !version.number.is_empty() => format!("OpenSearch {}", version.number),
            _ => self.to_string(),
        }
    }

    fn new_enough(self) -> Result<Self, PublishError> {
        match self {
            Self::Elasticsearch(major, minor) if (major, minor) != (0, 0) && (major, minor) < OLDEST => {
                let (oldest_major, oldest_minor) = OLDEST;
                let what = format_args!(
                    "Elasticsearch {major}.{minor} is too old: {oldest_major}.{oldest_minor} or newer is needed, or OpenSearch"
                );
                Err(PublishError::misconfigured("hosts", what))
            }
            engine => Ok(engine),
        }
    }
}

/// What these servers say at `GET /`, as far as it is looked at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Root {
    version: Version,
    tagline: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    distribution: String,
    number: String,
    build_flavor: String,
}

impl Root {
    fn of(response: &Response) -> Self {
        serde_json::from_slice(&response.body).unwrap_or_default()
    }
}

/// Whether an error is worded as these servers word theirs.
fn speaks_alike(response: &Response) -> bool {
    let has_product = response.header("x-elastic-product").is_some();
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let is_error = match &body["error"] {
        Value::String(text) => text.contains("no handler found for uri") || text.contains("HTTP method for uri"),
        error => !Cause::of(response).kind.is_empty() && error.is_object(),
    };
    has_product || is_error
}

fn stranger(response: &Response) -> PublishError {
    let told = shortened(String::from_utf8_lossy(&response.body).trim().to_owned());
    let what = format_args!(
        "what answers is neither Elasticsearch nor OpenSearch: GET / is {} {told:?}; write the address of the cluster's \
         HTTP API, with the path in front of it where there is one",
        response.status
    );
    PublishError::misconfigured("hosts", what)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
