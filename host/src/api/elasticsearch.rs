//! Documents in Elasticsearch and OpenSearch.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};
use serde_json::Value;

use super::composite::Members;
use super::front::Front;
use super::options::{delegate, delivery_options, service_options};
use super::publisher::{MetricsPublisher, PublishError};
use super::recorder::Recorder;
use super::settings::{Settings, Source};
use super::start::StartError;
use super::undelivered::Undelivered;
use crate::config::Batching;
use crate::engine::CompileCache;
use crate::pipeline::Report;

/// Publishes each record as a document to Elasticsearch (7.17 to 9) or OpenSearch (1 to 3), in the data streams
/// `PREFIX-event` and `PREFIX-network`.
///
/// The options are those of the plugin `elasticsearch`; what has no method is set by [`option`](Self::option).
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{ElasticsearchPublisher, EventMetrics, Indices, MetricsPublisher};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let hosts = stub();
/// let publisher = ElasticsearchPublisher::new(hosts, "shop")
///     .api_key("VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw==")
///     .service("shop")
///     .indices(Indices::Daily)
///     .label_from("tenant", "tenant");
/// publisher.start().await?;
/// publisher
///     .publish_event_metrics(&EventMetrics {
///         event_name: "Pay".into(),
///         start_time: metricast::clock::now(),
///         status: "running".into(),
///         attributes: vec![("tenant".into(), "acme".into())],
///         ..EventMetrics::default()
///     })
///     .await?;
/// publisher.close(Duration::from_secs(10)).await?;
/// # Ok(())
/// # }
/// # // Answers as a small Elasticsearch would.
/// # fn stub() -> Vec<String> {
/// #     use axum::{Router, extract::Request};
/// #     use serde_json::json;
/// #     let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// #     let url = format!("http://{}", listener.local_addr().unwrap());
/// #     listener.set_nonblocking(true).unwrap();
/// #     let answer = |request: Request| async move {
/// #         let items = json!([{ "create": { "status": 201 } }]);
/// #         let body = match (request.method().as_str(), request.uri().path()) {
/// #             ("GET", "/") => json!({ "version": { "number": "8.19.0" }, "tagline": "You Know, for Search" }),
/// #             ("POST", "/_bulk") => json!({ "errors": false, "items": items }),
/// #             ("GET", _) => return (http::StatusCode::NOT_FOUND, [("x-elastic-product", "Elasticsearch")], "{}".into()),
/// #             _ => json!({ "acknowledged": true }),
/// #         };
/// #         (http::StatusCode::OK, [("x-elastic-product", "Elasticsearch")], body.to_string())
/// #     };
/// #     let serve = async move { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), Router::new().fallback(answer)).await };
/// #     tokio::spawn(serve);
/// #     vec![url]
/// # }
/// ```
pub struct ElasticsearchPublisher {
    front: Front,
}

/// Where documents go.
///
/// ```
/// use metricast::{ElasticsearchPublisher, Indices};
///
/// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").indices(Indices::Daily);
/// # let _ = publisher;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indices {
    /// One data stream for each kind of record.
    #[default]
    DataStreams,
    /// One plain index for each kind of record and day of the record in UTC.
    Daily,
}

/// How request bodies are compressed.
///
/// ```
/// use metricast::{Compression, ElasticsearchPublisher};
///
/// let publisher = ElasticsearchPublisher::new(["https://search:9200"], "shop").compression(Compression::None);
/// # let _ = publisher;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// `Content-Encoding: gzip`.
    Gzip,
}

impl ElasticsearchPublisher {
    /// Nodes of one cluster, each with its scheme, and what the names of all indices begin with.
    ///
    /// ```
    /// use metricast::ElasticsearchPublisher;
    ///
    /// let publisher = ElasticsearchPublisher::new(["https://search-1:9200", "https://search-2:9200"], "shop");
    /// # let _ = publisher;
    /// ```
    pub fn new<H: Into<String>>(hosts: impl IntoIterator<Item = H>, index_prefix: impl Into<String>) -> Self {
        let mut settings = Settings::new("elasticsearch", Source::Bundled("elasticsearch"));
        let hosts: Vec<Value> = hosts.into_iter().map(|host| Value::String(host.into())).collect();
        settings.set("hosts", hosts);
        settings.set("index_prefix", index_prefix.into());
        Self { front: Front::of(settings) }
    }

