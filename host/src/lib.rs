//! Publishes what a program did — one event executed, one network operation — to Prometheus, Elasticsearch, OpenSearch
//! and Grafana Cloud, each through a WebAssembly component in a sandbox of its own.
//!
//! ```
//! use std::time::Duration;
//!
//! use metricast::{CompositePublisher, EventMetrics, MetricsPublisher, PrometheusPublisher, clock};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = CompositePublisher::new(vec![
//!     Box::new(PrometheusPublisher::new(0)), // or 9464: metrics at http://127.0.0.1:9464/metrics
//!     // Box::new(ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop").service("shop")),
//! ]);
//! publisher.start().await?; // says what is wrong with the settings
//! let start_time = clock::now();
//! let pay = EventMetrics {
//!     event_name: "Pay".into(),
//!     start_time,
//!     end_time: Some(clock::now()),
//!     status: "completed".into(),
//!     ..EventMetrics::default()
//! };
//! publisher.publish_event_metrics(&pay).await?; // returns when the record is in memory
//! publisher.close(Duration::from_secs(10)).await?; // says what was not delivered
//! # Ok(())
//! # }
//! ```
//!
//! - [`MetricsPublisher`] is the trait of all publishers; yours can stand beside these.
//! - [`ElasticsearchPublisher`], [`PrometheusPublisher`], [`GrafanaCloudPublisher`] and, for any plugin,
//!   [`ComponentPublisher`]; several as one are a [`CompositePublisher`].
//! - [`BlockingPublisher`] is for programs without an asynchronous runtime, [`Recorder`] for code that must not wait, and
//!   [`MetricsLayer`] makes events of `tracing`'s spans.
//!
//! What happens is logged by `tracing`, under targets that begin with `metricast`.
//!
//! # Inside
//!
//! A record walks one way: `source -> records::Batch -> queue -> delivery -> plugin instance -> wasi:http -> receipt ->
//! cursor`. Each step is a module, and nothing calls back up that line:
//!
//! - [`source`] takes records in, from lines and from HTTP;
//! - [`queue`] holds them until every publisher has answered;
//! - [`delivery`] brings them from there to a plugin, one delivery a publisher;
//! - [`plugin`] loads components and runs them in sandboxes, on what [`engine`], [`grants`], [`limits`] and [`egress`]
//!   allow, and believes nothing that they say before it was checked;
//! - [`inquiry`] answers what a person asks of a queue in a folder;
//! - [`scrape`] shows what a plugin exposes;
//! - [`conformance`] holds a plugin against the contract;
//! - [`compose`] makes one portable component of several plugins, or a service of one;
//! - [`admin`] shows from outside how all of it stands;
//! - [`pipeline`] puts these together as a [`config`] says, and [`cli`] is the command in front of it; `api` is the front
//!   for programs.

pub mod admin;
mod api;
mod bindings;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod conformance;
pub mod delivery;
pub mod egress;
pub mod engine;
pub mod grants;
mod identity;
pub mod inquiry;
pub mod limits;
pub mod logging;
pub mod pipeline;
pub mod plugin;
pub mod queue;
pub mod scrape;
pub mod source;
mod spelling;
mod threads;
mod untrusted;

pub use api::{
    BlockingPublisher, ComponentPublisher, CompositePublisher, Compression, ElasticsearchPublisher, ExpositionFormat,
    GrafanaCloudPublisher, Histograms, Indices, InvalidRecord, MetricsLayer, MetricsPublisher, PrometheusPublisher,
    PublishError, PushProtocol, Reason, Recorder, Shortfall, Signal, StartError, Undelivered,
};
/// Makes the `async fn` of a [`MetricsPublisher`] of your own what a trait object can have.
pub use async_trait::async_trait;
/// ```
/// use metricast::EventMetrics;
///
/// let pay = EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     end_time: Some(1_795_368_572.0),
///     status: "completed".into(),
///     attributes: vec![("tenant".into(), "acme".into())],
///     ..EventMetrics::default()
/// };
/// assert_eq!(pay.as_ref().duration(), Some(0.5));
/// ```
pub use metricast_records::EventMetrics;
/// ```
/// use metricast::{EventMetrics, Metrics, MetricsPublisher, PrometheusPublisher};
///
/// let event = EventMetrics { event_name: "Pay".into(), status: "running".into(), ..EventMetrics::default() };
/// let metrics: Metrics = event.into();
/// let dictionary = PrometheusPublisher::new(0).format_metrics(&metrics);
/// assert!(dictionary.contains(r#""metric_type":"event""#), "{dictionary}");
/// ```
pub use metricast_records::Metrics;
/// ```
/// use metricast::NetworkMetrics;
///
/// let fetched = NetworkMetrics {
///     operation: "http_get".into(),
///     host: "stock.example.com".into(),
///     port: 443,
///     start_time: 1_795_368_571.5,
///     end_time: Some(1_795_368_571.75),
///     bytes_received: 1_000,
///     ..NetworkMetrics::default()
/// };
/// assert_eq!(fetched.as_ref().duration(), Some(0.25));
/// ```
pub use metricast_records::NetworkMetrics;

#[doc(hidden)]
pub use api::Members;
