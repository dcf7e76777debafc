//! What more than one part of the project needs to build and test it: the guest builder (also called by build
//! scripts), the generator of `wit/legs.wit`, and the real servers that tests talk to.
//!
//! Without its features this crate is small and quick to compile, since the host's build script waits for it.

use std::path::Path;

pub mod guests;
#[cfg(feature = "servers")]
pub mod process;
#[cfg(feature = "servers")]
pub mod servers;
pub mod wit;

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}
