//! The metricast plugin for Elasticsearch (7.17 to 9) and OpenSearch (1 to 3).
//!
//! Each record becomes one document, sent with `create` in a `_bulk` request: into two data streams,
//! `PREFIX-event` and `PREFIX-network`, or on request into plain indices dated by the record's own day. The plugin
//! keeps nothing between calls, so several instances of it may work side by side.
//!
//! The way of a batch: `bulk` writes the request's body, `send` sends it and halves what is too large, `response`
//! says what became of each record. `setup` is what happens before.

mod bulk;
mod cause;
mod client;
mod document;
mod engine;
mod json;
mod layout;
mod nodes;
mod options;
mod response;
mod retry_after;
mod send;
mod setup;
mod tally;
mod template;

use metricast_sdk::{Batch, Description, Profile, PublishError, Publisher, Receipt, Saved};

pub use bulk::Encoder;
pub use options::{Config, DataStream, Indices, Secret};

use client::{Client, Deadline};
use options::Options;
use send::Sending;
use tally::Tally;

/// How many requests the host may have under way at a time.
const INSTANCES: u32 = 4;

/// Writes records as documents.
#[derive(Debug)]
pub struct ElasticsearchPublisher {
    options: Options,
    client: Client,
    encoder: Encoder,
    /// The path of `_bulk` once the template and streams stand; none after one of them turned out to be gone.
    path: Option<String>,
}

impl Publisher for ElasticsearchPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "elasticsearch", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        Options::try_from(config).map(drop)
    }

    fn open(config: Config, _state: Option<Saved>) -> Result<Self, PublishError> {
        let options = Options::try_from(&config)?;
        let client = Client::new(&options);
        let encoder = Encoder::with_options(&options);
        let mut publisher = Self { options, client, encoder, path: None };
        publisher.prepare(Deadline::new())?;
        Ok(publisher)
    }

    fn profile(&self) -> Profile {
        Profile { max_instances: INSTANCES, ..Profile::default() }
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let deadline = Deadline::new();
        let path = self.prepare(deadline)?;
        let rows = rows_to_send(batch);
        let Self { client, encoder, .. } = self;
        let sending = Sending { client, encoder, path: &path, batch, deadline, tally: Tally::default() };
        let tally = sending.run(&rows)?;
        if tally.homeless {
            self.path = None;
        }
        tally.answer(batch)
    }
}

impl ElasticsearchPublisher {
    /// The path of `_bulk`, once all stands that must be there before a document is.
    fn prepare(&mut self, deadline: Deadline) -> Result<String, PublishError> {
        if let Some(path) = &self.path {
            return Ok(path.clone());
        }
        let engine = setup::prepare(&mut self.client, &self.options.layout, deadline)?;
        let path = send::path(!self.options.layout.daily && engine.can_require_data_stream());
        self.path = Some(path.clone());
        Ok(path)
    }
}

/// The indexes of the records to send: all of them. Of what is sent again the server itself says what it has, by the
/// ids; only a data stream that was rolled over in between does not.
fn rows_to_send(batch: &Batch) -> Vec<u32> {
    (0..batch.len() as u32).collect()
}

#[cfg(feature = "component")]
metricast_sdk::export!(ElasticsearchPublisher);
