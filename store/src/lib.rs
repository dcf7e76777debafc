//! What metricast keeps on disk: the [`log`] of records, and in [`meta`] what is known of each publisher.
//!
//! Both are synchronous and have threads of their own; what asks them is told by a callback. Neither knows a batch or a
//! plugin: what they keep are bytes. The order in which the two are written, which is what keeps records, is their
//! user's.

#[cfg(test)]
mod chance;
pub mod log;
pub mod meta;
