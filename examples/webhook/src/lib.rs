//! Posts records to a URL, one JSON object a line.

use metricast_sdk::http::{Method, Request};
use metricast_sdk::{Batch, Description, PublishError, Publisher, Receipt, Saved, dictionary};

/// One URL.
#[derive(serde::Deserialize)]
pub struct Webhook {
    url: String,
}

impl Publisher for Webhook {
    type Config = Self;

    fn description() -> Description {
        let config_schema = r#"{"type": "object", "required": ["url"], "properties": {
            "url": {"type": "string", "format": "uri", "description": "Where records are posted."}}}"#;
        Description { name: "webhook", version: env!("CARGO_PKG_VERSION"), config_schema }
    }

    fn open(config: Self, _state: Option<Saved>) -> Result<Self, PublishError> {
        Ok(config)
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let mut lines = Vec::new();
        for record in batch.records() {
            dictionary::write(&record.metrics, &mut lines);
            lines.push(b'\n');
        }
        let request = Request::new(Method::Post, &self.url).header("content-type", "application/x-ndjson").body(&lines);
        match request.send() {
            Ok(response) if response.is_success() => Ok(Receipt::all_accepted(batch)),
            Ok(response) if matches!(response.status, 400 | 413 | 422) => {
                Err(PublishError::Rejected(format!("{} answered {}", self.url, response.status)))
            }
            Ok(response) => Err(PublishError::unavailable(format!("{} answered {}", self.url, response.status))),
            Err(error) => Err(PublishError::unavailable(error.to_string())),
        }
    }
}

metricast_sdk::export!(Webhook);
