//! The thread that owns the database: changes that wait are written in one transaction, and each caller is told after
//! the sync.
//!
//! A full disk is the one failure that passes: the ballast is given up, the file is opened again and the same changes
//! are tried once more; while there is no room, callers get the error and come again. After any other failure what is on
//! the disk is not known, so all is refused until the database is opened anew.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use redb::Database;

use super::change::{Change, Limits};
use super::disk::Disk;
use super::error::{Fault, MetaError, guarded};
use super::frame::Put;
use super::shared::Shared;
use super::tables::Tables;
use super::tally::Tally;
use super::{letters, opening, publishers, requests};

/// Told what became of a change.
pub(super) type Done = Box<dyn FnOnce(Result<(), MetaError>) + Send>;

/// A change that waits.
pub(super) struct Waiting {
    pub(super) change: Change,
    pub(super) done: Done,
}

/// The most bytes, by [`Change::weight`], that a transaction takes on.
const GROUP_BYTES: usize = 8 << 20;

/// The most changes in a transaction.
const GROUP: usize = 1024;

/// How long it takes until a ballast that found no room is tried again.
const BALLAST_PAUSE: Duration = Duration::from_secs(5);

/// What the thread has.
pub(super) struct Keeper<D> {
    pub(super) disk: D,
    pub(super) limits: Limits,
    pub(super) shared: Arc<Shared>,
    /// Whether the last commit found the disk full.
    full: bool,
    /// When the ballast is to be made again; `None` while it is there.
    ballast: Option<Instant>,
}

impl<D: Disk> Keeper<D> {
    pub(super) fn new(disk: D, limits: Limits, shared: Arc<Shared>) -> Self {
        let mut keeper = Self { disk, limits, shared, full: false, ballast: Some(Instant::now()) };
        keeper.keep_ballast();
        keeper
    }

    /// Works until the last handle is gone, then closes the file.
    pub(super) fn run(mut self, changes: &Receiver<Waiting>) {
        while let Ok(first) = changes.recv() {
            let mut weight = first.change.weight();
            let mut group = vec![first];
            while weight < GROUP_BYTES
                && group.len() < GROUP
                && let Ok(next) = changes.try_recv()
            {
                weight += next.change.weight();
                group.push(next);
            }
            self.commit(group);
        }
        self.close();
    }

    fn close(&self) {
        if let Some(database) = self.shared.take() {
            let closed = guarded(|| Ok(database.close()?));
            _ = closed.inspect_err(|fault| tracing::warn!(?fault, "the database was not closed cleanly"));
        }
    }

    fn commit(&mut self, group: Vec<Waiting>) {
        let results = self.write(&group);
        self.keep_ballast();
        for (index, waiting) in group.into_iter().enumerate() {
            let result = match &results {
                Ok(each) => each.get(index).cloned().unwrap_or(Ok(())),
                Err(error) => Err(error.clone()),
            };
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (waiting.done)(result)));
            if told.is_err() {
                tracing::error!("what was to be told of a commit panicked");
            }
        }
    }

    /// Each change's own result, or what befell all of them.
    fn write(&mut self, group: &[Waiting]) -> Result<Vec<Result<(), MetaError>>, MetaError> {
        self.shared.refuse_if_failed()?;
        let mut results = Vec::new();
        let mut outcome = self.reopen_if_closed().and_then(|()| self.attempt(group, &mut results));
        if matches!(outcome, Err(Fault::Full(_))) {
            outcome = self.make_room(outcome, group, &mut results);
        }
        match outcome {
            Ok(()) => {
                if std::mem::take(&mut self.full) {
                    tracing::info!(path = %self.disk.path().display(), "the database is written to again");
                }
                Ok(results)
            }
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// Gives up the ballast, opens the file again and tries once more.
    fn make_room(
        &mut self,
        full: Result<(), Fault>,
        group: &[Waiting],
        results: &mut Vec<Result<(), MetaError>>,
    ) -> Result<(), Fault> {
        let tried = self.shared.tally().serial + 1;
        let had_ballast = self.disk.drop_ballast();
        if had_ballast {
            self.ballast = Some(Instant::now() + BALLAST_PAUSE);
        }
        self.close();
        self.reopen_if_closed()?;
        // The failure may have come behind the point at which the commit took place.
        if self.shared.tally().serial == tried && !results.is_empty() {
            return Ok(());
        }
        if had_ballast { self.attempt(group, results).inspect_err(|_| self.close()) } else { full }
    }

    fn reopen_if_closed(&mut self) -> Result<(), Fault> {
        if self.shared.is_open() {
            return Ok(());
        }
        let (database, tally) = opening::reopen(&self.disk, &self.limits)?;
        self.shared.put(database, tally);
        Ok(())
    }

    /// One transaction with all changes that may be made.
    fn attempt(&self, group: &[Waiting], results: &mut Vec<Result<(), MetaError>>) -> Result<(), Fault> {
        results.clear();
        let mut tally = self.shared.tally();
        tally.serial += 1;
        self.shared.with(|database| guarded(|| transact(database, group, &self.limits, &mut tally, results)))?;
        self.shared.set_tally(tally);
        Ok(())
    }

    fn fail(&mut self, fault: Fault) -> MetaError {
        let full = matches!(fault, Fault::Full(_));
        let error = fault.into_error(self.disk.path());
        if full {
            if !std::mem::replace(&mut self.full, true) {
                tracing::error!(%error, "what is known of publishers cannot be saved until there is room");
            }
        } else {
            tracing::error!(%error, "the database refuses everything until it is opened again");
            self.shared.set_failed(&error);
            self.close();
        }
        error
    }

    fn keep_ballast(&mut self) {
        if self.full || self.ballast.is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.ballast = match self.disk.keep_ballast(self.limits.ballast_bytes) {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(path = %self.disk.path().display(), %error, "there is no room for the ballast");
                Some(Instant::now() + BALLAST_PAUSE)
            }
        };
    }
}

fn transact(
    database: &Database,
    group: &[Waiting],
    limits: &Limits,
    tally: &mut Tally,
    results: &mut Vec<Result<(), MetaError>>,
) -> Result<(), Fault> {
    let transaction = opening::begin(database)?;
    let mut tables = Tables::open(&transaction)?;
    let next_letter = tally.next_letter;
    for waiting in group {
        results.push(apply(&mut tables, tally, &waiting.change, limits)?);
    }
    tables.about.put(b"serial", &Put::default().u64(tally.serial).0)?;
    if tally.next_letter != next_letter {
        tables.about.put(b"next", &Put::default().u64(tally.next_letter).0)?;
    }
    drop(tables);
    Ok(transaction.commit()?)
}

/// Writes a change, or says why nothing of it was written.
fn apply(
    tables: &mut Tables<'_>,
    tally: &mut Tally,
    change: &Change,
    limits: &Limits,
) -> Result<Result<(), MetaError>, Fault> {
    for publisher in &change.publishers {
        if let Err(refused) = publishers::check(tables, publisher, limits)? {
            return Ok(Err(refused));
        }
    }
    change.forget.iter().try_for_each(|name| publishers::forget(tables, name))?;
    change.publishers.iter().try_for_each(|publisher| publishers::apply(tables, publisher))?;
    change.remove_letters.iter().try_for_each(|number| letters::remove(tables, tally, *number).map(drop))?;
    change.letters.iter().try_for_each(|letter| letters::file(tables, tally, letter, limits))?;
    change.requests.iter().try_for_each(|request| requests::keep(tables, tally, request, limits))?;
    change.places.iter().try_for_each(|(key, place)| requests::set_place(tables, key, place.as_ref()))?;
    Ok(Ok(()))
}
