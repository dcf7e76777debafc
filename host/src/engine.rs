//! The machine that runs plugins: the one place that knows wasmtime's settings.
//!
//! - Calls are async and can be cut off: a ticker advances the epoch every [`TICK`], and running code yields to the
//!   runtime at the next one, so that a time limit round a call takes hold and no plugin keeps a thread to itself.
//! - A linear memory reserves address space once and never moves: creating an instance is a mapping, not a copy.
//! - Compiled code is kept in a folder that belongs to this user and that nobody else can write; what is read from it
//!   is machine code that runs as it is, so a folder that others can write is not used.

mod cache;

use std::path::PathBuf;
use std::time::Duration;

pub use cache::CacheRefused;

/// How often running plugin code looks up: the grain of the time limits.
pub const TICK: Duration = Duration::from_millis(10);

/// Of one call's wasm frames.
const WASM_STACK: usize = 512 << 10;
/// Of one call in all: host functions run on the same stack.
const CALL_STACK: usize = 2 << 20;

/// Where compiled plugins are kept from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CompileCache {
    /// Nowhere: each start compiles anew.
    Off,
    /// In the user's cache folder (`$XDG_CACHE_HOME/metricast/compiled`, else `~/.cache/metricast/compiled`).
    #[default]
    User,
    /// In this folder.
    At(PathBuf),
}

/// Settings of an [`Engine`].
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Where compiled plugins are kept from run to run.
    pub cache: CompileCache,
}

/// The machine could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the WebAssembly engine: {0}")]
pub struct EngineError(String);

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// A set-up machine; cheap to clone. Its ticker ends with the last clone.
#[derive(Clone)]
pub struct Engine(wasmtime::Engine);

impl Engine {
    /// Sets the machine up and starts its ticker. A cache folder that cannot be trusted or made is left aside with a
    /// warning.
    ///
    /// # Errors
    /// Where this machine or operating system cannot run compiled WebAssembly, or has no thread to spare.
    pub fn new(options: &EngineOptions) -> Result<Self, EngineError> {
        let mut config = settings();
        config.cache(cache::open(&options.cache));
        let engine = wasmtime::Engine::new(&config)?;
        start_ticker(&engine)?;
        Ok(Self(engine))
    }

    pub(crate) fn machine(&self) -> &wasmtime::Engine {
        &self.0
    }
}

fn settings() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .memory_may_move(false)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(CALL_STACK);
    config
}

fn start_ticker(engine: &wasmtime::Engine) -> Result<(), EngineError> {
    let engine = engine.weak();
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("metricast-epoch".to_owned())
        .spawn(tick)
        .map(drop)
        .map_err(|error| EngineError(format!("no thread for the clock of the time limits: {error}")))
}
