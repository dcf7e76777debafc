//! Files that are read on from where an earlier run broke off, as the queue in a folder remembers it.

use anyhow::Context as _;
use indicatif::ProgressBar;

use super::exit::Broken;
use super::lines::Input;
use crate::queue::Queue;
use crate::queue::note::InputPlace;

/// What is to be read.
pub(super) struct Inputs {
    pub(super) inputs: Vec<Input>,
    /// Wherever an earlier run was.
    pub(super) from_start: bool,
}

/// An input where it is to be read on.
pub(super) struct Source {
    pub(super) input: Input,
    /// By what it is known again.
    pub(super) identity: Option<String>,
    /// What the queue is to remember of it.
    pub(super) place: Option<InputPlace>,
}

impl Inputs {
    /// Sets each one to its place.
    ///
    /// # Errors
    /// What the queue or the system says.
    pub(super) fn at_their_places(self, queue: &Queue, bar: &ProgressBar) -> anyhow::Result<Vec<Source>> {
        let from_start = self.from_start || !queue.is_durable();
        self.inputs.into_iter().map(|input| source(input, from_start, queue, bar)).collect()
    }
}

fn source(mut input: Input, from_start: bool, queue: &Queue, bar: &ProgressBar) -> anyhow::Result<Source> {
    let Some(identity) = input.identity().filter(|_| queue.is_durable()) else {
        return Ok(Source { input, identity: None, place: None });
    };
    let mut place = InputPlace { input: identity.clone(), bytes: 0, line: 0, ended: false };
    let before = if from_start { None } else { queue.place_of(&identity)? };
    if let Some(before) = before {
        let goes_on = input.go_on_behind(before.bytes, before.line).with_context(|| Broken::reading(&input.name))?;
        let (file, line) = (&input.name, before.line);
        if goes_on {
            tracing::warn!(
                file,
                line,
                "an earlier run did not come to its end: it is read on behind this line; --from-start reads all"
            );
            bar.inc(before.bytes);
            place = before;
        } else {
            tracing::warn!(file, line, "an earlier run was behind this line, which is not there any more: all is read");
        }
    }
    Ok(Source { input, identity: Some(identity), place: Some(place) })
}
