//! What a durable queue asks of whatever keeps it, so that tests can bring one that forgets, fails or is slow.

use std::sync::Arc;

use metricast_store::log::{AppendError, Draft, Epoch, Found, LogError, Place, Times};
use metricast_store::meta::{Change, Letter, MetaError};
use tokio::task::JoinHandle;

use super::note::{Digest, InputPlace, Note};
use crate::plugin::Saved;

/// Told when records are synced, or are not.
pub(crate) type Appended = Box<dyn FnOnce(Result<Place, AppendError>) + Send>;
/// Told when a change is synced, or is not.
pub(crate) type Committed = Box<dyn FnOnce(Result<(), MetaError>) + Send>;

/// A log of records, and beside it what is known of each publisher.
pub(crate) trait Backing: Send + Sync + 'static {
    /// Of this opening.
    fn epoch(&self) -> Epoch;
    /// Appends records; answers in the order of the places.
    fn append(&self, draft: Draft, done: Appended);
    /// Reads from an offset on.
    fn read_from(&self, offset: u64) -> Box<dyn ReadOn>;
    /// Nobody needs the records below this offset; where it is `eager`, room is needed now.
    fn trim(&self, below: u64, eager: bool);
    /// The bytes that the log takes.
    fn bytes(&self) -> u64;
    /// Where the log's parts begin that go as a whole, ascending.
    fn boundaries(&self) -> Vec<u64>;
    /// Makes a change of what is known of publishers: all of it or nothing.
    fn commit(&self, change: Change, done: Committed);
    /// What is known of a publisher.
    fn known(&self, publisher: &str) -> Result<Option<Known>, MetaError>;
    /// What is known of a request that was answered.
    fn request(&self, key: &Digest) -> Result<Option<Note>, MetaError>;
    /// How far an input was read.
    fn place(&self, input: &str) -> Result<Option<InputPlace>, MetaError>;
    /// How long syncs of the log took.
    fn times(&self) -> Option<&Times>;
    /// Ends it when all that was asked for is done.
    fn close(&self);
}

/// A reading that is under way: the reader comes back with what it found, if anything.
pub(crate) type Reading = JoinHandle<(Box<dyn ReadOn>, Result<Option<Found>, LogError>)>;

/// Reads records in order.
pub(crate) trait ReadOn: Send + Sync {
    /// Begins to read what comes next, where waiting for a disk holds up nobody else.
    fn read(self: Box<Self>) -> Reading;
}

/// What is known of a publisher from before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The offset below which it has answered for every record.
    pub(crate) cursor: u64,
    /// Records above it that it must never see again.
    pub(crate) skipped: Vec<u64>,
    /// What its plugin kept, with the records below the cursor in it.
    pub(crate) state: Option<Saved>,
    /// What its plugin may have been handed at or above the cursor.
    pub(crate) handed: Handed,
}

/// What a publisher's plugin may have been handed at or above its cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Handed {
    /// Nothing: it came to its end, or is new.
    #[default]
    Nothing,
    /// Records below this offset.
    Below(u64),
    /// All that was there, and it keeps state, in which they may have been seen.
    Shown,
}

impl Handed {
    /// As the database has it.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Below(offset) => [&[0], &offset.to_le_bytes()[..]].concat(),
            Self::Nothing => vec![1],
            Self::Shown => vec![2],
        }
    }

    /// What is not known may be anything.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        match bytes {
            [1] => Self::Nothing,
            [2] => Self::Shown,
            [0, offset @ ..] => Self::Below(offset.try_into().map_or(u64::MAX, u64::from_le_bytes)),
            _ => Self::Below(u64::MAX),
        }
    }
}

/// What is to last together: a cursor and all that belongs to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// The offset below which the publisher has answered for every record.
    pub(crate) cursor: u64,
    /// The plugin's state, with the records below the cursor in it.
    pub(crate) state: Option<Saved>,
    /// Records at or above the cursor that the plugin must never see again.
    pub(crate) skipped: Vec<u64>,
    /// What it did not take.
    pub(crate) letters: Vec<Letter>,
    /// What its plugin may be handed from now on, where that changes.
    pub(crate) handed: Option<Handed>,
}

/// A queue's own end of a backing.
pub(crate) type Kept = Arc<dyn Backing>;
