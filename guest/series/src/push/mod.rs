//! Pushes: what is sent of a registry at a time, cut into bodies, and what has been sent so far.
//!
//! A page that is scraped shows what is there. A push has more to say, since the receiver keeps only what it is sent:
//! - **A first 0.** `increase()` sees how a value changes from sample to sample, so a series' first value is invisible to
//!   it. A new series that has counted something already is sent with a 0 at its start, then with its value.
//!   (Prometheus 3.16 uses start timestamps for that only with `created-timestamp-zero-ingestion`, in all formats.)
//! - **Start timestamps**, which are the time of that 0 for as long as the series lives.
//! - **Stale markers**: the last sample of a series that expired, or, at the end, of all of them.
//!
//! What has been sent is kept in [`Sent`], whose bytes belong beside the registry's snapshot: after a restart no 0 is sent
//! again and no marker is forgotten.
//!
//! # Who guarantees what
//! Receivers refuse a sample that is not later than the one before it in its series. So:
//! - The caller gives times that ascend, by 3 ms at least; [`Sent::begin`] refuses others. It sends the bodies of a push
//!   one after the other, each again as it is or not at all, and settles them before it begins the next push.
//! - Every sample of a push has its time, but the 0s, which are between the last push and this one, whatever the start
//!   of their series says.
//! - A body is [settled](Sent::settle) when the receiver has answered for it: it took it, or refused it for good. A
//!   refused one is not lost: the next push has all of what was counted.
//! - Where nobody knows whether a body arrived, it is sent again as it is. If it had arrived, its values are taken once
//!   more, and its 0s are refused as out of order (Prometheus 3.16 answers 400 to all three formats): that settles it. It
//!   can also be given up; then its 0s are sent again in the next push, with their old times and to the same end. Nothing
//!   is counted twice.
//!
//! Sockets, time-outs and how often to push are left to the caller, the formats to [`remote_write`](crate::remote_write)
//! and [`otlp`](crate::otlp).
//!
//! ```
//! use metricast_series::push::{Format, Labels, Limits, Sent};
//! use metricast_series::{Descriptor, Registry, SeriesLimit};
//!
//! let mut families = Registry::builder(SeriesLimit::default());
//! let runs = families.counter(Descriptor::new("runs", "Runs.").label("name"))?;
//! let mut registry = families.build();
//! registry.set_time(1_795_400_000.0);
//! let counter = registry.counter(runs, &["a"]);
//! registry.add(counter, 3, 1);
//!
//! let labels = Labels::new(&registry, [("job", "shop"), ("instance", "till-7")])?;
//! let mut sent = Sent::default();
//! let push = sent.begin(&registry, 1_795_400_015_000)?;
//! let bodies: Vec<_> = push.bodies(Format::RemoteWrite2(&labels), Limits::default()).collect();
//! assert_eq!(bodies.len(), 1);
//! // A 0 at its start, 3 now, and the 0 of the overflow counter.
//! assert_eq!(bodies[0].count.samples, 3);
//! // ... it is sent, and the receiver has answered:
//! sent.settle(&bodies[0].series);
//!
//! let push = sent.begin(&registry, 1_795_400_030_000)?;
//! assert_eq!(push.bodies(Format::RemoteWrite2(&labels), Limits::default()).map(|body| body.count.samples).sum::<u64>(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bodies;
mod labels;
mod point;
mod sent;
mod state;

pub use bodies::{Bodies, Body, Count, Format, Limits, Push};
pub use labels::{Labels, LabelsError};
pub use sent::{BeginError, OLDEST_ZERO_MILLIS, SHORTEST_MILLIS, Sent, SeriesInBody};

pub(crate) use bodies::Encode;
pub(crate) use point::{Point, Reading, STALE, exemplar_time};
