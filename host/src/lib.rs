//! The host of metricast's plugins.
//!
//! A record walks one way: `source -> records::Batch -> queue -> delivery -> plugin instance -> wasi:http -> receipt ->
//! cursor`. Each step is a module, and nothing calls back up that line:
//!
//! - [`source`] takes records in, from lines and from HTTP;
//! - [`queue`] holds them until every publisher has answered;
//! - [`delivery`] brings them from there to a plugin, one delivery a publisher;
//! - [`plugin`] loads components and runs them in sandboxes, on what [`engine`], [`grants`], [`limits`] and [`egress`]
//!   allow, and believes nothing that they say before it was checked;
//! - [`scrape`] shows what a plugin exposes;
//! - [`conformance`] holds a plugin against the contract;
//! - [`compose`] makes one portable component of several plugins, or a service of one;
//! - [`pipeline`] puts these together as a [`config`] says, and [`cli`] is the command in front of it.

mod bindings;
pub mod cli;
pub mod clock;
pub mod compose;
pub mod config;
pub mod conformance;
pub mod delivery;
pub mod egress;
pub mod engine;
pub mod grants;
pub mod limits;
pub mod logging;
pub mod pipeline;
pub mod plugin;
pub mod queue;
pub mod scrape;
pub mod source;
mod untrusted;
