//! What a publisher of this crate is set up with, in the words of a config file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::start::StartError;
use crate::config::defaults::{LEAST_SIZE, MEMORY_QUEUE};
use crate::config::{Batching, Checked, Listen, Publisher, Retry};
use crate::egress::{ExtraRoots, Secret};
use crate::limits::{LimitError, Limits};
use crate::pipeline::{Scrapes, StartProblem};
use crate::plugin::{LoadError, LoadProblem, PluginSource};

/// Bytes of a publisher's name at most.
pub(super) const MAX_NAME: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) plugin: Source,
    pub(super) config: Map<String, Value>,
    pub(super) secrets: BTreeMap<String, Secret>,
    /// Where it is scraped, if it is.
    pub(super) listen: Option<SocketAddr>,
    pub(super) allow: Vec<String>,
    pub(super) batch: Batching,
    pub(super) retry: Retry,
    pub(super) queue_size: usize,
    pub(super) max_memory: Option<usize>,
    pub(super) call_timeout: Option<Duration>,
    pub(super) ca: Option<PathBuf>,
}

/// Where its plugin comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Bundled(&'static str),
    File(PathBuf),
}

impl Settings {
    pub(super) fn new(name: impl Into<String>, plugin: Source) -> Self {
        Self {
            name: name.into(),
            plugin,
            config: Map::new(),
            secrets: BTreeMap::new(),
            listen: None,
            allow: Vec::new(),
            batch: Batching::default(),
            retry: Retry::default(),
            queue_size: MEMORY_QUEUE,
            max_memory: None,
            call_timeout: None,
            ca: None,
        }
    }

    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.config.insert(key.to_owned(), value.into());
    }

    /// A credential: the plugin gets a placeholder of it.
    pub(super) fn set_secret(&mut self, key: &str, value: impl Into<Box<str>>) {
        self.secrets.insert(key.to_owned(), Secret::new(value));
        self.set(key, json!({ "secret": format!("given:{key}") }));
    }

    /// A user with a password, as [`set_secret`](Self::set_secret).
    pub(super) fn set_pair(&mut self, key: &str, user: impl Into<String>, password: impl Into<Box<str>>) {
        self.secrets.insert(key.to_owned(), Secret::new(password));
        self.set(key, json!({ "basic": { "user": user.into(), "secret": format!("given:{key}") } }));
    }

    /// One text of a table of texts, such as `labels`.
    pub(super) fn set_in(&mut self, key: &str, name: impl Into<String>, value: Value) {
        let table = self.config.entry(key).or_insert_with(|| Value::Object(Map::new()));
        if let Some(table) = table.as_object_mut() {
            table.insert(name.into(), value);
        }
    }

    pub(super) fn scrapes(&self) -> Scrapes {
        if self.listen.is_some() { Scrapes::Served } else { Scrapes::Off }
    }

    /// As a config file would have it; files that it names are read.
    pub(super) fn checked(&self) -> Result<Checked, StartError> {
        self.check_numbers()?;
        let mut publisher = Publisher::of_program(&self.name, self.source()?);
        if let Some(address) = self.listen {
            publisher.listen = Listen { address, stated: true };
        }
        publisher.allow.clone_from(&self.allow);
        publisher.limits =
            self.limits().map_err(|error| self.wrong(error.name, format!("must be at least {}", error.least)))?;
        publisher.batch = self.batch.clone();
        publisher.retry = self.retry.clone();
        if let Some(path) = &self.ca {
            publisher.trust = ExtraRoots::read(path).map_err(|error| self.wrong("tls_ca", error.to_string()))?;
        }
        publisher.config = Value::Object(self.config.clone());
        publisher.given_secrets.clone_from(&self.secrets);
        Ok(Checked::of_program(publisher, self.queue_size))
    }

    fn source(&self) -> Result<PluginSource, StartError> {
        match &self.plugin {
            Source::File(path) => Ok(PluginSource::File(path.clone())),
            Source::Bundled(name) => PluginSource::bundled(name).map_err(|error| {
                let problem = LoadProblem::Invalid(error.to_string());
                self.failed(StartProblem::Load(LoadError { plugin: (*name).to_owned(), problem }))
            }),
        }
    }

    fn limits(&self) -> Result<Limits, LimitError> {
        let limits = match self.max_memory {
            Some(bytes) => Limits::default().with_memory(bytes)?,
            None => Limits::default(),
        };
        self.call_timeout.map_or(Ok(limits.clone()), |time| limits.with_call_time(time))
    }

    fn check_numbers(&self) -> Result<(), StartError> {
        let Self { batch, retry, .. } = self;
        let wrong = [
            (self.name.is_empty() || self.name.len() > MAX_NAME, "name", "1 to 64 bytes are wanted"),
            (self.queue_size < LEAST_SIZE, "queue_size", "needs at least 1 KiB: a record has to fit"),
            (batch.max_records == 0, "batch_max_records", "needs more than 0"),
            (batch.max_bytes == 0, "batch_max_bytes", "needs more than 0"),
            (retry.initial.is_zero(), "retry", "the first pause needs more than 0"),
            (retry.max < retry.initial, "retry", "the longest pause is shorter than the first"),
        ];
        let first = wrong.into_iter().find(|(is_wrong, ..)| *is_wrong);
        first.map_or(Ok(()), |(_, key, problem)| Err(self.wrong(key, problem.to_owned())))
    }

    fn wrong(&self, key: &'static str, problem: String) -> StartError {
        StartError::Setting { publisher: self.name.clone(), key, problem }
    }

    pub(super) fn failed(&self, problem: StartProblem) -> StartError {
        StartError::Publisher { publisher: self.name.clone(), problem: Arc::new(problem) }
    }
}
