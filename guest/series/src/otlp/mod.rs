//! OTLP metrics: `ExportMetricsServiceRequest`, the body of OTLP/HTTP
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>).
//!
//! Everything is cumulative: Prometheus answers 500 to a whole request with one delta in it. A metric is called as
//! Prometheus calls it, with its unit and a counter's `_total`, and says its unit by the UCUM code that belongs to that
//! name, so that receivers that add suffixes and receivers that don't have the same series. Attribute keys are the
//! labels' names. A native histogram is an exponential one; where a family has both forms, there are two metrics of one
//! name.
//!
//! The receiver writes the bounds of classic buckets: Prometheus 3.16 makes `le="1"` of what is `le="1.0"` everywhere else.
//!
//! A receiver shows a series' first value only where there was a 0 before it, whatever the start time says (Prometheus
//! 3.16 with its default flags), so the 0 is a data point of its own. A series that has ended has a data point whose
//! flags say "no recorded value".

mod encoder;
mod points;
mod resource;

pub(crate) use encoder::Encoder;
pub use resource::{Resource, ResourceError};

/// The `Content-Type` of a body.
pub const CONTENT_TYPE: &str = "application/x-protobuf";
