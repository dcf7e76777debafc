//! The second stage: defaults filled in, and keys held against each other.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};
use url::Url;

use super::admin::{admin, yielded};
use super::checked::{Batching, Checked, Ingest, Listen, Publisher, Retry, overlap};
use super::defaults;
use super::places::Places;
use super::problem::{Problem, Source};
use super::queue::{in_queue, queue};
use super::raw::{Raw, RawBatching, RawConfig, RawDefaults, RawIngest, RawPublisher, RawRetry};
use super::reader::{At, Place, Problems};
use super::shared::{self, SharedSettings};
use super::show_time;
use crate::egress::ExtraRoots;
use crate::grants::Origin;
use crate::limits::{LimitError, Limits};
use crate::plugin::{self, PluginSource};

/// Of a config.
pub(super) struct Whereabouts<'a> {
    /// Where its relative paths start.
    pub(super) folder: &'a Path,
    /// Its file, if it is in one.
    pub(super) file: Option<&'a Path>,
}

/// Checks what was read.
pub(super) fn check(
    raw: Raw,
    source: &Source,
    mut problems: Problems<'_>,
    whereabouts: &Whereabouts<'_>,
) -> Result<Checked, Vec<Problem>> {
    let folder = whereabouts.folder;
    let ingest = ingest(raw.ingest, &mut problems);
    let mut listens = Listens(vec![(ingest.listen, "`ingest.listen`".to_owned())]);
    let admin = admin(raw.admin, &mut listens, &mut problems);
    let queue = queue(raw.queue, folder, &mut problems);
    let trust = trust(raw.defaults.tls.ca.as_ref(), folder, &mut problems);
    let shared = shared(raw.defaults, whereabouts.file, &mut problems);
    let is_durable = queue.path.is_some();
    let surroundings = Surroundings { folder, is_durable, trust: &trust };
    let publishers = publishers(raw.publishers, &surroundings, &mut listens, &mut problems);
    let admin = yielded(admin, |address| listens.0.iter().any(|(taken, _)| overlap(*taken, address)));
    let drain_timeout = raw.drain_timeout.map_or(defaults::DRAIN_TIMEOUT, |at| at.value);
    let problems = problems.finish();
    if problems.is_empty() {
        Ok(Checked {
            ingest,
            admin,
            queue,
            shared,
            publishers,
            drain_timeout,
            folder: folder.to_owned(),
            source: Some(source.clone()),
        })
    } else {
        Err(problems)
    }
}

fn ingest(raw: RawIngest, problems: &mut Problems<'_>) -> Ingest {
    Ingest {
        listen: address(raw.listen, defaults::INGEST_LISTEN.port(), problems).unwrap_or(defaults::INGEST_LISTEN),
        max_body: size(raw.max_body, defaults::MAX_BODY, problems),
    }
}

fn shared(raw: RawDefaults, file: Option<&Path>, problems: &mut Problems<'_>) -> SharedSettings {
    let (mut values, mut places) = (Map::new(), Places::default());
    let mut taken = |key: String, At { value, place }: At<String>| {
        if value.is_empty() {
            problems.add(&place, "is empty: leave the key out");
        }
        places.insert(key, place.span);
        Value::String(value)
    };
    for (key, at) in raw.texts {
        values.insert(key.to_owned(), taken(key.to_owned(), at));
    }
    if let Some((place, texts)) = raw.labels {
        let texts = texts.into_iter().map(|(name, at)| (name.clone(), taken(format!("labels.{name}"), at))).collect();
        values.insert("labels".to_owned(), Value::Object(texts));
        places.insert("labels".to_owned(), place.span);
    }
    let host = shared::host();
    let instance = shared::instance(&host, file);
    SharedSettings::new(values, places, instance, host)
}

/// The certificates of a file; none where no file is named.
fn trust(ca: Option<&At<String>>, folder: &Path, problems: &mut Problems<'_>) -> ExtraRoots {
    let Some(At { value, place }) = ca else {
        return ExtraRoots::default();
    };
    ExtraRoots::read(&folder.join(value)).unwrap_or_else(|error| {
        problems.add(place, error.to_string());
        ExtraRoots::default()
    })
}

/// What a publisher meets in its config.
struct Surroundings<'a> {
    folder: &'a Path,
    is_durable: bool,
    trust: &'a ExtraRoots,
}

fn publishers(
    raw: Option<Vec<RawPublisher>>,
    around: &Surroundings<'_>,
    listens: &mut Listens,
    problems: &mut Problems<'_>,
) -> Vec<Publisher> {
    let Some(raw) = raw.filter(|list| !list.is_empty()) else {
        if problems.is_empty() {
            let place = Place { key: "publishers".to_owned(), span: 0..0 };
            problems.add(&place, "there is none: add [[publishers]] with plugin = \"prometheus\" or another");
        }
        return Vec::new();
    };
    let mut names = Taken::new("the name");
    raw.into_iter().filter_map(|raw| publisher(raw, around, &mut names, listens, problems)).collect()
}

