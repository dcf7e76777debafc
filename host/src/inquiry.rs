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

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use metricast_store::log::{self as store_log, Found, LogError};
use metricast_store::meta::{Checked, Filed, Filter as Page, Looking, Meta, MetaError, Publisher};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

pub use filter::{Filter, Kind};
pub use lines::{Damage, Group, Letter, Line, Record, Summary};
pub(crate) use records::records_without_database;
pub(crate) use verify::{ABSENT, not_a_database, verify_folder};

use crate::queue::note::Note;
use crate::queue::remembered::NOTES;
use crate::queue::store::{Held, Store, StoreError};
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
    /// The folder is only read.
    #[error("the queue is only looked at, and takes nothing")]
    OnlyRead,
    /// Nobody listens any more.
    #[error("whoever asked has left")]
    Left,
}

fn names(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

/// Takes a line of an answer, or says that nobody listens any more.
pub type Tell<'a> = dyn FnMut(Line) -> Result<(), InquiryError> + 'a;

/// Answers for one folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    meta: Known,
    log: Log,
    /// One at a time delivers letters again, or a letter might be delivered twice.
    retrying: Arc<Mutex<()>>,
}

/// Where dead letters are.
#[derive(Clone, Debug)]
enum Known {
    Open(Meta),
    Files(Arc<Looking>),
}

/// Where records are.
#[derive(Clone, Debug)]
enum Log {
    /// In a queue that goes on.
    Open(Store, Queue, Handle),
    /// In files that are only read.
    Files {
        folder: PathBuf,
        /// Dead letters that are none any more, which the database does not know yet.
        retried: Vec<u64>,
        /// Nobody else has the folder meanwhile.
        _held: Arc<Held>,
    },
}

impl Desk {
    /// Of a folder that is open, and the queue in it.
    pub fn new(store: Store, queue: Queue, runtime: Handle) -> Self {
        Self {
            meta: Known::Open(store.meta().clone()),
            log: Log::Open(store, queue, runtime),
            retrying: Arc::default(),
        }
    }

    /// Of a folder that nobody has: it is only read. Nothing can be retried. `None` where its database is gone.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) fn look(folder: &Path) -> Result<Option<Self>, StoreError> {
        let held = Arc::new(Store::hold(folder)?);
        let Some(meta) = Looking::open(folder)? else { return Ok(None) };
        let notes_from = meta.publisher(NOTES)?.and_then(|notes| notes.cursor).unwrap_or(0);
        let mut retried = Vec::new();
        let mut reader = store_log::Log::look(&store_log::Folder::new(folder.join("log")))?;
        while let Some(found) = reader.read()? {
            if let Found::Frame(frame) = found
                && frame.next > notes_from
            {
                retried.extend(Note::read(frame.note()).retried);
            }
        }
        retried.sort_unstable();
        let log = Log::Files { folder: folder.to_owned(), retried, _held: held };
        Ok(Some(Self { meta: Known::Files(Arc::new(meta)), log, retrying: Arc::default() }))
    }

    /// Reads the log from an offset on, or from before it.
    fn read_from(&self, offset: u64) -> Result<store_log::Reader<store_log::Folder>, LogError> {
        match &self.log {
            Log::Open(store, ..) => Ok(store.read_log(offset)),
            Log::Files { folder, .. } => store_log::Log::look(&store_log::Folder::new(folder.join("log"))),
        }
    }

    /// Behind the last record, where that is known without reading.
    fn end(&self) -> u64 {
        match &self.log {
            Log::Open(_, queue, _) => queue.appended(),
            Log::Files { .. } => u64::MAX,
        }
    }

    /// Dead letters that are none any more, which the database may not know yet; ascending.
    fn retried(&self) -> Vec<u64> {
        match &self.log {
            Log::Open(_, queue, _) => queue.retried(),
            Log::Files { retried, .. } => retried.clone(),
        }
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

impl Known {
    fn publishers(&self) -> Result<Vec<Publisher>, MetaError> {
        match self {
            Self::Open(meta) => meta.publishers(),
            Self::Files(meta) => meta.publishers(),
        }
    }

    fn publisher(&self, name: &str) -> Result<Option<Publisher>, MetaError> {
        match self {
            Self::Open(meta) => meta.publisher(name),
            Self::Files(meta) => meta.publisher(name),
        }
    }

    fn letters(&self, page: &Page) -> Result<Vec<Filed>, MetaError> {
        match self {
            Self::Open(meta) => meta.letters(page),
            Self::Files(meta) => meta.letters(page),
        }
    }

    fn letter(&self, number: u64) -> Result<Option<Filed>, MetaError> {
        match self {
            Self::Open(meta) => meta.letter(number),
            Self::Files(meta) => meta.letter(number),
        }
    }

    fn check(&self) -> Result<Checked, MetaError> {
        match self {
            Self::Open(meta) => meta.check(),
            Self::Files(meta) => meta.check(),
        }
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
