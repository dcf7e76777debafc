//! What one instance of a plugin may use, and what its answers may weigh. Each limit that is hit says its name, the
//! bound, and what was asked for.

mod bucket;
mod meter;

use std::fmt;
use std::time::Duration;

pub(crate) use bucket::Bucket;
pub(crate) use meter::Meter;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The bounds of one instance. [`Limits::default`] is what a publisher gets that says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories of an instance together.
    pub(crate) memory: usize,
    /// Elements of tables, all of an instance together.
    pub(crate) table_elements: usize,
    /// Core instances, memories and tables of one component.
    pub(crate) instances: usize,
    /// A whole call, the HTTP that it waits for included.
    pub(crate) call_time: Duration,
    /// Bytes that one call may hand to the host, all of its strings and lists together.
    pub(crate) answer: usize,
    /// Bytes of a snapshot's state.
    pub(crate) snapshot: usize,
    /// Bytes of an exposition's body.
    pub(crate) exposition: usize,
    /// Bytes of a reason or another text that is for a person; longer ones are cut.
    pub(crate) text: usize,
    /// Bytes of one HTTP response's body.
    pub(crate) response: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 * MIB,
            table_elements: 100_000,
            instances: 128,
            call_time: Duration::from_secs(30),
            answer: 128 * MIB,
            snapshot: 64 * MIB,
            exposition: 64 * MIB,
            text: 2 * KIB,
            response: 64 * MIB as u64,
        }
    }
}

/// A limit that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be at least {least}")]
pub struct LimitError {
    /// Which one.
    pub name: &'static str,
    /// What it may be at least.
    pub least: &'static str,
}

impl Limits {
    /// Bounds the memory of an instance, in bytes.
    ///
    /// # Errors
    /// Below 1 MiB no plugin starts.
    pub fn with_memory(mut self, bytes: usize) -> Result<Self, LimitError> {
        if bytes < MIB {
            return Err(LimitError { name: "memory", least: "1 MiB" });
        }
        self.memory = bytes;
        Ok(self)
    }

    /// Bounds a whole call, the HTTP that it waits for included.
    ///
    /// # Errors
    /// Below 10 ms no call ends.
    pub fn with_call_time(mut self, time: Duration) -> Result<Self, LimitError> {
        if time < Duration::from_millis(10) {
            return Err(LimitError { name: "call_timeout", least: "10ms" });
        }
        self.call_time = time;
        Ok(self)
    }

    /// The bound of a whole call.
    pub fn call_time(&self) -> Duration {
        self.call_time
    }
}

/// A limit that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LimitHit {
    /// Which one.
    pub name: &'static str,
    /// The bound.
    pub limit: u64,
    /// What was in use.
    pub current: u64,
    /// What the plugin asked for in all.
    pub requested: u64,
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limit, current, requested } = self;
        write!(f, "{name} is limited to {limit}: {current} in use, {requested} asked for")
    }
}
