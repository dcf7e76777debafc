//! A configuration that a program makes by itself: without a file, and with the defaults of one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::checked::{Admin, Batching, Checked, InQueue, Ingest, Listen, Publisher, Queue, Retry, WhenFull};
use super::defaults;
use super::places::Places;
use super::shared::{self, SharedSettings};
use crate::egress::ExtraRoots;
use crate::limits::Limits;
use crate::plugin::PluginSource;

impl Checked {
    /// One publisher behind a queue of its own; relative paths start at the working folder.
    pub(crate) fn of_program(publisher: Publisher, max_size: usize) -> Self {
        let host = shared::host();
        let instance = shared::instance(&host, std::env::current_exe().ok().as_deref());
        Self {
            ingest: Ingest { listen: defaults::INGEST_LISTEN, max_body: defaults::MAX_BODY },
            admin: Admin { listen: None, stated: false },
            queue: Queue::in_memory(max_size),
            shared: SharedSettings::new(Map::new(), Places::default(), instance, host),
            publishers: vec![publisher],
            drain_timeout: defaults::DRAIN_TIMEOUT,
            folder: PathBuf::new(),
            source: None,
        }
    }
}

impl Publisher {
    /// One with the defaults of a config file.
    pub(crate) fn of_program(name: &str, plugin: PluginSource) -> Self {
        Self {
            name: name.to_owned(),
            plugin,
            listen: Listen { address: defaults::SCRAPE_LISTEN, stated: false },
            allow: Vec::new(),
            limits: Limits::default(),
            in_queue: InQueue::default(),
            batch: Batching::default(),
            retry: Retry::default(),
            trust: ExtraRoots::default(),
            config: Value::Object(Map::new()),
            given_secrets: BTreeMap::new(),
            place: 0..0,
            keys: Places::default(),
            places: Places::default(),
        }
    }
}

impl Queue {
    /// One that is gone with its process.
    pub(crate) fn in_memory(max_size: usize) -> Self {
        Self {
            path: None,
            max_size,
            when_full: WhenFull::Block,
            forget_after: defaults::FORGET_AFTER,
            max_dead_letters: defaults::MAX_DEAD_LETTERS as u64,
        }
    }
}

impl Default for Batching {
    fn default() -> Self {
        Self { max_records: defaults::BATCH_RECORDS, max_bytes: defaults::BATCH_BYTES, max_age: defaults::BATCH_AGE }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: defaults::RETRY_INITIAL, max: defaults::RETRY_MAX, give_up_after: None }
    }
}
