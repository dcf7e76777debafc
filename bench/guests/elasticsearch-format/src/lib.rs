//! Writes each batch as a body of Elasticsearch's `_bulk`, by the plugin's own encoder, and sends it nowhere.

use std::hint::black_box;

use metricast_elasticsearch::{Config, ElasticsearchPublisher, Encoder};
use metricast_sdk::{Batch, Description, PublishError, Publisher, Receipt, Saved};

/// The plugin for Elasticsearch without its network.
#[derive(Debug)]
pub struct Format {
    encoder: Encoder,
    rows: Vec<u32>,
}

impl Publisher for Format {
    type Config = Config;

    fn description() -> Description {
        Description { name: "bench-elasticsearch-format", ..ElasticsearchPublisher::description() }
    }

    fn open(config: Config, _state: Option<Saved>) -> Result<Self, PublishError> {
        Ok(Self { encoder: Encoder::new(&config)?, rows: Vec::new() })
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        self.rows.clear();
        self.rows.extend(0..batch.len() as u32);
        black_box(self.encoder.encode(batch, &self.rows)?);
        Ok(Receipt::all_accepted(batch))
    }
}

metricast_sdk::export!(Format);
