//! What it costs that nothing is lost: a durable queue beside one in memory, a large backlog, sick backends beside a
//! healthy one, and the saving of a large state.

pub(crate) mod acknowledge;
pub(crate) mod backlog;
pub(crate) mod isolation;
pub(crate) mod snapshot;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A queue's folder, empty, which goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let folder = xtask::workspace().join("target/bench-data").join(name);
        remove(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Bytes of the files of the log, as they are in use on the disk.
    fn log_bytes(&self) -> Result<u64> {
        let mut bytes = 0;
        for file in fs::read_dir(self.0.join("log"))? {
            bytes += file?.metadata()?.len();
        }
        Ok(bytes)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is in a build folder, and made anew by the next run.
        let _ = remove(&self.0);
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A publisher that brings documents to an address.
fn search(name: &str, address: &str) -> String {
    format!(
        "[[publishers]]\nname = \"{name}\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://{address}\"]\nindex_prefix = \"bench\"\n"
    )
}
