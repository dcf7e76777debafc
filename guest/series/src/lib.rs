//! Counters, gauges and histograms by label, and what shows, sends and keeps them: the text and protobuf formats of
//! Prometheus, OpenMetrics, remote write, OTLP, and snapshots.
//!
//! This is logic alone: no clock, no sockets, no bindings, and no randomness but the seeds of hashes. What went in, and in
//! which order, decides every byte that comes out, so a replay after a crash ends where the first run was. It is not a
//! general metrics client: one thread records, families are defined at the start, and each family holds a bounded number
//! of series.
//!
//! ```
//! use metricast_series::{Buckets, Descriptor, HistogramForm, Registry, SeriesLimit, negotiate};
//!
//! let mut families = Registry::builder(SeriesLimit::new(2)?);
//! let sent = families.counter(Descriptor::new("sent_bytes", "Bytes sent.").unit("bytes").label("to"))?;
//! let took = Descriptor::new("took_seconds", "Time taken.").unit("seconds");
//! let took = families.histogram(took, Buckets::new(&[1.0])?, HistogramForm::Classic)?;
//! let mut registry = families.build();
//!
//! registry.set_time(1_795_400_000.0);
//! for to in ["a", "b", "c", "d"] {
//!     let counter = registry.counter(sent, &[to]);
//!     registry.add(counter, 10, 1);
//! }
//! let histogram = registry.histogram(took, &[]);
//! registry.observe(histogram, 0.25);
//!
//! let mut page = Vec::new();
//! negotiate("application/openmetrics-text").encode(&registry, 1_795_400_060.0, &mut page);
//! assert_eq!(
//!     String::from_utf8(page)?,
//!     r#"# TYPE sent_bytes counter
//! ## UNIT sent_bytes bytes
//! ## HELP sent_bytes Bytes sent.
//! sent_bytes_total{to="a"} 10
//! sent_bytes_total{to="b"} 10
//! sent_bytes_total{to="__other__"} 20
//! ## TYPE took_seconds histogram
//! ## UNIT took_seconds seconds
//! ## HELP took_seconds Time taken.
//! took_seconds_bucket{le="1.0"} 1
//! took_seconds_bucket{le="+Inf"} 1
//! took_seconds_sum 0.25
//! took_seconds_count 1
//! ## TYPE metricast_series_overflow counter
//! ## HELP metricast_series_overflow Values recorded under __other__, because their family is full.
//! metricast_series_overflow_total{family="sent_bytes"} 2
//! ## EOF
//! "#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod accept;
mod builder;
pub mod cap;
mod cells;
mod descriptor;
mod escape;
pub mod exemplars;
mod family;
pub mod histogram;
pub mod labels;
pub mod native;
mod number;
pub mod open_metrics;
pub mod otlp;
pub mod protobuf;
pub mod push;
mod registry;
pub mod remote_write;
mod samples;
mod search;
pub mod snapshot;
mod spans;
mod sum;
pub mod text;
mod view;
pub mod wire;

pub use accept::{Format, Negotiated, negotiate};
pub use builder::Builder;
pub use cap::{SeriesLimit, SeriesLimitError};
pub use descriptor::{DefineError, Descriptor, is_label_name};
pub use exemplars::Exemplar;
pub use histogram::{Buckets, BucketsError, HistogramForm};
pub use labels::LabelTable;
pub use registry::{Counter, CounterFamily, ExemplarPlace, Gauge, GaugeFamily, Histogram, HistogramFamily, Registry};
pub use snapshot::{Restored, SnapshotError};
