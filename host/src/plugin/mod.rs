//! Plugins: from a name in the config to open instances.
//!
//! ```text
//! PluginSource --Loader::load--> Plugin --open(OpenOptions)--> Instance --publish, flush, scrape, ...
//! ```
//!
//! A [`Plugin`] is code: found, compiled, its imports and exports judged, asked once what it is. An [`Instance`] is one
//! open publisher in a sandbox of its own, owned by one task; what it answers has passed [`crate::untrusted`].

mod advice;
mod fault;
mod instance;
mod load;
mod log;
mod publisher;
mod runtime;
mod sandbox;
mod source;
mod surface;
mod types;

use std::sync::Arc;

use metricast_records::Metrics;
use wasmtime::component::{Component, Linker};

use crate::bindings::{EXPORT, PluginPre};
use crate::engine::{Engine, EngineError};
use crate::identity::Identity;
use crate::limits::Limits;
use advice::Advice;
use publisher::OpenPublisher;
use sandbox::Surroundings;
use surface::Surface;

pub use fault::{CallError, Clause, Fault};
pub use instance::{Instance, OpenOptions};
pub use load::{LoadError, LoadProblem};
pub use runtime::PluginRuntime;
pub(crate) use source::Bundled;
pub use source::{PluginSource, SourceError, bundled};
pub(crate) use surface::is_provided;
pub use types::{
    Description, Exposition, Finding, Flushed, LateRejection, Profile, PublishError, Receipt, Rejection, Saved,
    Snippet, Verdict,
};

/// Loads plugins into one engine; cheap to clone.
#[derive(Clone)]
pub struct Loader {
    engine: Engine,
    runtime: PluginRuntime,
    linker: Arc<Linker<Surroundings>>,
}

impl Loader {
    /// A loader whose plugins run on `runtime`.
    ///
    /// # Errors
    /// Where the engine takes the host's own functions amiss.
    pub fn new(engine: &Engine, runtime: &PluginRuntime) -> Result<Self, EngineError> {
        let linker = Arc::new(sandbox::linker(engine)?);
        Ok(Self { engine: engine.clone(), runtime: runtime.clone(), linker })
    }

    /// Reads a plugin, judges what it imports and exports, compiles it, and asks it what it is, within `limits`.
    ///
    /// # Errors
    /// With what makes it unfit.
    pub async fn load(&self, source: &PluginSource, limits: &Limits) -> Result<Plugin, LoadError> {
        let (loader, wanted) = (self.clone(), source.clone());
        let compiled = self.runtime.spawn_blocking(move || loader.compile(&wanted)).await;
        let code = compiled.unwrap_or(Err(LoadProblem::Ended));
        let plugin = match code {
            Ok(code) => code.describe(source, limits.clone(), &self.runtime).await,
            Err(problem) => Err(problem),
        };
        plugin.map_err(|problem| LoadError { plugin: source.to_string(), problem })
    }

    fn compile(&self, source: &PluginSource) -> Result<Code, LoadProblem> {
        let bytes = load::read(source)?;
        let component = Component::new(self.engine.machine(), &bytes)
            .map_err(|error| LoadProblem::Invalid(format!("{error:#}")))?;
        let surface = Surface::of(&component, &self.engine);
        surface.judge()?;
        let linked =
            self.linker.instantiate_pre(&component).map_err(|error| LoadProblem::Link(format!("{error:#}")))?;
        let pre = PluginPre::new(linked)
            .map_err(|error| LoadProblem::WrongExport { wanted: EXPORT, reason: format!("{error:#}") })?;
        Ok(Code { pre, surface, digest: load::digest(&bytes) })
    }
}

struct Code {
    pre: PluginPre<Surroundings>,
    surface: Surface,
    digest: String,
}

impl Code {
    async fn describe(
        self,
        source: &PluginSource,
        limits: Limits,
        runtime: &PluginRuntime,
    ) -> Result<Plugin, LoadProblem> {
        let name: Arc<str> = source.to_string().into();
        let identity = Identity { publisher: name.clone(), plugin: name };
        let mut advice = Advice::new(self.pre.clone(), identity, limits);
        let asked = runtime.spawn(async move { advice.describe().await }).await;
        let description = asked.unwrap_or(Err(Fault::Gone.into()))?;
        let label = format!("{} {}", description.name, description.version).into();
        Ok(Plugin { loaded: Arc::new(Loaded { code: self, description, label, runtime: runtime.clone() }) })
    }
}

