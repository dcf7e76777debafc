//! The signal `logs`: each record is one line, pushed to Loki at once.
//!
//! Nothing is kept between calls but how much Loki takes at a time. One instance works at a time: two side by side would
//! send newer lines before older ones, and Loki refuses what is too far behind the newest of its stream.
//!
//! The way of a batch: `line` writes each record, `push` puts lines of one stream into a body, `send` sends it; `answer`
//! and `refusal` say what became of it, and `send` sends again what has to be told apart.

mod answer;
mod line;
pub(crate) mod probe;
mod push;
mod refusal;
mod send;
mod words;

use metricast_sdk::{Batch, Deadline, Profile, PublishError, Receipt};

use crate::discovery::Directory;
use crate::options::Options;

use line::Lines;
use push::Labels;
use send::{Room, Sending};

/// Sends records as lines.
#[derive(Debug)]
pub(crate) struct Logs {
    options: Options,
    directory: Directory,
    labels: Labels,
    room: Room,
}

impl Logs {
    pub(crate) const PROFILE: Profile =
        Profile { stateful: false, max_instances: 1, flush_interval_ms: None, scrapes: false };

    /// Asks where to push to, where that is not known.
    ///
    /// # Errors
    /// What the API says.
    pub(crate) fn open(options: Options) -> Result<Self, PublishError> {
        let mut directory = Directory::new(&options, None);
        directory.target(&options, Deadline::new())?;
        let labels = Labels::new(&options.who);
        Ok(Self { options, directory, labels, room: Room::default() })
    }

    /// Sends all lines of a batch, as far as a call's time goes.
    ///
    /// # Errors
    /// What keeps every record of the batch from being stored.
    pub(crate) fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let Self { options, directory, labels, room } = self;
        let lines = Lines::of(batch);
        Sending { options, directory, labels, room, batch, lines: &lines, deadline: Deadline::new() }
            .run()
            .answer(batch)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
