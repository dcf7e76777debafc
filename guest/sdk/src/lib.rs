//! What a plugin author depends on.
//!
//! A plugin is a type that implements [`Publisher`] and one line that exports it:
//!
//! ```
//! use metricast_sdk::{Batch, Description, PublishError, Publisher, Receipt, Saved, log};
//!
//! struct Printer;
//!
//! impl Publisher for Printer {
//!     type Config = serde_json::Map<String, serde_json::Value>;
//!
//!     fn description() -> Description {
//!         Description { name: "printer", version: "0.1.0", config_schema: r#"{"type": "object", "properties": {}}"# }
//!     }
//!
//!     fn open(_config: Self::Config, _state: Option<Saved>) -> Result<Self, PublishError> {
//!         Ok(Self)
//!     }
//!
//!     fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
//!         for event in batch.events() {
//!             log::info(format_args!("{} is {}", event.event_name, event.status));
//!         }
//!         Ok(Receipt::all_accepted(batch))
//!     }
//! }
//!
//! metricast_sdk::export!(Printer);
//! ```
//!
//! Build it with `crate-type = ["cdylib"]` for the target `wasm32-wasip2`: the result is a component with the
//! contract of `wit/`. On any other target the macro exports nothing, [`http`] goes over the machine's own sockets,
//! and the plugin is an ordinary library: that is how it is tested, and what benchmarks compare it with.
//!
//! The host's side of the contract is not in here.

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod adapter;
mod answer;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
pub mod config;
#[cfg(target_arch = "wasm32")]
mod convert;
mod deadline;
pub mod http;
pub mod log;
#[cfg(target_arch = "wasm32")]
mod panic;
mod publisher;
mod secret;
mod tally;
mod words;

pub use answer::{
    Exposition, Finding, Flushed, LateRejection, Profile, PublishError, Receipt, Rejection, Saved, Snippet, Verdict,
};
pub use deadline::Deadline;
pub use metricast_records::{
    Attributes, Batch, Event, EventMetrics, Metrics, MetricsRef, Network, NetworkMetrics, Outcome, Record, batch,
    dictionary, time,
};
pub use publisher::{Description, Publisher};
pub use secret::Secret;
pub use tally::Tally;
pub use words::shortened;

/// Exports a [`Publisher`] as the plugin that this crate is. Once a crate.
#[macro_export]
macro_rules! export {
    ($publisher:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Plugin = $crate::adapter::Plugin<$publisher>;
    $crate::bindings::export_plugin!(Plugin with_types_in $crate::bindings);
        };
    };
}