    /// An API key. The plugin does not see it: the host puts it into requests to the hosts.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["https://search:9200"], "shop").api_key("VnVhQ2ZH...");
    /// assert!(!format!("{publisher:?}").contains("VnVhQ2ZH"));
    /// ```
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.front.settings_mut().set_secret("api_key", key.into());
        self
    }

    /// A user and a password, which the plugin does not see.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["https://search:9200"], "shop").basic("metricast", "hunter2");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.front.settings_mut().set_pair("basic", user, password.into());
        self
    }

    /// A bearer token, which the plugin does not see.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["https://search:9200"], "shop").bearer("eyJhbGciOi...");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.front.settings_mut().set_secret("bearer", token.into());
        self
    }

    /// Data streams by default.
    ///
    /// ```
    /// # use metricast::{ElasticsearchPublisher, Indices};
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").indices(Indices::Daily);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn indices(self, indices: Indices) -> Self {
        self.option(
            "indices",
            match indices {
                Indices::DataStreams => "data_streams",
                Indices::Daily => "daily",
            },
        )
    }

    /// Names as Elastic's own data streams have them: `logs-DATASET.event-NAMESPACE`.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").data_stream("shop", "default");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn data_stream(self, dataset: impl Into<String>, namespace: impl Into<String>) -> Self {
        self.option("data_stream", serde_json::json!({ "dataset": dataset.into(), "namespace": namespace.into() }))
    }

    /// Whether the index template is put at the start, as it is by default.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").manage_template(false);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn manage_template(self, manage: bool) -> Self {
        self.option("manage_template", manage)
    }

    /// How long documents are kept, in whole days or hours; for ever by default.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// # use std::time::Duration;
    /// let days = |days: u64| Duration::from_secs(days * 86_400);
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").retention(days(30));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn retention(self, time: Duration) -> Self {
        self.option("retention", span(time))
    }

    /// gzip by default, and none where all hosts are loopback.
    ///
    /// ```
    /// # use metricast::{Compression, ElasticsearchPublisher};
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").compression(Compression::Gzip);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        self.option(
            "compression",
            match compression {
                Compression::None => "none",
                Compression::Gzip => "gzip",
            },
        )
    }

    /// The most bytes of a body before compression: 10,000,000 by default.
    ///
    /// ```
    /// # use metricast::ElasticsearchPublisher;
    /// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").max_body(1_000_000);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn max_body(self, bytes: u64) -> Self {
        self.option("max_body", bytes)
    }
}

delegate!(ElasticsearchPublisher);
delivery_options!(ElasticsearchPublisher, "ElasticsearchPublisher::new([\"http://127.0.0.1:9200\"], \"shop\")");
service_options!(ElasticsearchPublisher, "ElasticsearchPublisher::new([\"http://127.0.0.1:9200\"], \"shop\")");

/// In the largest unit that it is a whole number of; what is neither days nor hours the plugin refuses by name.
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_the_keys_of_a_config() {
        let publisher = ElasticsearchPublisher::new(["http://a:9200"], "shop")
            .api_key("hunter2")
            .indices(Indices::Daily)
            .manage_template(false)
            .retention(Duration::from_hours(36))
            .compression(Compression::None)
            .max_body(1_000)
            .label("region", "eu")
            .label_from("tenant", "tenant.id");
        let settings = publisher.front.settings().unwrap();
        let wanted = json!({
            "hosts": ["http://a:9200"], "index_prefix": "shop", "api_key": { "secret": "given:api_key" },
            "indices": "daily", "manage_template": false, "retention": "36h", "compression": "none", "max_body": 1000,
            "labels": { "region": "eu", "tenant": { "attribute": "tenant.id" } },
        });
        assert_eq!(Value::Object(settings.config.clone()), wanted);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_setting_names_it_at_the_start() {
        let new = || ElasticsearchPublisher::new(["http://127.0.0.1:1"], "shop");
        for (publisher, words) in [
            (ElasticsearchPublisher::new(["127.0.0.1:9200"], "shop"), "elasticsearch: hosts[0]: "),
            (ElasticsearchPublisher::new(["http://127.0.0.1:1"], "Shop!"), "elasticsearch: index_prefix: "),
            (new().option("compresion", "gzip"), "compresion: unknown key; did you mean `compression`?"),
            (new().retention(Duration::from_secs(90)), "retention: "),
            (new().api_key(""), "api_key: the value that was given is empty"),
            (new().queue_size(1), "queue_size: needs at least 1 KiB"),
            (new().max_memory(1), "memory: must be at least 1 MiB"),
            (new().named("search").allow("example.com"), "search: allow[0]: is no address"),
            (new().tls_ca("/no/such.pem"), "tls_ca: cannot read the file /no/such.pem"),
            (new().retry(Duration::from_secs(2), Duration::from_secs(1)), "the longest pause is shorter"),
        ] {
            let error = publisher.start().await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            let metrics = EventMetrics {
                event_name: "e".into(),
                start_time: 1.0,
                status: "running".into(),
                ..EventMetrics::default()
            };
            let refused = publisher.publish_event_metrics(&metrics).await.unwrap_err();
            assert!(matches!(refused, PublishError::Start(_)), "{refused}");
        }
    }
}
