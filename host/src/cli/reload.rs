//! A config that changes while `metricast run` runs: SIGHUP, or its file or one that it names has changed, has it read
//! again. What is wrong with it is told, and everything goes on as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::start;
use crate::admin::Board;
use crate::config::{self, Checked, ConfigError};
use crate::pipeline::{Pipeline, Reloaded, Workshop};

/// How often files are looked at; one that is being written is left alone till it has rested as long.
const LOOK: Duration = Duration::from_secs(1);

/// The config that is in use, and how its files were when it was read.
pub(super) struct Watched {
    path: PathBuf,
    config: Checked,
    seen: Seen,
}

/// Files by path: when they were written last, and their bytes. One that is not there has none.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

impl Watched {
    /// Reads the config of a file. What changes from then on is seen.
    ///
    /// # Errors
    /// As [`config::load`].
    pub(super) fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut seen = look(&[path.to_owned()]);
        let config = config::load(path)?;
        for (path, found) in look(&files(path, &config)) {
            seen.entry(path).or_insert(found);
        }
        Ok(Self { path: path.to_owned(), config, seen })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn config(&self) -> &Checked {
        &self.config
    }

    /// Waits until a file has changed and has come to rest.
    pub(super) async fn changed(&self) {
        let files: Vec<PathBuf> = self.seen.keys().cloned().collect();
        let (mut before, mut since) = (self.seen.clone(), Instant::now());
        loop {
            sleep(LOOK).await;
            let now = look(&files);
            if now != before {
                (before, since) = (now, Instant::now());
            } else if now != self.seen && since.elapsed() >= LOOK {
                return;
            }
        }
    }

    /// Reads the config again and goes on with it, where nothing is wrong with it.
    pub(super) async fn reload(
        &mut self,
        pipeline: &mut Pipeline,
        workshop: &Workshop,
        board: &Board,
        stop: &CancellationToken,
    ) {
        let mut files = files(&self.path, &self.config);
        self.seen = look(&files);
        let outcome = self.try_reload(pipeline, workshop, stop).await;
        files.extend(self::files(&self.path, &self.config));
        // A file that only the new config names counts from now on.
        for (path, found) in look(&files) {
            self.seen.entry(path).or_insert(found);
        }
        match outcome {
            Ok(reloaded) => {
                tell(&reloaded);
                board.show(pipeline.look(), &self.config);
                board.reloaded(reloaded.failed.is_empty());
            }
            Err(error) => {
                tracing::error!("the config is not used, and everything goes on as it was: {error:#}");
                board.reloaded(false);
            }
        }
    }

    async fn try_reload(
        &mut self,
        pipeline: &mut Pipeline,
        workshop: &Workshop,
        stop: &CancellationToken,
    ) -> anyhow::Result<Reloaded> {
        let config = config::load(&self.path)?;
        let split = workshop.split(&config).await;
        let reloaded = pipeline.reload(&split, workshop, config.drain_timeout, stop).await;
        let reloaded = reloaded.map_err(|error| start::failed(&split, error))?;
        let before = &self.config;
        for (changed, key) in [
            (config.ingest != before.ingest, "[ingest]"),
            (config.admin != before.admin, "[admin]"),
            (config.queue != before.queue, "[queue]"),
        ] {
            if changed {
                tracing::warn!("{key} has changed: that counts from the next start on");
            }
        }
        self.config = config;
        Ok(reloaded)
    }

    /// How long a stop waits, as the config in use says.
    pub(super) fn drain_timeout(&self) -> Duration {
        self.config.drain_timeout
    }
}

fn tell(reloaded: &Reloaded) {
    if reloaded.is_nothing() {
        tracing::info!("the config was read again: its publishers are as they were");
        return;
    }
    let Reloaded { added, changed, removed, failed } = reloaded;
    let names = |names: &[String]| names.join(", ");
    let (added, changed, removed) = (names(added), names(changed), names(removed));
    tracing::info!(added, changed, removed, "the config was read again");
    for (publisher, reason) in failed {
        tracing::error!(publisher, "it could not be changed, and the next reload tries again: {reason}");
    }
}

/// The config's own and those that it names.
fn files(path: &Path, config: &Checked) -> Vec<PathBuf> {
    std::iter::once(path.to_owned()).chain(config.files()).collect()
}

fn look(files: &[PathBuf]) -> Seen {
    let found = |path: &PathBuf| {
        let metadata = path.metadata().ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(|path| (path.clone(), found(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_changes_is_seen_when_it_has_come_to_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metricast.toml");
        let text = "[[publishers]]\nplugin = \"prometheus\"\n";
        std::fs::write(&path, text).unwrap();
        let watched = Watched::load(&path).unwrap();
        let waited = tokio::time::timeout(Duration::from_mins(1), watched.changed()).await;
        assert!(waited.is_err(), "nothing has changed");
        let writing = async {
            for line in 1..=5 {
                sleep(LOOK * 3 / 4).await;
                std::fs::write(&path, format!("{text}{}", "# more\n".repeat(line))).unwrap();
            }
            Instant::now()
        };
        let changed = async {
            watched.changed().await;
            Instant::now()
        };
        let (written, seen) = tokio::join!(writing, changed);
        assert!(seen >= written + LOOK, "it was being written");
        assert!(seen <= written + LOOK * 4);
    }
}
