//! A backing for tests: in memory, in virtual time and by chance. It fails, it is slow, and at a crash it forgets what
//! was not synced by then, as a disk does. What survives is in `medium`, how it fails in `mood`.

mod medium;
mod mood;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use metricast_store::log::{AppendError, Draft, Epoch, Found, Place, Times};
use metricast_store::meta::{Change, MetaError};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Queue;
use super::backing::{Appended, Backing, Committed, Known, ReadOn, Reading};
use super::note::{Digest, InputPlace, Note};

pub(crate) use medium::Medium;
pub(crate) use mood::{Fuse, Mood, Verdict};

/// One opening of a medium. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Forgetful(Arc<Opening>);

struct Opening {
    medium: Medium,
    epoch: Epoch,
    fuse: Fuse,
    log: Mutex<Work<Draft, Appended>>,
    meta: Mutex<Work<Change, Committed>>,
    trim: Mutex<Option<(u64, bool)>>,
    work: Notify,
    mood: Mutex<Mood>,
}

/// What waits, and what is being written and not synced.
struct Work<T, D> {
    waiting: VecDeque<(T, D)>,
    under_way: Vec<T>,
    failed: bool,
}

impl<T, D> Default for Work<T, D> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), under_way: Vec::new(), failed: false }
    }
}

impl Forgetful {
    /// Opens what is there, with the writers as tasks of this runtime.
    pub(crate) fn open(medium: &Medium, mood: Mood, fuse: Fuse, max_bytes: usize) -> (Self, Queue) {
        let found = medium.open();
        let opening = Opening {
            medium: medium.clone(),
            epoch: Epoch::random(),
            fuse,
            log: Mutex::default(),
            meta: Mutex::default(),
            trim: Mutex::default(),
            work: Notify::new(),
            mood: Mutex::new(mood),
        };
        let this = Self(Arc::new(opening));
        tokio::spawn(this.clone().write_log());
        tokio::spawn(this.clone().write_meta());
        let queue = Queue::durable(Arc::new(this.clone()), 0..found.next, found.absent, max_bytes);
        queue.all_are_there();
        for frame in medium.frames_from(found.notes_from) {
            queue.note_again(Note::read(frame.note()), frame.first, frame.next);
        }
        (this, queue)
    }

    /// From now on it fails so.
    pub(crate) fn set_mood(&self, mood: Mood) {
        *lock(&self.0.mood) = mood;
    }

    /// The process ends now. What was being written is there, in part or not at all.
    pub(crate) fn crash(&self) {
        self.0.fuse.blow();
        let drafts = std::mem::take(&mut lock(&self.0.log).under_way);
        let changes = std::mem::take(&mut lock(&self.0.meta).under_way);
        let there = lock(&self.0.mood).up_to(drafts.len());
        let all = lock(&self.0.mood).up_to(1) == 1;
        for draft in drafts.into_iter().take(there) {
            self.0.medium.append(draft, self.0.epoch);
        }
        if all {
            for change in changes {
                self.0.medium.apply(change);
            }
        }
    }

    /// The process ends well: what was asked for of the database is written.
    pub(crate) fn end(&self) {
        let mut meta = lock(&self.0.meta);
        let changes = std::mem::take(&mut meta.under_way).into_iter();
        let waiting = std::mem::take(&mut meta.waiting).into_iter().map(|(change, _)| change);
        if !meta.failed && !self.0.fuse.is_blown() {
            changes.chain(waiting).for_each(|change| self.0.medium.apply(change));
        }
        self.0.fuse.blow();
    }

    async fn write_log(self) {
        loop {
            let asked = self.0.work.notified();
            if let Some((below, eager)) = lock(&self.0.trim).take() {
                self.0.medium.trim(below, eager);
            }
            let size = lock(&self.0.mood).group();
            let told = begin(&mut lock(&self.0.log), size);
            if told.is_empty() {
                asked.await;
                continue;
            }
            let (latency, verdict) = lock(&self.0.mood).log();
            sleep(latency).await;
            if self.0.fuse.burn() {
                return;
            }
            let answers = self.written(verdict);
            if self.0.fuse.burn() {
                return;
            }
            told.into_iter().zip(answers).for_each(|(tell, answer)| tell(answer));
        }
    }

