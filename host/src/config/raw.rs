//! The first stage: what the file says, key by key, with places. Nothing is filled in here.

use std::time::Duration;

use serde_json::Value;
use toml::de::DeTable;

use super::WhenFull;
use super::places::{self, Places};
use super::problem::Source;
use super::reader::{At, NamedTexts, Place, Problems, Reader, within};
use crate::queue::{Start, WhenBehind};

#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) ingest: RawIngest,
    pub(super) admin: RawAdmin,
    pub(super) queue: RawQueue,
    pub(super) defaults: RawDefaults,
    pub(super) publishers: Option<Vec<RawPublisher>>,
    pub(super) drain_timeout: Option<At<Duration>>,
}

#[derive(Debug, Default)]
pub(super) struct RawIngest {
    pub(super) listen: Option<At<String>>,
    pub(super) max_body: Option<At<usize>>,
}

#[derive(Debug, Default)]
pub(super) struct RawAdmin {
    pub(super) listen: Option<At<String>>,
}

#[derive(Debug, Default)]
pub(super) struct RawQueue {
    pub(super) path: Option<At<String>>,
    pub(super) max_size: Option<At<usize>>,
    pub(super) when_full: Option<At<WhenFull>>,
    pub(super) forget_after: Option<At<Duration>>,
    pub(super) max_dead_letters: Option<At<usize>>,
}

#[derive(Debug, Default)]
pub(super) struct RawDefaults {
    /// Those that are there.
    pub(super) texts: Vec<(&'static str, At<String>)>,
    pub(super) labels: Option<NamedTexts>,
    pub(super) tls: RawTls,
}

#[derive(Debug, Default)]
pub(super) struct RawTls {
    pub(super) ca: Option<At<String>>,
}

#[derive(Debug)]
pub(super) struct RawPublisher {
    pub(super) place: Place,
    pub(super) name: Option<At<String>>,
    pub(super) plugin: Option<At<String>>,
    pub(super) listen: Option<At<String>>,
    pub(super) allow: Option<Vec<At<String>>>,
    pub(super) max_memory: Option<At<usize>>,
    pub(super) call_timeout: Option<At<Duration>>,
    pub(super) in_queue: RawInQueue,
    pub(super) batch: RawBatching,
    pub(super) retry: RawRetry,
    pub(super) tls: RawTls,
    pub(super) config: RawConfig,
}

/// What is about a publisher's place in the queue.
#[derive(Debug, Default)]
pub(super) struct RawInQueue {
    pub(super) start: Option<At<Start>>,
    pub(super) when_behind: Option<At<WhenBehind>>,
    pub(super) reset_state: Option<At<bool>>,
}

/// A plugin's own settings.
#[derive(Debug)]
pub(super) struct RawConfig {
    pub(super) value: Value,
    pub(super) places: Places,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self { value: Value::Object(serde_json::Map::new()), places: Places::default() }
    }
}

#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "they are called so in the file")]
pub(super) struct RawBatching {
    pub(super) max_records: Option<At<usize>>,
    pub(super) max_bytes: Option<At<usize>>,
    pub(super) max_age: Option<At<Duration>>,
}

#[derive(Debug, Default)]
pub(super) struct RawRetry {
    pub(super) initial: Option<At<Duration>>,
    pub(super) max: Option<At<Duration>>,
    pub(super) give_up_after: Option<At<Duration>>,
}

/// Reads a file's text; where it is no TOML at all, its errors are all that is said.
pub(super) fn read(source: &Source) -> (Raw, Problems<'_>) {
    let mut problems = Problems::new(source);
    let (root, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        let raw = within(root.get_ref(), String::new(), &mut problems, read_root);
        return (raw, problems);
    }
    for error in errors {
        let place = Place { key: String::new(), span: error.span().unwrap_or(0..0) };
        problems.add(&place, advice(&error));
    }
    (Raw::default(), problems)
}

fn read_root(root: &mut Reader<'_, '_, '_>) -> Raw {
    Raw {
        ingest: root.table("ingest", |table| RawIngest {
            listen: table.text("listen", "\"127.0.0.1:4319\""),
            max_body: table.size("max_body", "\"16MiB\""),
        }),
        admin: root.table("admin", |table| RawAdmin { listen: table.text("listen", "\"127.0.0.1:4320\" or \"off\"") }),
        queue: root.table("queue", |table| RawQueue {
            path: table.text("path", "\"metricast-data\""),
            max_size: table.size("max_size", "\"64MiB\""),
            forget_after: table.time("forget_after", "\"30d\""),
            max_dead_letters: table.count("max_dead_letters", "100000"),
            when_full: table.choice("when_full", &[("block", WhenFull::Block), ("reject", WhenFull::Reject)]),
        }),
        defaults: root.table("defaults", read_defaults),
        publishers: root.tables("publishers", read_publisher),
        drain_timeout: root.time("drain_timeout", "\"30s\""),
    }
}

fn read_defaults(table: &mut Reader<'_, '_, '_>) -> RawDefaults {
    let examples = [
        ("service", "\"shop\""),
        ("namespace", "\"sales\""),
        ("environment", "\"production\""),
        ("instance", "\"web-1\""),
        ("host", "\"web-1.example.com\""),
    ];
    let mut text = |(key, example)| Some((key, table.text(key, example)?));
    let texts = examples.into_iter().filter_map(&mut text).collect();
    let labels = table.named_texts("labels", "{ team = \"checkout\" }");
    RawDefaults { texts, labels, tls: table.table("tls", read_tls) }
}

fn read_tls(table: &mut Reader<'_, '_, '_>) -> RawTls {
    RawTls { ca: table.text("ca", "\"certificates/ca.pem\"") }
}

fn read_publisher(table: &mut Reader<'_, '_, '_>, place: Place) -> RawPublisher {
    RawPublisher {
        place,
        name: table.text("name", "\"search\""),
        plugin: table.text("plugin", "\"elasticsearch\" or \"plugins/mine.wasm\""),
        listen: table.text("listen", "\"127.0.0.1:9464\""),
        allow: table.texts("allow", "[\"https://metrics.example.com\"]"),
        max_memory: table.size("max_memory", "\"256MiB\""),
        call_timeout: table.time("call_timeout", "\"30s\""),
        in_queue: RawInQueue {
            start: table.choice("start", &[("now", Start::Now), ("oldest", Start::Oldest)]),
            when_behind: table
                .choice("when_behind", &[("block", WhenBehind::Block), ("drop_oldest", WhenBehind::DropOldest)]),
            reset_state: table.truth("reset_state"),
        },
        batch: table.table("batch", |table| RawBatching {
            max_records: table.count("max_records", "1000"),
            max_bytes: table.size("max_bytes", "\"4MiB\""),
            max_age: table.time("max_age", "\"1s\""),
        }),
        retry: table.table("retry", |table| RawRetry {
            initial: table.time("initial", "\"200ms\""),
            max: table.time("max", "\"30s\""),
            give_up_after: table.time("give_up_after", "\"1h\""),
        }),
        tls: table.table("tls", read_tls),
        config: read_config(table),
    }
}

fn read_config(table: &mut Reader<'_, '_, '_>) -> RawConfig {
    let Some((place, config)) = table.free_table("config") else {
        return RawConfig::default();
    };
    let (value, places) = places::to_json(&place, config, table.problems());
    RawConfig { value, places }
}

fn advice(error: &toml::de::Error) -> String {
    let message = error.message().replace('\n', ", ");
    // The parser says so of values such as 127.0.0.1:4319.
    match message.strip_suffix(", expected nothing") {
        Some(message) => format!("{message}; a text needs quotes"),
        None => message,
    }
}
