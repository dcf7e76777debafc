//! A plugin that answers as it is told, and a clock that stands still but for sleep.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use metricast_records::Batch;

use crate::publisher::{Exposition, Flushed, Profile, PublishError, Publisher, Receipt, Surroundings};

/// A call of the plugin: epoch, offsets, and whether it is a repeat.
pub(crate) type Call = (String, Vec<u64>, bool);

/// What was set, and what was seen.
#[derive(Default)]
pub(crate) struct Stub {
    pub(crate) settings: Option<String>,
    pub(crate) variables: HashMap<&'static str, String>,
    /// What `check` and `open` say.
    pub(crate) opening: Option<PublishError>,
    pub(crate) profile: Profile,
    /// The answers to come; all is accepted where there are none.
    pub(crate) receipts: RefCell<VecDeque<Result<Receipt, PublishError>>>,
    pub(crate) flushes: RefCell<VecDeque<Result<Flushed, PublishError>>>,
    pub(crate) opened: Cell<u128>,
    pub(crate) calls: RefCell<Vec<Call>>,
    pub(crate) now: Cell<Duration>,
    pub(crate) logged: RefCell<Vec<String>>,
}

impl Surroundings for &Stub {
    type Publisher = Self;

    fn plugin(&self) -> (String, String) {
        ("stub".to_owned(), "1.2.3".to_owned())
    }

    fn check(&self, _config: &str) -> Result<(), PublishError> {
        self.opening.clone().map_or(Ok(()), Err)
    }

    fn open(&self, config: &str) -> Result<Self::Publisher, PublishError> {
        self.opened.set(self.opened.get() + 1);
        self.check(config).map(|()| *self)
    }

    fn settings(&self) -> Option<String> {
        self.settings.clone()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn time(&self) -> f64 {
        5.0
    }

    fn elapsed(&self) -> Duration {
        self.now.get()
    }

    fn sleep(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }

    fn random(&self) -> u128 {
        self.opened.get()
    }

    fn log(&self, line: &str) {
        self.logged.borrow_mut().push(line.to_owned());
    }
}

impl Publisher for &Stub {
    fn profile(&self) -> Profile {
        self.profile
    }

    fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError> {
        let call = (batch.epoch().to_owned(), batch.offsets().to_vec(), batch.redelivered());
        self.calls.borrow_mut().push(call);
        let all = Receipt { accepted: batch.len() as u32, ..Receipt::default() };
        self.receipts.borrow_mut().pop_front().unwrap_or(Ok(all))
    }

    fn flush(&self) -> Result<Flushed, PublishError> {
        self.flushes.borrow_mut().pop_front().unwrap_or_else(|| Ok(Flushed::default()))
    }

    fn scrape(&self, accept: &str) -> Option<Exposition> {
        Some(Exposition { content_type: format!("text/plain; for={accept}"), body: b"up 1\n".to_vec() })
    }
}

/// For [`Stub::opening`] and the like.
pub(crate) fn away(retry_after_ms: Option<u64>) -> PublishError {
    PublishError::Unavailable { reason: "connect 127.0.0.1:9200: refused".to_owned(), retry_after_ms }
}
