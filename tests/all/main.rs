//! The tests of the whole system, in one program.
#![expect(clippy::unwrap_used, reason = "a helper of tests reports by panicking")]

mod servers;
mod wit;
