//! The `metricast` program as a process.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tempfile::TempDir;

use crate::wait;

/// How long a start may take: plugins are compiled at the first.
const START: Duration = Duration::from_mins(1);

/// How long a drain may take: longer than the program's own limit.
const END: Duration = Duration::from_secs(40);

/// The program, built by `cargo build`.
///
/// # Panics
/// Where it was not built.
pub fn bin() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in <target>/<profile>/deps");
    let program = profile.join("metricast");
    assert!(program.is_file(), "{} is not there: type `cargo build -p metricast`", program.display());
    program
}

/// A command of the program with these arguments, away from the user's own settings.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(bin());
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn output<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    command(arguments).output().expect("metricast starts")
}

/// A running `metricast run`; where a test leaves it running, it is ended with it.
pub struct Metricast {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Metricast {
    /// Starts `metricast run` with this configuration and waits until it takes records in.
    pub fn run(config: &str) -> Self {
        Self::run_with(config, &[])
    }

    /// The same with more arguments.
    pub fn run_with(config: &str, arguments: &[&str]) -> Self {
        let mut metricast = Self::spawn(config, arguments);
        let address = ingest_address(config);
        wait::until("metricast's ingest", START, || {
            metricast.expect_running();
            wait::listens(&address).then_some(())
        });
        metricast
    }

    /// Starts it and does not wait.
    pub fn spawn(config: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("metricast.toml");
        // Many run side by side, and only one of them can have the usual port.
        let config =
            if config.contains("[admin]") { config } else { &format!("{config}\n[admin]\nlisten = \"off\"\n") };
        fs::write(&file, config).expect("a config can be written");
        let mut command = command([OsStr::new("run"), OsStr::new("-c"), file.as_os_str()]);
        command.args(arguments).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("metricast starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let errors = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
        let written = Arc::clone(&lines);
        let keep = move |line| written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let reader = Some(thread::spawn(move || errors.lines().map_while(Result::ok).for_each(keep)));
        Self { child, lines, reader, folder }
    }

    fn expect_running(&mut self) {
        let ended = self.child.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "metricast ended: {ended:?}\n{}", self.stderr());
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits until a line with `text` stands in standard error.
    pub fn wait_for_line(&self, text: &str) {
        let found = || self.stderr().contains(text).then_some(());
        wait::until(&format!("a line with {text:?}"), START, found);
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends SIGTERM and waits: the exit status, and all of standard error.
    pub fn stop(mut self) -> (ExitStatus, String) {
        xtask::process::terminate(&self.child).expect("metricast can be signalled");
        let status = xtask::process::wait(&mut self.child, END).expect("a child can be waited for");
        let status = status.unwrap_or_else(|| panic!("metricast did not end within {END:?}\n{}", self.stderr()));
        (status, self.all_lines())
    }

    /// Waits until it ends by itself: the exit status, and all of standard error.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = xtask::process::wait(&mut self.child, START).expect("a child can be waited for");
        let status = status.unwrap_or_else(|| panic!("metricast did not end within {START:?}\n{}", self.stderr()));
        (status, self.all_lines())
    }

    fn all_lines(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading lines does not panic");
        }
        self.stderr()
    }
}

impl Drop for Metricast {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Where a configuration has the program take records in.
fn ingest_address(config: &str) -> String {
    let config: toml::Table = config.parse().expect("the configuration is TOML");
    let listen = config.get("ingest").and_then(|ingest| ingest.get("listen")).and_then(toml::Value::as_str);
    listen.expect("tests take a free port for [ingest] listen").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_configurations() {
        assert_eq!(ingest_address("[ingest]\nlisten = \"127.0.0.1:1\"\n"), "127.0.0.1:1");
    }
}
