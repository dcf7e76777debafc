//! Why plugins cannot be composed.

use std::io;
use std::path::PathBuf;

use crate::plugin::LoadError;

/// Why plugins cannot be composed, or the result not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A composite is of two at least.
    #[error("one plugin alone is no composite: name two or more")]
    TooFew,
    /// A plugin that cannot be used by itself cannot be used in a composite either.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is one answer to a scrape.
    #[error(
        "{0} and {1} both have something to scrape, and a component has one answer to a scrape: compose one of them with the others, and run the other one by itself"
    )]
    TwoScraped(String, String),
    /// The plugins' components do not fit what they are put into.
    #[error("the plugins cannot be put together: {0}")]
    Graph(String),
    /// The result asks for more than hosts give.
    #[error("the result imports {}, which hosts of plugins do not give", .0.join(" and "))]
    ForbiddenImports(Vec<String>),
    /// There is a folder where the result is to go.
    #[error("{} is a folder: name a file in it, such as {}", .0.display(), .0.join("both.wasm").display())]
    OutputIsFolder(PathBuf),
    /// What stands where the result is to go is a device or the like.
    #[error("{} is no file that could be replaced: name one, such as service.wasm", .0.display())]
    OutputIsNoFile(PathBuf),
    /// The result would stand in place of what goes into it.
    #[error("{} goes into it: name another file", .0.display())]
    OutputIsInput(PathBuf),
    /// The result cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where it was to go.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder of the result is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// Where it was to go.
        path: PathBuf,
        /// What is not there.
        folder: PathBuf,
    },
}

impl ComposeError {
    /// Of anything that building a graph of components says.
    pub(super) fn graph(error: impl std::fmt::Display) -> Self {
        Self::Graph(format!("{error:#}"))
    }
}