/// What only one publisher can have, and who has it.
struct Taken(HashMap<String, String>, &'static str);

impl Taken {
    fn new(what: &'static str) -> Self {
        Self(HashMap::new(), what)
    }

    fn take(&mut self, value: &str, place: &Place, problems: &mut Problems<'_>) {
        let Self(owners, what) = self;
        if let Some(owner) = owners.get(value) {
            problems.add(place, format!("{what} {value} is taken by {owner}"));
        } else {
            owners.insert(value.to_owned(), format!("`{}`", place.key));
        }
    }
}

/// Addresses that are listened on, and by whom.
pub(super) struct Listens(Vec<(SocketAddr, String)>);

impl Listens {
    pub(super) fn take(&mut self, address: SocketAddr, place: &Place, problems: &mut Problems<'_>) {
        if let Some((taken, owner)) = self.0.iter().find(|(taken, _)| overlap(*taken, address)) {
            let whole = if *taken == address { String::new() } else { format!(" ({taken})") };
            problems.add(place, format!("the address {address} is taken by {owner}{whole}"));
        } else {
            self.0.push((address, format!("`{}`", place.key)));
        }
    }
}

fn publisher(
    raw: RawPublisher,
    around: &Surroundings<'_>,
    names: &mut Taken,
    listens: &mut Listens,
    problems: &mut Problems<'_>,
) -> Option<Publisher> {
    let Some(plugin_at) = raw.plugin else {
        if !problems.has(&format!("{}.plugin", raw.place.key)) {
            let all = plugin::bundled().collect::<Vec<_>>().join(", ");
            problems.add(&raw.place, format!("has no `plugin`: one of {all} or the path of a component"));
        }
        return None;
    };
    let plugin = plugin_source(&plugin_at, around.folder, problems)?;
    let keys = Places::of([
        ("plugin", Some(&plugin_at.place)),
        ("listen", raw.listen.as_ref().map(|at| &at.place)),
        ("allow", raw.allow.as_ref().and_then(|all| all.first()).map(|at| &at.place)),
    ]);
    let port = port(&raw.config, &raw.place.key, &plugin);
    let name = name(raw.name, &plugin, &plugin_at.place, names, problems);
    let listen = listen(raw.listen, port.as_ref(), listens, problems);
    Some(Publisher {
        name,
        plugin,
        listen,
        allow: raw.allow.unwrap_or_default().into_iter().filter_map(|at| origin(&at, problems)).collect(),
        limits: limits(raw.max_memory, raw.call_timeout, problems),
        in_queue: in_queue(raw.in_queue, around.is_durable, problems),
        batch: batching(raw.batch, problems),
        retry: retry(raw.retry, problems),
        trust: match &raw.tls.ca {
            Some(_) => trust(raw.tls.ca.as_ref(), around.folder, problems),
            None => around.trust.clone(),
        },
        config: raw.config.value,
        given_secrets: std::collections::BTreeMap::new(),
        place: raw.place.span,
        keys,
        places: raw.config.places,
    })
}

fn plugin_source(at: &At<String>, folder: &Path, problems: &mut Problems<'_>) -> Option<PluginSource> {
    match at.value.parse() {
        Ok(PluginSource::File(path)) => {
            let path = folder.join(path);
            if path.is_dir() {
                problems.add(&at.place, format!("{} is a folder", path.display()));
            } else if !path.is_file() {
                problems.add(&at.place, format!("there is no file {}", path.display()));
            }
            Some(PluginSource::File(path))
        }
        Ok(bundled) => Some(bundled),
        Err(error) => {
            problems.add(&at.place, error.to_string());
            None
        }
    }
}

fn name(
    raw: Option<At<String>>,
    plugin: &PluginSource,
    plugin_place: &Place,
    names: &mut Taken,
    problems: &mut Problems<'_>,
) -> String {
    const LONGEST: usize = 64;
    let stated = raw.is_some();
    let at = raw.unwrap_or_else(|| At { value: default_name(plugin), place: plugin_place.clone() });
    let fits = at.value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !fits || at.value.is_empty() || at.value.len() > LONGEST {
        let advice = if stated { "" } else { ": give this publisher a `name`" };
        let text =
            format!("a name is 1 to {LONGEST} letters, digits, `-`, `_` and `.`; found \"{}\"{advice}", at.value);
        problems.add(&at.place, text);
    } else {
        names.take(&at.value, &at.place, problems);
    }
    at.value
}

fn default_name(plugin: &PluginSource) -> String {
    match plugin {
        PluginSource::Bundled(name) => (*name).to_owned(),
        PluginSource::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// `port` in a plugin's own settings.
struct Port {
    value: u16,
    place: Place,
    /// Of other plugins it is not known here whether they are scraped there.
    bundled: bool,
}

fn port(config: &RawConfig, publisher: &str, plugin: &PluginSource) -> Option<Port> {
    let value = config.value.get("port")?.as_u64()?.try_into().ok()?;
    let place = Place { key: format!("{publisher}.config.port"), span: config.places.find("port")? };
    Some(Port { value, place, bundled: matches!(plugin, PluginSource::Bundled(_)) })
}

/// `listen`, else the plugin's own `port` on the loopback address, else the default.
fn listen(raw: Option<At<String>>, port: Option<&Port>, taken: &mut Listens, problems: &mut Problems<'_>) -> Listen {
    if let Some(at) = raw {
        let place = at.place.clone();
        let Some(address) = address(Some(at), defaults::SCRAPE_LISTEN.port(), problems) else {
            return Listen { address: defaults::SCRAPE_LISTEN, stated: true };
        };
        if let Some(port) = port.filter(|port| port.bundled && port.value != address.port()) {
            let text = format!("contradicts `listen`, which says {}: leave one of them out", address.port());
            problems.add(&port.place, text);
        }
        taken.take(address, &place, problems);
        return Listen { address, stated: true };
    }
    let Some(port) = port else {
        return Listen { address: defaults::SCRAPE_LISTEN, stated: false };
    };
    let address = (Ipv4Addr::LOCALHOST, port.value).into();
    if port.bundled {
        taken.take(address, &port.place, problems);
    }
    Listen { address, stated: false }
}

/// `usual` is the port that is advised where the text has none.
pub(super) fn address(at: Option<At<String>>, usual: u16, problems: &mut Problems<'_>) -> Option<SocketAddr> {
    let At { value, place } = at?;
    if let Ok(address) = value.parse() {
        return Some(address);
    }
    let port = value.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(usual);
    let text = format!("\"{value}\" is no address: write IP:PORT, for this machine only \"127.0.0.1:{port}\"");
    problems.add(&place, text);
    None
}

fn origin(at: &At<String>, problems: &mut Problems<'_>) -> Option<String> {
    let origin = match at.value.parse::<Origin>() {
        Ok(origin) => origin,
        Err(error) if at.value.contains('@') => {
            let quote = at.place.span.start..at.place.span.start + 1;
            problems.add_hidden(&Place { key: at.place.key.clone(), span: quote }, error.to_string());
            return None;
        }
        Err(error) => {
            problems.add(&at.place, error.to_string());
            return None;
        }
    };
    let whole = Url::parse(&at.value).is_ok_and(|url| url.path() == "/" && url.query().is_none());
    if !whole {
        problems.add(&at.place, format!("a whole origin is granted, not a part of it: write \"{origin}\""));
    }
    Some(origin.to_string())
}

fn limits(memory: Option<At<usize>>, time: Option<At<Duration>>, problems: &mut Problems<'_>) -> Limits {
    let with_memory = limit(Limits::default(), memory, Limits::with_memory, problems);
    limit(with_memory, time, Limits::with_call_time, problems)
}

fn limit<T>(
    limits: Limits,
    at: Option<At<T>>,
    set: impl FnOnce(Limits, T) -> Result<Limits, LimitError>,
    problems: &mut Problems<'_>,
) -> Limits {
    let Some(At { value, place }) = at else {
        return limits;
    };
    set(limits.clone(), value).unwrap_or_else(|error| {
        problems.add(&place, format!("needs at least {}", error.least));
        limits
    })
}

fn batching(raw: RawBatching, problems: &mut Problems<'_>) -> Batching {
    Batching {
        max_records: positive(raw.max_records, defaults::BATCH_RECORDS, problems),
        max_bytes: positive(raw.max_bytes, defaults::BATCH_BYTES, problems),
        max_age: raw.max_age.map_or(defaults::BATCH_AGE, |at| at.value),
    }
}

fn retry(raw: RawRetry, problems: &mut Problems<'_>) -> Retry {
    let place = raw.max.as_ref().or(raw.initial.as_ref()).map(|at| at.place.clone());
    let initial = some_time(raw.initial, defaults::RETRY_INITIAL, problems);
    let max = some_time(raw.max, defaults::RETRY_MAX, problems);
    if let Some(place) = place.filter(|_| max < initial) {
        let (first, longest) = (show_time(initial), show_time(max));
        problems.add(&place, format!("the longest pause ({longest}) is shorter than the first ({first})"));
    }
    Retry { initial, max, give_up_after: raw.give_up_after.map(|at| at.value) }
}

pub(super) fn positive(at: Option<At<usize>>, default: usize, problems: &mut Problems<'_>) -> usize {
    let Some(At { value, place }) = at else {
        return default;
    };
    if value == 0 {
        problems.add(&place, "needs more than 0");
    }
    value
}

/// A size that holds a record.
pub(super) fn size(at: Option<At<usize>>, default: usize, problems: &mut Problems<'_>) -> usize {
    let Some(At { value, place }) = at else {
        return default;
    };
    if value < defaults::LEAST_SIZE {
        problems.add(&place, "needs at least 1KiB: a record has to fit");
    }
    value
}

fn some_time(at: Option<At<Duration>>, default: Duration, problems: &mut Problems<'_>) -> Duration {
    let Some(At { value, place }) = at else {
        return default;
    };
    if value.is_zero() {
        problems.add(&place, "needs more than 0s");
    }
    value
}
