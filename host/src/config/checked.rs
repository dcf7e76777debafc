//! A configuration after both stages: nothing is optional that has a default.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::places::Places;
use super::problem::{Location, Problem, Source};
use super::shared::SharedSettings;
use crate::egress::{ExtraRoots, Secret, Secrets};
use crate::limits::Limits;
use crate::plugin::PluginSource;
use crate::queue::{Start, WhenBehind};

/// A configuration that was checked: every default is filled in.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Where records come in over HTTP.
    pub ingest: Ingest,
    /// Where metricast is seen from outside.
    pub admin: Admin,
    /// What holds records until every publisher has answered for them.
    pub queue: Queue,
    /// What `[defaults]` and this machine give to publishers.
    pub shared: SharedSettings,
    /// At least one.
    pub publishers: Vec<Publisher>,
    /// How long a stop waits for publishers to take what is queued.
    pub drain_timeout: Duration,
    /// Where relative paths of the file start.
    pub folder: PathBuf,
    /// Of the built-in config there is none.
    pub(super) source: Option<Source>,
}

/// `[ingest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    /// Address of `POST /v1/records`.
    pub listen: SocketAddr,
    /// The largest body in bytes, after decompression.
    pub max_body: usize,
}

/// `[admin]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin {
    /// Address of health, status and metricast's own metrics; none where they are off.
    pub listen: Option<SocketAddr>,
    /// The file says so: an address that is taken is then a mistake.
    pub stated: bool,
}

/// `[queue]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The folder that it is kept in; without one it is in memory. A relative path of the file starts at the config's
    /// folder.
    pub path: Option<PathBuf>,
    /// Bytes of records that may wait.
    pub max_size: usize,
    /// What happens to a sender when they do.
    pub when_full: WhenFull,
    /// How long a publisher that is not in the config any more keeps its place in a folder, and its records there.
    pub forget_after: Duration,
    /// Dead letters that a folder keeps; the oldest go first.
    pub max_dead_letters: u64,
}

/// What a full queue does to who brings more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The sender waits.
    Block,
    /// The sender is told to come again.
    Reject,
}

/// One of `[[publishers]]`.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Unique among the publishers.
    pub name: String,
    /// What it runs; a relative path of the file starts at the config's folder.
    pub plugin: PluginSource,
    /// Where it answers scrapes, if its plugin has something to scrape.
    pub listen: Listen,
    /// Origins it may reach besides those its own settings name, as `scheme://host:port`.
    pub allow: Vec<String>,
    /// What one instance may use.
    pub limits: Limits,
    /// Its place in the queue.
    pub in_queue: InQueue,
    /// When a batch is handed over.
    pub batch: Batching,
    /// How what could not be delivered is tried again.
    pub retry: Retry,
    /// Whom it trusts over TLS beside those whom this system trusts.
    pub trust: ExtraRoots,
    /// The plugin's own settings as the file has them: a JSON object, secrets still as `{"secret": "env:…"}`.
    pub config: Value,
    /// What a program gave as `{"secret": "given:NAME"}`, by name.
    pub(crate) given_secrets: BTreeMap<String, Secret>,
    pub(super) place: Range<usize>,
    /// Of the keys beside `config`.
    pub(super) keys: Places,
    /// Of the keys in `config`.
    pub(super) places: Places,
}

/// A publisher's place in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InQueue {
    /// Where it begins when the queue does not know it.
    pub start: Start,
    /// What happens when it holds a full queue back.
    pub when_behind: WhenBehind,
    /// A saved state that its plugin cannot be opened with is given up, and it begins with none.
    pub reset_state: bool,
}

/// Where scrapes are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The address.
    pub address: SocketAddr,
    /// The file says so by `listen`: a plugin that has nothing to scrape is then a mistake.
    pub stated: bool,
}

/// A batch is handed over as soon as one of these is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batching {
    /// Records.
    pub max_records: usize,
    /// Bytes of records.
    pub max_bytes: usize,
    /// Time since its first record came in.
    pub max_age: Duration,
}

/// Pauses between tries: from `initial`, doubling to `max`, each by chance between nothing and that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The first pause.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
    /// Age at which a record is given up and counts as rejected; none is never.
    pub give_up_after: Option<Duration>,
}

impl Checked {
    /// The files that it names, whose change is one of the config: plugins, secrets, certificate authorities.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for publisher in &self.publishers {
            if let PluginSource::File(path) = &publisher.plugin {
                files.push(path.clone());
            }
            let secrets = Secrets::references(&publisher.config);
            files.extend(secrets.filter_map(|(_, at)| Some(self.folder.join(at.strip_prefix("file:")?))));
            files.extend(publisher.trust.file().map(Path::to_owned));
        }
        files
    }

    /// Where a key of a publisher's own settings stands, by the path a plugin names it with (`tls.ca`, `hosts[0]`):
    /// the key itself, also in `[defaults]`, or the nearest table above it that is in the file, else the publisher.
    pub fn locate(&self, publisher: usize, path: &str) -> Option<Location> {
        let publisher = self.publishers.get(publisher)?;
        let span = publisher.places.find_also_in(self.shared.places(), path).unwrap_or_else(|| publisher.place.clone());
        Some(self.source.as_ref()?.locate(span))
    }

    /// Points what a plugin says about its settings (`hosts[0]: needs a scheme`) at the line that is meant, which is
    /// shown no further than the place: settings may hold what nobody else should see.
    pub fn explain(&self, publisher: usize, text: &str) -> Problem {
        let name = self.publishers.get(publisher).map_or("", |publisher| publisher.name.as_str());
        let (path, message) = match text.split_once(": ") {
            Some((path, message)) if is_key_path(path) => (path, message),
            _ => ("", text),
        };
        let key = if path.is_empty() { format!("publisher {name}") } else { format!("publisher {name}: {path}") };
        Problem::new(self.locate(publisher, path).map(Location::hiding_the_rest), key, message)
    }

    /// Points at one of a publisher's keys: `plugin`, `listen`, `allow[0]`, or within its settings `config.port`.
    pub fn blame(&self, publisher: usize, key: &str, message: impl Into<String>) -> Problem {
        let found = self.publishers.get(publisher);
        let name = found.map_or("", |publisher| publisher.name.as_str());
        let place = |found: &Publisher| match key.strip_prefix("config.") {
            Some(key) => found.places.find(key),
            None => found.keys.find(key),
        };
        let span = found.map(|found| place(found).unwrap_or_else(|| found.place.clone()));
        let location = self.source.as_ref().zip(span).map(|(source, span)| source.locate(span));
        Problem::new(location, format!("publisher {name}: {key}"), message)
    }
}

impl Publisher {
    /// The key that says where it is scraped.
    pub(crate) fn listen_key(&self) -> &'static str {
        if !self.listen.stated && self.config.get("port").is_some() { "config.port" } else { "listen" }
    }
}

/// Whether only one of two can be listened on; a port 0 is any free one.
pub(crate) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let covers =
        |wide: SocketAddr, other: SocketAddr| wide.ip().is_unspecified() && (wide.is_ipv6() || other.is_ipv4());
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || covers(a, b) || covers(b, a))
}

fn is_key_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-.[]".contains(c))
}
