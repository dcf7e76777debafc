//! Which of the two servers answers, and which version of it.

use metricast_sdk::PublishError;
use metricast_sdk::http::Response;
use serde::Deserialize;

use crate::cause::refusal;
use crate::client::{Ask, Client, Deadline};

/// The server, as far as it says. One that does not (an old proxy, a role without `monitor`) gets what all of them take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// With major and minor version; 0.0 where it does not say.
    Elasticsearch(u32, u32),
    OpenSearch,
    Unknown,
}

impl Engine {
    /// Asks.
    pub(crate) fn detect(client: &mut Client, deadline: Deadline) -> Result<Self, PublishError> {
        let response = client.send(&Ask::get("/"), deadline)?;
        match response.status {
            200..300 | 400 | 403 | 404 | 405 => Ok(Self::of(&response)),
            _ => Err(refusal("GET /", &response)),
        }
    }

    /// Whether fields can have the type `flattened`.
    pub(crate) fn has_flattened(self) -> bool {
        matches!(self, Self::Elasticsearch(..))
    }

    /// Whether `_bulk` can be told that it must write into a data stream. The others answer 400 to the parameter.
    pub(crate) fn can_require_data_stream(self) -> bool {
        matches!(self, Self::Elasticsearch(major, minor) if (major, minor) >= (8, 13))
    }

    fn of(response: &Response) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Root {
            version: Version,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Version {
            distribution: String,
            number: String,
        }
        let Root { version } = serde_json::from_slice(&response.body).unwrap_or_default();
        let product = response.header("x-elastic-product");
        if version.distribution == "opensearch" {
            Self::OpenSearch
        } else if product == Some("Elasticsearch") || !version.number.is_empty() {
            let mut parts = version.number.split('.').map(|part| part.parse().unwrap_or(0));
            Self::Elasticsearch(parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(headers: &[(&str, &str)], body: &str) -> Engine {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Engine::of(&Response { status: 200, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn servers_are_told_apart() {
        let product = ("x-elastic-product", "Elasticsearch");
        let opensearch = r#"{"name":"","version":{"distribution":"opensearch","number":"2.19.4"}}"#;
        assert_eq!(engine(&[], opensearch), Engine::OpenSearch);
        let elasticsearch = r#"{"name":"a","version":{"number":"8.19.0","build_flavor":"default"}}"#;
        assert_eq!(engine(&[product], elasticsearch), Engine::Elasticsearch(8, 19));
        assert_eq!(engine(&[], elasticsearch), Engine::Elasticsearch(8, 19), "a proxy took the header away");
        assert_eq!(engine(&[product], r#"{"error":"no handler found for uri [/]"}"#), Engine::Elasticsearch(0, 0));
        assert_eq!(engine(&[], "It works!"), Engine::Unknown);
    }

    #[test]
    fn only_who_knows_the_parameter_gets_it() {
        assert!(Engine::Elasticsearch(8, 13).can_require_data_stream());
        assert!(Engine::Elasticsearch(9, 0).can_require_data_stream());
        assert!(!Engine::Elasticsearch(8, 12).can_require_data_stream());
        assert!(!Engine::Elasticsearch(0, 0).can_require_data_stream());
        assert!(!Engine::OpenSearch.can_require_data_stream());
    }
}
