//! What a plugin's opening shows of it before anything runs: without any network, and with a config or an empty one.
//!
//! A plugin that cannot be opened so stays unknown: it needs its backend, or more of a config than there is.

use super::error::ComposeError;
use crate::limits::Limits;
use crate::pipeline::Workshop;
use crate::plugin::{LoadError, OpenOptions, Plugin, PluginSource, Profile, bundled};

/// The key of a composite's `extra` that names its plugins.
const LEGS: &str = "legs";
/// Bundled plugins that keep no state whatever their config, and need a backend to be opened.
const STATELESS: &[&str] = &["elasticsearch"];

/// A plugin, and what is known of it.
pub struct Inspected {
    /// The plugin.
    pub plugin: Plugin,
    /// As the user named it.
    pub source: PluginSource,
    /// What it is like with the config that it was opened with; nothing where it cannot be opened so.
    pub profile: Option<Profile>,
}

impl Inspected {
    /// Loads a plugin and opens it with this config, JSON text, and no network.
    ///
    /// # Errors
    /// With what makes it unfit.
    pub async fn open(workshop: &Workshop, source: &PluginSource, config: &str) -> Result<Self, LoadError> {
        let limits = Limits::default();
        let plugin = workshop.load(source, &limits).await?;
        let label = source.to_string();
        let options = OpenOptions::without_network(&label, config, limits);
        let profile = plugin.open(options).await.ok().map(|instance| *instance.profile());
        Ok(Self { plugin, source: source.clone(), profile })
    }

    /// The names of the plugins in it: its own, or of a composite those of its legs.
    pub fn names(&self) -> Vec<&str> {
        let legs = self.legs();
        if legs.is_empty() { vec![&self.plugin.description().name] } else { legs }
    }

    /// The names of a composite's plugins.
    fn legs(&self) -> Vec<&str> {
        let legs = self.plugin.description().extra.iter().find(|(key, _)| key == LEGS);
        legs.map_or_else(Vec::new, |(_, names)| names.split(',').collect())
    }

    /// The first plugin in it that is known to be so; of a composite that cannot be opened, bundled ones are known.
    async fn is_there(
        &self,
        workshop: &Workshop,
        is_so: impl Fn(&Profile) -> bool + Copy,
    ) -> Result<Option<String>, LoadError> {
        if let Some(profile) = &self.profile {
            return Ok(is_so(profile).then(|| self.source.to_string()));
        }
        for name in self.legs() {
            let Some(name) = bundled().find(|known| *known == name) else { continue };
            let leg = Self::open(workshop, &PluginSource::Bundled(name), "{}").await?;
            if leg.profile.as_ref().is_some_and(is_so) {
                return Ok(Some(format!("{name} (in {})", self.source)));
            }
        }
        Ok(None)
    }

    /// Which plugin in it is known to keep state between calls.
    ///
    /// # Errors
    /// Where a bundled plugin cannot be loaded.
    pub async fn stateful(&self, workshop: &Workshop) -> Result<Option<String>, LoadError> {
        self.is_there(workshop, |profile| profile.stateful).await
    }

    /// Whether nothing in it is known to keep state, and nothing is sure not to.
    pub fn may_be_stateful(&self) -> bool {
        let is_sure = |name: &str| STATELESS.contains(&name);
        self.profile.is_none() && !self.names().into_iter().all(is_sure)
    }
}

/// Refuses more than one plugin that is known to have something to scrape. What is not known before a config is there
/// the composite refuses when it is opened.
///
/// # Errors
/// [`ComposeError::TwoScraped`].
pub async fn refuse_two_scraped(workshop: &Workshop, plugins: &[Inspected]) -> Result<(), ComposeError> {
    let mut scraped: Option<String> = None;
    for plugin in plugins {
        match (plugin.is_there(workshop, |profile| profile.scrapes).await?, &scraped) {
            (Some(second), Some(first)) => return Err(ComposeError::TwoScraped(first.clone(), second)),
            (Some(first), None) => scraped = Some(first),
            (None, _) => {}
        }
    }
    Ok(())
}
