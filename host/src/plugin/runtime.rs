//! Threads of their own for plugins: their work is computation, and ingest and scrapes must not wait for it.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// The threads that plugins run on; cheap to clone. They end, without waiting, with the last clone.
#[derive(Clone)]
pub struct PluginRuntime(Arc<Threads>);

struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl PluginRuntime {
    /// Starts a thread a processor.
    ///
    /// # Errors
    /// Where the system has no threads to spare.
    pub fn new() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name("metricast-plugin")
            .on_thread_start(crate::threads::mark)
            .enable_all()
            .build()?;
        Ok(Self(Arc::new(Threads { handle: runtime.handle().clone(), runtime: Some(runtime) })))
    }

    /// Runs a task beside the plugins. What calls an [`Instance`](super::Instance) from here is on a thread with it as a
    /// rule, and is spared the way to another thread and back; what waits for anything else does not belong here.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.0.handle.spawn(task)
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.0.handle.spawn_blocking(work)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_can_be_dropped_on_a_runtime_and_runs_on_threads_of_its_own() {
        let plugins = PluginRuntime::new().unwrap();
        let name = plugins.spawn(async { std::thread::current().name().map(str::to_owned) }).await.unwrap();
        assert_eq!(name.as_deref(), Some("metricast-plugin"));
        drop(plugins);
    }
}
