//! Takes every batch and does nothing with it: what a call then costs is the boundary.

use metricast_sdk::{Batch, Description, PublishError, Publisher, Receipt, Saved};

/// Accepts all.
#[derive(Debug, serde::Deserialize)]
pub struct Empty {
    /// Breaks over every batch instead.
    #[serde(default)]
    panics: bool,
}

impl Publisher for Empty {
    type Config = Self;

    fn description() -> Description {
        let config_schema = r#"{"type": "object", "properties": {"panics": {"type": "boolean", "description": "Breaks over every batch"}}}"#;
        Description { name: "bench-empty", version: env!("CARGO_PKG_VERSION"), config_schema }
    }

    fn open(config: Self, _state: Option<Saved>) -> Result<Self, PublishError> {
        Ok(config)
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        assert!(!self.panics, "as the config asks");
        Ok(Receipt::all_accepted(batch))
    }
}

metricast_sdk::export!(Empty);
