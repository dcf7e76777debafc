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
mod collision;
mod document;
mod engine;
mod guard;
mod gzip;
mod json;
mod labels;
mod layout;
mod limit;
mod lookup;
mod nodes;
mod options;
mod probe;
mod response;
mod retention;
mod roles;
mod send;
mod setup;
mod tally;
mod template;
mod units;
mod window;

use metricast_sdk::{
    Batch, Deadline, Description, Finding, Profile, PublishError, Publisher, Receipt, Saved, Snippet, log,
};

pub use bulk::Encoder;
pub use labels::{AttributeLabel, Label};
pub use metricast_sdk::Secret;
pub use options::{Compression, Config, DataStream, Indices};
pub use units::{Size, Span};

use std::time::Instant;

use client::Client;
use guard::Guard;
use gzip::Gzip;
use lookup::Lookup;
use options::Options;
use send::Sending;
use tally::Tally;
use window::Window;

/// How many requests the host may have under way at a time.
const INSTANCES: u32 = 4;

/// Writes records as documents.
#[derive(Debug)]
pub struct ElasticsearchPublisher {
    options: Options,
    client: Client,
    encoder: Encoder,
    gzip: Option<Gzip>,
    /// Of the server, once the template and streams stand; none after one of them turned out to be gone.
    guard: Option<Guard>,
}

impl Publisher for ElasticsearchPublisher {
    type Config = Config;

    fn description() -> Description {
        Description { name: "elasticsearch", version: env!("CARGO_PKG_VERSION"), config_schema: options::SCHEMA }
    }

    fn check(config: &Config) -> Result<(), PublishError> {
        Options::try_from(config).map(drop)
    }

    fn probe(config: &Config) -> Vec<Finding> {
        Options::try_from(config).map(|options| probe::findings(&options)).unwrap_or_default()
    }

    fn snippets(config: &Config) -> Result<Vec<Snippet>, PublishError> {
        Ok(roles::snippets(&Options::try_from(config)?))
    }

    fn open(config: Config, _state: Option<Saved>) -> Result<Self, PublishError> {
        let options = Options::try_from(&config)?;
        let client = Client::new(&options);
        let encoder = Encoder::with_options(&options);
        let gzip = options.gzip.then(Gzip::default);
        let mut publisher = Self { options, client, encoder, gzip, guard: None };
        publisher.prepare(Deadline::new())?;
        Ok(publisher)
    }

    fn profile(&self) -> Profile {
        Profile { max_instances: INSTANCES, ..Profile::default() }
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let deadline = Deadline::new();
        let path = self.prepare(deadline).map_err(while_open)?;
        let mut tally = Tally::default();
        let rows = self.rows_to_send(batch, deadline, &mut tally)?;
        let Self { options, client, encoder, gzip, .. } = self;
        let (gzip, max_body) = (gzip.as_mut(), options.max_body);
        let sending = Sending { client, encoder, gzip, max_body, path: &path, batch, deadline, tally };
        let tally = sending.run(&rows)?;
        if tally.homeless {
            self.guard = None;
        }
        if let Some(index) = &tally.plain {
            log::error(format_args!(
                "documents went into {index}, which is no data stream any more: its template and stream were deleted"
            ));
        }
        tally.records.answer(batch).map_err(while_open)
    }
}

impl ElasticsearchPublisher {
    /// The path of `_bulk`, once all stands that must be there before a document is.
    fn prepare(&mut self, deadline: Deadline) -> Result<String, PublishError> {
        if self.guard.is_none() {
            let server = setup::prepare(&mut self.client, &self.options, deadline)?;
            self.guard = Some(Guard::new(server, !self.options.layout.daily, Instant::now()));
        }
        let guard = self.guard.as_mut().expect("it was made above");
        Ok(guard.path(Instant::now()))
    }

    /// The indexes of the records to send. What is there already counts as accepted, and what no index is made for as
    /// rejected.
    fn rows_to_send(&mut self, batch: &Batch, deadline: Deadline, tally: &mut Tally) -> Result<Vec<u32>, PublishError> {
        let Self { options, client, .. } = self;
        if options.layout.daily {
            let window = Window { past: options.max_past.clone(), future: options.max_future.clone() };
            return Ok(window.rows(batch, &mut tally.records));
        }
        if !batch.redelivered() || batch.epoch().is_empty() {
            return Ok((0..batch.len() as u32).collect());
        }
        let missing = Lookup { client, layout: &options.layout, batch, deadline }.missing()?;
        tally.records.taken(batch.len() - missing.len());
        Ok(missing)
    }
}

/// Once this was open, what stands in the way is not the config: somebody can move it, and then records arrive again.
fn while_open(error: PublishError) -> PublishError {
    match error {
        PublishError::Misconfigured(reason) => PublishError::unavailable(reason),
        other => other,
    }
}

#[cfg(test)]
mod stub;
#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;

#[cfg(feature = "component")]
metricast_sdk::export!(ElasticsearchPublisher);