    fn written(&self, verdict: Verdict) -> Vec<Result<Place, AppendError>> {
        let mut log = lock(&self.0.log);
        let drafts = std::mem::take(&mut log.under_way);
        let verdict = if log.failed { Verdict::Failed { there: false } } else { verdict };
        let refused = |error: AppendError| vec![Err(error); drafts.len()];
        match verdict {
            Verdict::Well => drafts.into_iter().map(|draft| Ok(self.0.medium.append(draft, self.0.epoch))).collect(),
            Verdict::Full => refused(AppendError::DiskFull("no space left".into())),
            Verdict::Later => refused(AppendError::Unavailable("too many open files".into())),
            Verdict::Failed { there } => {
                log.failed = true;
                let answers = refused(AppendError::Failed("I/O error".into()));
                // Nobody knows what such a sync left behind; it is read after the next start only.
                if there {
                    for draft in drafts {
                        self.0.medium.leave(draft, self.0.epoch);
                    }
                }
                answers
            }
        }
    }

    async fn write_meta(self) {
        loop {
            let asked = self.0.work.notified();
            let size = lock(&self.0.mood).group();
            let told = begin(&mut lock(&self.0.meta), size);
            if told.is_empty() {
                asked.await;
                continue;
            }
            let (latency, verdict) = lock(&self.0.mood).meta();
            sleep(latency).await;
            if self.0.fuse.burn() {
                return;
            }
            let answer = self.committed(verdict);
            if self.0.fuse.burn() {
                return;
            }
            for tell in told {
                tell(answer.clone());
            }
        }
    }

    fn committed(&self, verdict: Verdict) -> Result<(), MetaError> {
        let mut meta = lock(&self.0.meta);
        let changes = std::mem::take(&mut meta.under_way);
        let refused = || MetaError::Failed { first: "I/O error".into() };
        if meta.failed {
            return Err(refused());
        }
        match verdict {
            Verdict::Full | Verdict::Later => {
                return Err(MetaError::Full { path: "meta.redb".into(), detail: "no space left".into() });
            }
            Verdict::Failed { there: false } => {
                meta.failed = true;
                return Err(refused());
            }
            Verdict::Well | Verdict::Failed { .. } => {}
        }
        for change in changes {
            self.0.medium.apply(change);
        }
        meta.failed = verdict != Verdict::Well;
        if meta.failed { Err(refused()) } else { Ok(()) }
    }
}

fn begin<T, D>(work: &mut Work<T, D>, size: usize) -> Vec<D> {
    let size = size.min(work.waiting.len());
    let (items, told): (Vec<T>, Vec<D>) = work.waiting.drain(..size).unzip();
    work.under_way = items;
    told
}

impl Backing for Forgetful {
    fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    fn append(&self, draft: Draft, done: Appended) {
        lock(&self.0.log).waiting.push_back((draft, done));
        self.0.work.notify_waiters();
    }

    fn read_from(&self, offset: u64) -> Box<dyn ReadOn> {
        Box::new(Reader { opening: Arc::clone(&self.0), next: offset })
    }

    fn trim(&self, below: u64, eager: bool) {
        if self.0.fuse.is_blown() {
            return;
        }
        let mut trim = lock(&self.0.trim);
        let before = trim.unwrap_or((0, false));
        *trim = Some((before.0.max(below), before.1 || eager));
        drop(trim);
        self.0.work.notify_waiters();
    }

    fn bytes(&self) -> u64 {
        self.0.medium.bytes()
    }

    fn boundaries(&self) -> Vec<u64> {
        self.0.medium.boundaries()
    }

    fn commit(&self, change: Change, done: Committed) {
        lock(&self.0.meta).waiting.push_back((change, done));
        self.0.work.notify_waiters();
    }

    fn known(&self, publisher: &str) -> Result<Option<Known>, MetaError> {
        Ok(self.0.medium.known(publisher))
    }

    fn request(&self, key: &Digest) -> Result<Option<Note>, MetaError> {
        Ok(self.0.medium.request(key).map(Note::from))
    }

    fn place(&self, input: &str) -> Result<Option<InputPlace>, MetaError> {
        Ok(self.0.medium.place(input))
    }

    fn times(&self) -> Option<&Times> {
        None
    }

    fn close(&self) {}
}

struct Reader {
    opening: Arc<Opening>,
    next: u64,
}

impl ReadOn for Reader {
    fn read(mut self: Box<Self>) -> Reading {
        let latency = lock(&self.opening.mood).read();
        tokio::spawn(async move {
            sleep(latency).await;
            let found = self.opening.medium.find(self.next);
            match &found {
                Some(Found::Frame(frame)) => self.next = frame.next,
                Some(Found::Damage(damage)) => self.next = damage.offsets.end,
                None => {}
            }
            (self as Box<dyn ReadOn>, Ok(found))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("a test that panicked before")
}
