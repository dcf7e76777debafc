//! A publisher as an HTTP service of its own.
//!
//! This component exports `wasi:http/incoming-handler` and imports a publisher: composed with a plugin it is a whole
//! service for any host of WASI 0.2, where the plugin alone would need metricast's own host. It takes the input that
//! the host's ingest takes, and differs where it has no queue: it answers when the backend has the records, and where
//! the backend has them not the sender keeps them.
//!
//! The rules are in the modules below and run anywhere; only `component` knows the bindings. What is a record, and the
//! words for what is none, is in `metricast_records`.

pub mod answer;
#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;
pub mod config;
pub mod delivery;
pub mod epoch;
pub mod intake;
mod packed;
pub mod publisher;
pub mod request;
pub mod service;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
