//! The registry with what counts into it, and its saved state.

use metricast_sdk::{Batch, PublishError, Saved, log};
use metricast_series::{Registry, snapshot};

use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::settings::{Options, Settings};

/// Counts batches, each record once.
#[derive(Debug)]
pub struct Aggregator {
    registry: Registry,
    recorder: Recorder,
    /// Records of the queue with offsets below it are counted.
    next_offset: u64,
}

impl Aggregator {
    /// Starts with nothing, or with what [`snapshot`](Self::snapshot) gave.
    ///
    /// # Errors
    /// `misconfigured` where settings cannot be, `state-incompatible` where the state cannot be read.
    pub fn open(settings: &Settings, state: Option<&Saved>) -> Result<Self, PublishError> {
        let options = Options::try_from(settings)?;
        let (metrics, mut registry) =
            Metrics::define(&options).map_err(|error| PublishError::Internal(error.to_string()))?;
        let next_offset = state.map_or(Ok(0), |saved| restore(&mut registry, saved))?;
        let recorder = Recorder::new(metrics, &options, &mut registry);
        Ok(Self { registry, recorder, next_offset })
    }

    /// Counts the records of a batch that are not counted already. Those without a place in a queue count each time.
    pub fn count(&mut self, batch: &Batch) {
        if batch.epoch().is_empty() {
            self.recorder.record(&mut self.registry, batch, 0);
        } else {
            self.recorder.record(&mut self.registry, batch, self.next_offset);
            let after = batch.offsets().iter().max().map_or(0, |last| last.saturating_add(1));
            self.next_offset = self.next_offset.max(after);
        }
    }

    /// The state that [`open`](Self::open) continues from.
    pub fn snapshot(&self) -> Saved {
        let mut state = Vec::new();
        snapshot::write(&self.registry, self.next_offset, &mut state);
        Saved { version: snapshot::VERSION, state, next_offset: self.next_offset }
    }

    /// The series.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The series, for who keeps more with them than counts.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }
}

/// Puts a saved state into the registry and gives back up to where it has applied records.
fn restore(registry: &mut Registry, saved: &Saved) -> Result<u64, PublishError> {
    if saved.version != snapshot::VERSION {
        let (found, known) = (saved.version, snapshot::VERSION);
        return Err(PublishError::StateIncompatible(format!(
            "the state has version {found}, this plugin's is {known}"
        )));
    }
    let restored = snapshot::restore(registry, &saved.state)
        .map_err(|error| PublishError::StateIncompatible(error.to_string()))?;
    if restored.watermark != saved.next_offset {
        let (inside, beside) = (restored.watermark, saved.next_offset);
        return Err(PublishError::StateIncompatible(format!(
            "the state is of the records before offset {inside}, and it was saved as if before {beside}"
        )));
    }
    for family in restored.reset {
        log::warn(format_args!(
            "{family} starts anew, because its buckets or labels are others now, or native buckets are new"
        ));
    }
    for family in restored.dropped {
        log::info(format_args!("{family} is no longer kept, and its saved state is left out"));
    }
    Ok(restored.watermark)
}
