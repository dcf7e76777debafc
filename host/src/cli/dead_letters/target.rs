//! Where lines are written to: a file that is made anew, or standard output.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::exit::Broken;
use super::super::terminal;

/// See the module. What is not [finished](Self::finish) may be there in part.
pub(crate) struct Target {
    path: Option<PathBuf>,
    out: Box<dyn Write>,
}

impl Target {
    /// A file, or `-` for standard output.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::standard_output());
        }
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: Some(path.to_owned()), out: Box::new(BufWriter::new(file)) })
    }

    pub(crate) fn standard_output() -> Self {
        Self { path: None, out: Box::new(terminal::stdout()) }
    }

    pub(crate) fn is_standard_output(&self) -> bool {
        self.path.is_none()
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: &[u8]) -> anyhow::Result<()> {
        let written = self.out.write_all(text).and_then(|()| self.out.write_all(b"\n"));
        written.with_context(|| self.broken())
    }

    /// Writes the last of it.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        self.out.flush().with_context(|| self.broken())
    }

    fn broken(&self) -> Broken {
        self.path.as_deref().map_or_else(Broken::output, Broken::writing)
    }
}
