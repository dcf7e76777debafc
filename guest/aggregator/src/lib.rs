//! Counts records into the metrics of the API, for plugins that show or push them.
//!
//! Which metrics there are, what a record adds to them, which attributes become labels and when an idle series expires
//! is decided here once, so that a scrape and a push say the same. How series are kept and encoded is
//! [`metricast_series`]'; how they reach a backend is the plugins'.
//!
//! What comes out depends on the records, their order and when they were received, and on no clock: a replay ends
//! where the first run was.
//!
//! ```
//! use metricast_aggregator::{Aggregator, Settings};
//! use metricast_series::negotiate;
//! # use metricast_records::{BatchBuilder, input};
//!
//! let mut aggregator = Aggregator::open(&Settings::default(), None)?;
//! # let line = br#"{"event_name": "Pack", "task_id": "1", "status": "completed", "start_time": 1, "end_time": 1.25}"#;
//! # let mut builder = BatchBuilder::new();
//! # builder.push(&input::parse_line(line)?.expect("a record").as_ref(), 2.0)?;
//! # let batch = builder.finish();
//! aggregator.count(&batch);
//!
//! let mut page = Vec::new();
//! negotiate("text/plain").encode(aggregator.registry(), 3.0, &mut page);
//! assert!(String::from_utf8(page)?.contains(r#"event_duration_seconds_sum{event_name="Pack",status="completed"} 0.25"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregator;
mod caps;
mod events;
mod finder;
pub mod identity;
mod known;
mod labels;
mod metrics;
mod networks;
mod pairs;
mod recorder;
mod settings;
mod tags;
mod time;
mod trace;
mod turns;

pub use aggregator::Aggregator;
pub use labels::{AttributeLabel, Label};
pub use settings::{BucketLists, Histograms, Settings};
pub use time::Time;
