//! What the subcommands that look at plugins need: threads, the engine and a loader.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use crate::engine::{Engine, EngineOptions};
use crate::limits::Limits;
use crate::plugin::{LoadError, Loader, Plugin, PluginRuntime, PluginSource};

/// Loads plugins from code that is not async.
pub(super) struct Workshop {
    runtime: Runtime,
    loader: Loader,
}

impl Workshop {
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let engine = Engine::new(&EngineOptions::default())?;
        let loader = Loader::new(&engine, &PluginRuntime::new()?)?;
        Ok(Self { runtime, loader })
    }

    pub(super) fn load(&self, source: &PluginSource) -> Result<Plugin, LoadError> {
        self.wait(self.loader.load(source, &Limits::default()))
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// The first sentence of what a plugin says of itself.
pub(super) fn about(plugin: &Plugin) -> String {
    plugin.description().config_schema["description"].as_str().unwrap_or_default().to_owned()
}
