//! The records that metricast carries, and the one form that all of its parts share.
//!
//! A program hands over [`EventMetrics`] and [`NetworkMetrics`]. From ingest to backend they travel as a [`Batch`]:
//! columns over one interned text, cheap to move across a sandbox's boundary. [`input`] reads records as they
//! really look, [`dictionary`] writes the standard dictionary of one.
//!
//! Nothing in here does I/O, reads a clock or knows of WebAssembly: hosts and plugins use the same code.
//!
//! ```
//! use metricast_records::{BatchBuilder, dictionary, input};
//!
//! let line = br#"{"operation": "connect", "host": "::1", "port": 443, "start_time": 1795368571.5, "end_time": 1795368571.75}"#;
//! let record = input::parse_line(line)?.expect("the line is not blank");
//! let mut builder = BatchBuilder::new();
//! builder.push(&record.as_ref(), 1_795_368_572.0)?;
//! let batch = builder.finish();
//!
//! let network = batch.networks().next().expect("one network record");
//! assert_eq!(network.duration(), Some(0.25));
//! assert_eq!(
//!     dictionary::to_string(&batch.records().next().expect("one record").metrics),
//!     r#"{"operation":"connect","task_id":null,"host":"::1","port":443,"start_time":1795368571.5,"end_time":1795368571.75,"bytes_sent":0,"bytes_received":0,"error":null,"timestamp":"2026-11-22T17:29:31.750000Z","metric_type":"network","duration":0.25}"#
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batch;
pub mod body;
mod builder;
pub mod bytes;
mod check;
pub mod credentials;
pub mod dictionary;
pub mod encoding;
pub mod input;
mod metrics;
pub mod problem;
pub mod time;

pub use batch::{Batch, Columns, Record};
pub use builder::{BatchBuilder, TextFull};
pub use check::BatchError;
pub use metrics::{Attributes, Event, EventMetrics, Metrics, MetricsRef, Network, NetworkMetrics, Outcome};
