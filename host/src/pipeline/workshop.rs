//! From a publisher of the config to what can be opened: its plugin loaded, its settings completed and judged, its
//! secrets read, its grants drawn up.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{StartError, StartProblem, WorkshopError, split};
use crate::config::{Batching, Checked, Given, InQueue, Publisher, Retry};
use crate::egress::{Egress, Secrets};
use crate::engine::{Engine, EngineOptions};
use crate::grants::Grants;
use crate::limits::Limits;
use crate::plugin::{
    CallError, Finding, Instance, LoadError, Loader, OpenOptions, Plugin, PluginRuntime, PluginSource, Snippet,
};

/// What loads plugins.
#[derive(Clone)]
pub struct Workshop {
    loader: Loader,
    pub(super) runtime: PluginRuntime,
}

/// What a publisher is made from: two that are alike do the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    plugin: String,
    settings: [u8; 32],
    batch: Batching,
    retry: Retry,
    in_queue: InQueue,
}

/// A publisher that can be opened.
#[derive(Clone)]
pub struct Prepared {
    /// Its plugin.
    pub plugin: Plugin,
    /// What it may reach.
    pub grants: Grants,
    /// What it was given beside its own settings.
    pub given: Vec<Given>,
    pub(super) options: OpenOptions,
    pub(super) identity: Identity,
}

impl Prepared {
    /// Opens the publisher by itself, without a queue before it.
    ///
    /// # Errors
    /// What the plugin says against it, or what it broke of.
    pub async fn open(&self) -> Result<Instance, CallError> {
        self.plugin.open(self.options.clone()).await
    }

    /// Lets the plugin ask its backend how it stands; takes as long as a call of the publisher may.
    ///
    /// # Errors
    /// Where the plugin breaks, or takes too long.
    pub async fn probe(&self) -> Result<Vec<Finding>, CallError> {
        self.plugin.probe(self.options.clone()).await
    }
}

impl Workshop {
    /// Sets up an engine and threads for plugins.
    ///
    /// # Errors
    /// Where the machine has neither.
    pub fn new(options: &EngineOptions) -> Result<Self, WorkshopError> {
        let runtime = PluginRuntime::new()?;
        let loader = Loader::new(&Engine::new(options)?, &runtime)?;
        Ok(Self { loader, runtime })
    }

    /// Loads a plugin.
    ///
    /// # Errors
    /// With what makes it unfit.
    pub async fn load(&self, source: &PluginSource, limits: &Limits) -> Result<Plugin, LoadError> {
        self.loader.load(source, limits).await
    }

    /// The config with each publisher that its plugin wants opened more than once as that many, called `NAME/WHAT`. One
    /// whose plugin cannot be loaded stays as it is: whoever opens it is told why.
    #[must_use]
    pub async fn split(&self, config: &Checked) -> Checked {
        let mut split = config.clone();
        split.publishers.clear();
        for publisher in &config.publishers {
            let parts = if split::has_list(publisher) { self.parts(publisher).await } else { Vec::new() };
            if parts.is_empty() {
                split.publishers.push(publisher.clone());
            }
            split.publishers.extend(parts);
        }
        split
    }

    async fn parts(&self, publisher: &Publisher) -> Vec<Publisher> {
        let loaded = self.load(&publisher.plugin, &publisher.limits).await;
        loaded.map(|plugin| split::parts(plugin.description(), publisher)).unwrap_or_default()
    }

    /// Loads a publisher's plugin and lets it judge its settings; secrets are read (from files below the config's
    /// folder where their path is relative), nothing is sent.
    ///
    /// # Errors
    /// With what is wrong.
    pub async fn prepare(&self, config: &Checked, publisher: &Publisher) -> Result<Prepared, StartProblem> {
        let plugin = self.load(&publisher.plugin, &publisher.limits).await?;
        prepare(plugin, config, publisher).await
    }

    /// What a person needs to set up the backend of a publisher. Reads no secrets.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn snippets(&self, config: &Checked, publisher: &Publisher) -> Result<Vec<Snippet>, StartProblem> {
        let plugin = self.load(&publisher.plugin, &publisher.limits).await?;
        let (mut settings, _) = settings(&plugin, config, publisher);
        Secrets::hide(&mut settings)?;
        Ok(plugin.snippets(&settings.to_string(), &publisher.limits).await?)
    }

    /// As [`prepare`](Self::prepare) for all publishers, each plugin loaded once.
    pub(super) async fn prepare_all(&self, config: &Checked) -> Result<Vec<Prepared>, StartError> {
        let mut plugins: BTreeMap<String, Plugin> = BTreeMap::new();
        let mut prepared = Vec::new();
        for (index, publisher) in config.publishers.iter().enumerate() {
            let at = |problem| StartError::Publisher { publisher: index, problem };
            let source = publisher.plugin.to_string();
            let plugin = match plugins.get(&source) {
                Some(plugin) => plugin.clone(),
                None => self.load(&publisher.plugin, &publisher.limits).await.map_err(|error| at(error.into()))?,
            };
            plugins.insert(source, plugin.clone());
            prepared.push(prepare(plugin, config, publisher).await.map_err(at)?);
        }
        Ok(prepared)
    }
}

/// A publisher's settings with what it is given.
fn settings(plugin: &Plugin, config: &Checked, publisher: &Publisher) -> (Value, Vec<Given>) {
    let mut settings = publisher.config.clone();
    let given = config.shared.fill(&plugin.description().config_schema, &mut settings);
    (settings, given)
}

async fn prepare(plugin: Plugin, config: &Checked, publisher: &Publisher) -> Result<Prepared, StartProblem> {
    let Opening { options, grants, given } = options(&plugin, config, publisher)?;
    plugin.check(options.config(), &publisher.limits).await?;
    let identity = identity(&plugin, config, publisher, options.egress());
    Ok(Prepared { plugin, grants, given, options, identity })
}

fn identity(plugin: &Plugin, config: &Checked, publisher: &Publisher, egress: &Egress) -> Identity {
    let Publisher { batch, retry, in_queue, limits, allow, .. } = publisher;
    let mut digest = Sha256::new();
    digest.update(settings(plugin, config, publisher).0.to_string());
    digest.update(format!("{limits:?} {allow:?}"));
    egress.feed(&mut digest);
    Identity {
        plugin: plugin.digest().to_owned(),
        settings: digest.finalize().into(),
        batch: batch.clone(),
        retry: retry.clone(),
        in_queue: *in_queue,
    }
}

/// What a publisher is opened with, and where it comes from. Its plugin has not judged it.
pub(crate) struct Opening {
    pub(crate) options: OpenOptions,
    grants: Grants,
    given: Vec<Given>,
}

/// Reads the secrets of a publisher and draws up its grants.
pub(crate) fn options(plugin: &Plugin, config: &Checked, publisher: &Publisher) -> Result<Opening, StartProblem> {
    // What it is given names no origin, whatever its schema says: only what the user wrote for it does.
    let grants = Grants::from_config(&plugin.description().config_schema, &publisher.config, &publisher.allow)?;
    let grants = match &publisher.plugin {
        PluginSource::Bundled(name) => grants.with_own_of(name),
        PluginSource::File(_) => grants,
    };
    let (mut settings, given) = settings(plugin, config, publisher);
    let secrets = Secrets::extract_given(&mut settings, &config.folder, &publisher.given_secrets)?;
    let (limits, trust) = (publisher.limits.clone(), publisher.trust.clone());
    let options = OpenOptions::trusting(&publisher.name, &settings.to_string(), grants.clone(), secrets, limits, trust);
    Ok(Opening { options, grants, given })
}
