//! The library's front: publishers for a Rust program, with the names that the crate's root re-exports.
//!
//! ```text
//! call -> Intake (packs) -> Carrier -> queue of each leg -> delivery -> plugin, or a publisher of another crate
//! ```
//!
//! A call packs its record into a batch that grows ([`intake`]) and returns. A carrier ([`running`]) takes the batch to
//! the queue of each [`leg`], where a pipeline of its own delivers it. All of that lives on threads that the publishers
//! of a program share ([`house`]); the caller's runtime, if there is one, is not used.

mod blocking;
mod component;
mod composite;
mod elasticsearch;
mod exposition;
mod foreign;
mod front;
mod grafana_cloud;
mod house;
mod intake;
mod layer;
mod leg;
mod options;
mod prometheus;
mod publisher;
mod recorder;
mod running;
mod settings;
mod start;
mod undelivered;
mod valid;

pub use blocking::BlockingPublisher;
pub use component::ComponentPublisher;
pub use composite::{CompositePublisher, Members};
pub use elasticsearch::{Compression, ElasticsearchPublisher, Indices};
pub use exposition::ExpositionFormat;
pub use grafana_cloud::{GrafanaCloudPublisher, PushProtocol, Signal};
pub use layer::MetricsLayer;
pub use prometheus::{Histograms, PrometheusPublisher};
pub use publisher::{MetricsPublisher, PublishError};
pub use recorder::Recorder;
pub use start::StartError;
pub use undelivered::{Reason, Shortfall, Undelivered};
pub use valid::InvalidRecord;
