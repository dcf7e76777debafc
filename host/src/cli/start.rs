//! From a config to publishers, and from what goes wrong on the way to the line in the config that is meant.

use std::path::Path;

use crate::config::{self, Checked, ConfigError, Problem};
use crate::engine::EngineOptions;
use crate::pipeline::{Pipeline, Scrapes, StartError, StartProblem, Workshop};
use crate::plugin::Plugin;

/// What configs are usually called; none is used unless it is named.
pub(super) const USUAL_NAME: &str = "metricast.toml";

/// The config of a file, or the built-in one.
pub(super) fn config(path: Option<&Path>) -> Result<Checked, ConfigError> {
    let checked = path.map_or_else(|| Ok(config::built_in()), config::load)?;
    tracing::debug!(?path, publishers = checked.publishers.len(), "the config is read");
    Ok(checked)
}

/// A workshop with a cache of compiled plugins.
pub(super) fn workshop() -> anyhow::Result<Workshop> {
    Ok(Workshop::new(&EngineOptions::default())?)
}

/// Threads that serve and wait; plugins have their own.
pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Opens the publishers of a config; the workshop is for those that come later.
pub(super) async fn pipeline(config: &Checked, scrapes: Scrapes) -> anyhow::Result<(Pipeline, Workshop)> {
    let workshop = workshop()?;
    let config = workshop.split(config).await;
    let started = Pipeline::start(&config, &workshop, scrapes).await;
    Ok((started.map_err(|error| failed(&config, error))?, workshop))
}

/// Points at what is wrong with a config that cannot be run.
pub(super) fn failed(config: &Checked, error: StartError) -> anyhow::Error {
    match error {
        StartError::Publisher { publisher, problem } => {
            ConfigError::Invalid(vec![told(config, publisher, &problem)]).into()
        }
        StartError::Queue(_) | StartError::Stopping => error.into(),
    }
}

/// Points what is wrong with a publisher at its place in the config.
pub(super) fn told(config: &Checked, publisher: usize, problem: &StartProblem) -> Problem {
    match problem {
        StartProblem::Load(error) => config.blame(publisher, "plugin", error.problem.to_string()),
        StartProblem::Listen { address, source } => {
            let scraped = |other: &config::Publisher| {
                let alike = config.publishers.get(publisher).is_some_and(|this| this.plugin == other.plugin);
                other.listen.stated || other.config.get("port").is_some() || alike
            };
            let user = listener_before(config, publisher, scraped);
            let told = user.map_or_else(
                || problem.to_string(),
                |user| format!("cannot listen on {address} for scrapes: {source}; {user} has it"),
            );
            let key = config.publishers.get(publisher).map_or("listen", config::Publisher::listen_key);
            config.blame(publisher, key, told)
        }
        StartProblem::NothingToScrape => {
            config.blame(publisher, "listen", "this plugin has nothing to scrape; leave the key out")
        }
        StartProblem::Grant(error) if !error.in_settings => {
            config.blame(publisher, &error.key, error.error.to_string())
        }
        StartProblem::Grant(_) | StartProblem::Secret(_) | StartProblem::Refused(_) => {
            config.explain(publisher, &problem.to_string())
        }
    }
}

/// Who in the same config listens where this publisher is to be scraped; `scraped` says of those before it whether they
/// are.
pub(super) fn listener_before(
    config: &Checked,
    publisher: usize,
    scraped: impl Fn(&config::Publisher) -> bool,
) -> Option<String> {
    let address = config.publishers.get(publisher)?.listen.address;
    if config::overlap(config.ingest.listen, address) {
        return Some("`ingest.listen`".to_owned());
    }
    let before = config.publishers.iter().take(publisher);
    let user = before.into_iter().find(|other| scraped(other) && config::overlap(other.listen.address, address))?;
    Some(format!("publisher {}", user.name))
}

/// What a plugin says that it does.
pub(super) fn about(plugin: &Plugin) -> &str {
    plugin.description().config_schema["description"].as_str().unwrap_or_default()
}
