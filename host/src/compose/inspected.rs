//! What a plugin's opening shows of it before anything runs: without any network, and with a config or an empty one.
//!
//! A plugin that cannot be opened so stays unknown: it needs its backend, or more of a config than there is.

use super::error::ComposeError;
use crate::egress::Secrets;
use crate::grants::Grants;
use crate::limits::Limits;
use crate::pipeline::Workshop;
use crate::plugin::{LoadError, OpenOptions, Plugin, PluginSource, Profile, bundled};

/// The key of a composite's `extra` that names its plugins.
const LEGS: &str = "legs";

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
        let options = OpenOptions::new(&label, config, Grants::default(), Secrets::default(), limits);
        let profile = plugin.open(options).await.ok().map(|instance| *instance.profile());
        Ok(Self { plugin, source: source.clone(), profile })
    }

    /// The names of the plugins in it: its own, or of a composite those of its legs.
    pub fn names(&self) -> Vec<&str> {
        let description = self.plugin.description();
        let legs = description.extra.iter().find(|(key, _)| key == LEGS);
        legs.map_or_else(|| vec![description.name.as_str()], |(_, names)| names.split(',').collect())
    }

    /// Which of the plugins in it is known to have something to scrape; of a composite, that is of bundled ones.
    async fn scraped(&self, workshop: &Workshop) -> Result<Option<String>, LoadError> {
        if let Some(profile) = self.profile {
            return Ok(profile.scrapes.then(|| self.source.to_string()));
        }
        for name in self.names() {
            let Some(name) = bundled().find(|known| *known == name) else { continue };
            let leg = Box::pin(Self::open(workshop, &PluginSource::Bundled(name), "{}")).await?;
            if leg.profile.is_some_and(|profile| profile.scrapes) {
                return Ok(Some(format!("{name} (in {})", self.source)));
            }
        }
        Ok(None)
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
        match (plugin.scraped(workshop).await?, &scraped) {
            (Some(second), Some(first)) => return Err(ComposeError::TwoScraped(first.clone(), second)),
            (Some(first), None) => scraped = Some(first),
            (None, _) => {}
        }
    }
    Ok(())
}
