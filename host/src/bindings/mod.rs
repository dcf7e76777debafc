//! The contract's generated code, for the host's side of it. An older version of the contract gets a file of its own
//! here that converts to the newest.
//!
//! Only exports are generated: a plugin's WASI imports are linked by their own crates.

pub(crate) mod lower;

mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package metricast:host;
            world plugin { export metricast:publisher/publisher@0.1.0; }
        ",
        world: "metricast:host/plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        exports: { default: async },
    });
}

/// The interface that a plugin must export.
pub(crate) const EXPORT: &str = "metricast:publisher/publisher@0.1.0";

pub(crate) use generated::exports::metricast::publisher::publisher::Guest;
pub(crate) use generated::metricast::publisher::types;
pub(crate) use generated::{Plugin, PluginPre};
