//! Where records come from: [`http`] for programs that send them, [`feed`] for lines of files and standard input.
//!
//! A source frames what it gets, has `metricast_records` read it, and appends batches to the queue; when the queue is
//! full, the source waits.

mod body;
pub mod feed;
pub mod http;
mod once;
mod refusals;
mod tally;

pub(crate) use once::KEY;
pub use tally::Tally;
