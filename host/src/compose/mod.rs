//! Several plugins as one portable component, and a plugin as a service: what `metricast compose` writes.
//!
//! [`composite`] plugs plugins into components called `composite` that give each record to two legs, and [`service`] puts
//! a gateway before one plugin, with a config in it or none. Both give bytes; [`Inspected`] says of a plugin what its
//! opening shows without any network, and [`write()`] replaces a file by a finished one only. Nothing here opens a
//! connection, and what plugins make of records is theirs and the composite's.

mod constant;
mod error;
mod fittings;
mod graph;
mod inspected;
mod output;
mod settings;

pub use error::ComposeError;
pub use graph::{composite, service};
pub use inspected::{Inspected, refuse_two_scraped};
pub use output::{Readers, free_place, write};
pub use settings::{ServiceConfig, SettingsError};