/// A loaded plugin; cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    loaded: Arc<Loaded>,
}

struct Loaded {
    code: Code,
    description: Description,
    label: Arc<str>,
    runtime: PluginRuntime,
}

impl Plugin {
    /// Name and version, as the plugin says them: what log lines and errors call it.
    pub fn label(&self) -> &str {
        &self.loaded.label
    }

    /// What the plugin says that it is.
    pub fn description(&self) -> &Description {
        &self.loaded.description
    }

    /// `sha256:` and the digest of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.loaded.code.digest
    }

    /// What the component imports, as `package:name/interface@version`.
    pub fn imports(&self) -> &[String] {
        &self.loaded.code.surface.imports
    }

    /// What the component exports.
    pub fn exports(&self) -> &[String] {
        &self.loaded.code.surface.exports
    }

    /// What it says that it is, asked once more.
    ///
    /// # Errors
    /// [`CallError::Fault`] only.
    pub(crate) async fn describe_again(&self, limits: &Limits) -> Result<Description, CallError> {
        let mut advice = self.advice(self.loaded.label.clone(), limits);
        self.on_own_thread(async move { advice.describe().await }).await
    }

    /// The standard dictionary of a record, as the plugin gives it.
    ///
    /// # Errors
    /// [`CallError::Fault`] only.
    pub(crate) async fn format_metrics(&self, metrics: Metrics, limits: &Limits) -> Result<String, CallError> {
        let mut advice = self.advice(self.loaded.label.clone(), limits);
        self.on_own_thread(async move { advice.format_metrics(&metrics).await }).await
    }

    /// Lets the plugin judge a config (JSON text, placeholders for secrets) without any I/O.
    ///
    /// # Errors
    /// The plugin's judgement, or the fault that ended it.
    pub async fn check(&self, config: &str, limits: &Limits) -> Result<(), CallError> {
        let (mut advice, config) = (self.advice(self.loaded.label.clone(), limits), config.to_owned());
        self.on_own_thread(async move { advice.check(&config).await }).await
    }

    /// Lets the plugin ask the backend of a config how it stands, with the egress that its publisher will have.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn probe(&self, options: OpenOptions) -> Result<Vec<Finding>, CallError> {
        let OpenOptions { publisher, config, egress, limits, .. } = options;
        let mut advice = self.advice(publisher, &limits).with_egress(egress);
        self.on_own_thread(async move { advice.probe(&config).await }).await
    }

    /// What a person needs to set the backend of a config up.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn snippets(&self, config: &str, limits: &Limits) -> Result<Vec<Snippet>, CallError> {
        let (mut advice, config) = (self.advice(self.loaded.label.clone(), limits), config.to_owned());
        self.on_own_thread(async move { advice.snippets(&config).await }).await
    }

    fn advice(&self, publisher: Arc<str>, limits: &Limits) -> Advice {
        Advice::new(self.loaded.code.pre.clone(), self.identity(publisher), limits.clone())
    }

    async fn on_own_thread<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        self.loaded.runtime.spawn(call).await.unwrap_or(Err(Fault::Gone.into()))
    }

    /// Opens a publisher in a sandbox of its own.
    ///
    /// # Errors
    /// What the plugin says against it (`unavailable` and `unauthorized` may pass), or the fault that ended it.
    pub async fn open(&self, options: OpenOptions) -> Result<Instance, CallError> {
        let (pre, identity) = (self.loaded.code.pre.clone(), self.identity(options.publisher.clone()));
        let opening = async move { OpenPublisher::open(&pre, identity, options).await };
        Instance::start(&self.loaded.runtime, opening).await
    }

    fn identity(&self, publisher: Arc<str>) -> Identity {
        Identity { publisher, plugin: self.loaded.label.clone() }
    }
}

#[cfg(test)]
mod tests;
