//! The ways of a batch, and the time that a round of them takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use metricast::plugin::{Instance, PluginRuntime};
use metricast_records::Batch;
use tokio::runtime::Runtime;

use super::records::{Batches, RECORDS};
use super::subject::Subject;

/// Publishes natively and answers how many records were accepted.
pub(crate) type Twin = Box<dyn FnMut(&Batch) -> Result<u32>>;

/// A way of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// To the same code, compiled natively.
    Native,
    /// Into the sandbox, through the host's own call, from a thread of the plugins.
    Sandbox,
    /// The same from another thread, as deliveries do: two threads wake each other.
    Delivery,
}

/// Every way.
pub(crate) const LANES: [Lane; 3] = [Lane::Native, Lane::Sandbox, Lane::Delivery];

impl Lane {
    /// The time of one round of batches of the size at `size`.
    pub(crate) fn round(
        self,
        subject: &mut Subject,
        size: usize,
        callers: &Runtime,
        plugins: &PluginRuntime,
    ) -> Result<Duration> {
        let batches = subject.batches[size].clone();
        let called = called(subject.instance.clone(), batches.clone());
        let (time, accepted) = match self {
            Self::Native => native(&mut subject.twin, &batches)?,
            Self::Sandbox => callers.block_on(plugins.spawn(called))??,
            Self::Delivery => callers.block_on(callers.spawn(called))??,
        };
        ensure!(accepted == RECORDS, "{}: only {accepted} of {RECORDS} records were accepted", subject.name);
        Ok(time)
    }
}

fn native(twin: &mut Twin, batches: &Batches) -> Result<(Duration, usize)> {
    let start = Instant::now();
    let mut accepted = 0;
    for batch in batches.iter() {
        accepted += twin(black_box(batch))? as usize;
    }
    Ok((start.elapsed(), accepted))
}

async fn called(instance: Instance, batches: Batches) -> Result<(Duration, usize)> {
    let start = Instant::now();
    let mut accepted = 0;
    for batch in batches.iter() {
        accepted += instance.publish(batch.clone()).await?.accepted as usize;
    }
    Ok((start.elapsed(), accepted))
}
