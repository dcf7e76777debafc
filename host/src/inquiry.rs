//! What a person may ask of a queue in a folder, and what is answered: the same whether the folder is asked by a command
//! of its own or through the admin port of the metricast that has it.
//!
//! A [`Question`] is answered with [`Line`]s, of which none holds more than one record, so that an answer of any length
//! takes little memory. It ends with [`Line::End`], or with what broke it off; one that just ends was cut on its way.
//! Whoever answers is a [`Desk`]; [`service`] is the desk's window on the admin port.

mod filter;
mod letters;
mod lines;
mod records;
mod retry;
pub mod service;
mod verify;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use metricast_store::log::LogError;
use metricast_store::meta::MetaError;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub use filter::{Filter, Kind};
pub use lines::{Damage, Group, Letter, Line, Record, Summary};
pub(crate) use verify::verify_folder;

use crate::queue::store::Store;
use crate::queue::{AppendError, Queue};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Question {
    /// Dead letters, put together by publisher, kind and reason: [`Line::Group`].
    Groups {
        /// Of these.
        filter: Filter,
    },
    /// Dead letters, the oldest first: [`Line::Letter`].
    Letters {
        /// These.
        filter: Filter,
        /// With their records.
        records: bool,
    },
    /// One dead letter: [`Line::Letter`].
    Letter {
        /// Its number.
        number: u64,
    },
    /// Dead letters are to be delivered again: [`Line::Retried`], [`Line::Stays`].
    Retry {
        /// These.
        chosen: Chosen,
    },
    /// Whether the folder is whole: [`Line::Damage`].
    Verify,
    /// Records of the log: [`Line::Record`], [`Line::Damage`].
    Records {
        /// From this offset on, or from the oldest.
        from: Option<u64>,
        /// Up to this offset, or to the last that is there.
        to: Option<u64>,
        /// Those that this publisher has not answered for; else all that came in.
        publisher: Option<String>,
    },
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// Those of these numbers.
    Numbers(Vec<u64>),
    /// Those that it lets through.
    Filter(Filter),
}

/// Why a question has no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum InquiryError {
    /// The database.
    #[error("the queue's database: {0}")]
    Meta(#[from] MetaError),
    /// The log.
    #[error("the queue's log: {0}")]
    Log(#[from] LogError),
    /// What is to be delivered again is not in the queue.
    #[error("not all could be put into the queue again, and what could not stays a dead letter: {0}")]
    Append(#[from] AppendError),
    /// The queue knows no publisher of that name.
    #[error("the queue knows no publisher \"{name}\"; it knows {}", names(.known))]
    NoPublisher {
        /// The name.
        name: String,
        /// Those that it knows.
        known: Vec<String>,
    },
    /// Nobody listens any more.
    #[error("whoever asked has left")]
    Left,
}

fn names(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// Takes a line of an answer, or says that nobody listens any more.
pub type Tell<'a> = dyn FnMut(Line) -> Result<(), InquiryError> + 'a;

/// Answers for one open folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Store,
    queue: Queue,
    runtime: Handle,
    /// One at a time delivers letters again, or a letter might be delivered twice.
    retrying: Arc<Mutex<()>>,
}

impl Desk {
    /// Of a folder, and the queue in it.
    pub fn new(store: Store, queue: Queue, runtime: Handle) -> Self {
        Self { store, queue, runtime, retrying: Arc::default() }
    }

    /// Answers a question, with an [`End`](Line::End) or what broke the answer off as the last line.
    ///
    /// # Errors
    /// Only that nobody listens any more.
    ///
    /// # Panics
    /// On a thread of an asynchronous runtime, which must not wait.
    pub fn answer(&self, question: &Question, tell: &mut Tell<'_>) -> Result<(), InquiryError> {
        let answered = match question {
            Question::Groups { filter } => self.groups(filter, tell),
            Question::Letters { filter, records } => self.letters(filter, *records, tell),
            Question::Letter { number } => self.letter(*number, tell),
            Question::Retry { chosen } => self.retry(chosen, tell),
            Question::Verify => self.verify(tell),
            Question::Records { from, to, publisher } => {
                self.records(from.unwrap_or(0)..to.unwrap_or(u64::MAX), publisher.as_deref(), tell)
            }
        };
        finish(answered, tell)
    }
}

/// Tells how an answer ended.
fn finish(answered: Result<Summary, InquiryError>, tell: &mut Tell<'_>) -> Result<(), InquiryError> {
    match answered {
        Ok(summary) => tell(Line::End(summary)),
        Err(InquiryError::Left) => Err(InquiryError::Left),
        Err(error) => tell(Line::Failed(error.to_string())),
    }
}
