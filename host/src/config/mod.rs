//! The configuration file, in two stages.
//!
//! `raw` reads what the file says, each value with its place: unknown keys and wrong types are found here, all of
//! them and not only the first. `check` fills in the [`defaults`] and holds the keys against each other; what comes
//! of it, [`Checked`], has nothing optional that has a default. A plugin's own settings (`[publishers.config]`) pass
//! through as JSON, and [`Checked::explain`] points what the plugin says about them back at the line in the file.

mod admin;
mod check;
mod checked;
pub mod defaults;
mod places;
mod problem;
mod program;
mod queue;
mod raw;
mod reader;
mod shared;
mod units;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub(crate) use checked::overlap;
pub use checked::{Admin, Batching, Checked, InQueue, Ingest, Listen, Publisher, Queue, Retry, WhenFull};
pub use problem::{Location, Problem};
pub use shared::{Given, SharedSettings};
pub(crate) use units::{show_size, show_time};

use problem::Source;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the config {}: {reason}", path.display())]
    Unreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is no file.
    #[error("cannot read the config {}: it is a folder", .0.display())]
    Folder(PathBuf),
    /// The file was read, and this is wrong in it: at least one problem, in the order of the file.
    #[error("{}", problem::render(.0))]
    Invalid(Vec<Problem>),
}

/// Reads and checks a configuration file.
///
/// # Errors
/// [`ConfigError`] if the file cannot be read, or with everything that is wrong in it.
pub fn load(path: &Path) -> Result<Checked, ConfigError> {
    if path.is_dir() {
        return Err(ConfigError::Folder(path.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
    let source =
        Source::from_bytes(path.display().to_string(), bytes).map_err(|problem| ConfigError::Invalid(vec![problem]))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&source, folder, Some(path))
}

/// The configuration of a `metricast run` that was given none: records at 127.0.0.1:4319, Prometheus at 127.0.0.1:9464.
///
/// # Panics
/// Never: a test reads the same text.
pub fn built_in() -> Checked {
    let source = Source::new("the built-in config".to_owned(), defaults::BUILT_IN.to_owned());
    let checked = parse(&source, Path::new(""), None).expect("the built-in config is valid");
    Checked { source: None, ..checked }
}

fn parse(source: &Source, folder: &Path, path: Option<&Path>) -> Result<Checked, ConfigError> {
    let (raw, problems) = raw::read(source);
    check::check(raw, source, problems, &check::Whereabouts { folder, file: path }).map_err(ConfigError::Invalid)
}
