//! What all publishers of a program share: threads for what waits, and the machine that runs plugins.
//!
//! Publishers work on these threads and not on the caller's runtime, so a call can be made from any executor, from none,
//! and from one that is about to end. Each ends with the last publisher that uses it.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};
use tokio::task::JoinHandle;

use super::start::StartError;
use crate::engine::{CompileCache, EngineOptions};
use crate::pipeline::{Workshop, WorkshopError};
use crate::threads;

/// Threads for what waits: packing on, timers, scrapes. Plugins have threads of their own.
const THREADS: usize = 2;

static SHARED: Mutex<Weak<Threads>> = Mutex::new(Weak::new());

/// One for each cache of compiled plugins.
static HOUSES: Mutex<Vec<(CompileCache, Weak<House>)>> = Mutex::new(Vec::new());

/// Threads of this crate.
pub(super) struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

/// Threads, and a machine.
pub(super) struct House {
    pub(super) workshop: Workshop,
    threads: Arc<Threads>,
}

impl Threads {
    /// Those that others use already, or new ones.
    pub(super) fn shared() -> Result<Arc<Self>, StartError> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = shared.upgrade() {
            return Ok(threads);
        }
        let threads = Arc::new(Self::new().map_err(WorkshopError::Threads)?);
        *shared = Arc::downgrade(&threads);
        Ok(threads)
    }

    fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("metricast")
            .on_thread_start(threads::mark)
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Timers and sockets of this thread are those of these threads meanwhile.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Dropping a runtime waits for its threads, which panics on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl House {
    /// The one that others use already, or a new one.
    pub(super) fn of(cache: &CompileCache) -> Result<Arc<Self>, StartError> {
        let mut houses = HOUSES.lock().unwrap_or_else(PoisonError::into_inner);
        houses.retain(|(_, house)| house.strong_count() > 0);
        let known = houses.iter().find(|(known, _)| known == cache).and_then(|(_, house)| house.upgrade());
        if let Some(house) = known {
            return Ok(house);
        }
        let workshop = Workshop::new(&EngineOptions { cache: cache.clone() })?;
        let house = Arc::new(Self { workshop, threads: Threads::shared()? });
        houses.push((cache.clone(), Arc::downgrade(&house)));
        Ok(house)
    }

    /// Runs a task that may block on a thread of its own.
    pub(super) fn spawn_apart<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let handle = self.threads.handle.clone();
        self.threads.handle.spawn_blocking(move || handle.block_on(task))
    }

    pub(super) fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.threads.handle.spawn(task)
    }
}
