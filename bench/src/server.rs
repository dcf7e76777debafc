//! `metricast run`, started and found to be ready.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// A running metricast; it ends with this value.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Where it takes records: host and port.
    pub(crate) ingest: String,
    /// From its start until it took records.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts it with the publishers of a config and waits until it is ready.
    pub(crate) fn start(metricast: Option<&Path>, publishers: &str) -> Result<Self> {
        let program = metricast.map_or_else(|| crate::beside("metricast"), |path| Ok(path.to_owned()))?;
        let folder = xtask::workspace().join("target/bench-data");
        fs::create_dir_all(&folder)?;
        let config = folder.join("server.toml");
        fs::write(
            &config,
            format!("[ingest]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\n{publishers}"),
        )?;
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut lines = BufReader::new(child.stderr.take().context("its messages are piped")?).lines();
        let mut told = Vec::new();
        let ingest = loop {
            let Some(line) = lines.next().transpose()? else {
                child.wait()?;
                anyhow::bail!("metricast ended: {}", told.join("\n"));
            };
            if let Some((_, rest)) = line.split_once("records at http://") {
                break rest.split('/').next().unwrap_or_default().to_owned();
            }
            told.push(line);
        };
        let ready_after = start.elapsed();
        // What it says from here on is of no use, but must be read.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, ingest, ready_after })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and what is left to do then is the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
