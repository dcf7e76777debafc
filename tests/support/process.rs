//! Processes that never outlive the test that started them.
//!
//! Shared servers are statics, which nobody drops, and a test process can be killed. So each server runs below a small
//! shell script, the guard, that ends it when the pipe to its standard input is closed.

use std::fs;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wait;

const GUARD: &str = include_str!("guard.sh");

/// How much of a log is shown where something goes wrong.
const TAIL: usize = 40;

/// A running server in a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Process {
    name: String,
    guard: Child,
    input: Option<ChildStdin>,
    folder: PathBuf,
    /// Kept open: it can be read when the folder is gone.
    log: File,
}

impl Process {
    /// A new folder for a process, open to other users: some servers refuse to run as root.
    pub fn folder(name: &str) -> PathBuf {
        let folder = tempfile::Builder::new().prefix(&format!("metricast-{name}-")).tempdir();
        folder.expect("a temporary folder can be made").keep()
    }

    /// Starts `command` with `folder` for its own.
    pub fn start(name: &str, command: &Command, folder: PathBuf) -> Self {
        let log = OpenOptions::new().read(true).append(true).create_new(true).open(folder.join("log"));
        let log = log.expect("a log can be written");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guard.env(name, value),
                None => guard.env_remove(name),
            };
        }
        guard.current_dir(command.get_current_dir().unwrap_or(&folder));
        let writer = || log.try_clone().expect("a log has several writers");
        guard.stdin(Stdio::piped()).stdout(writer()).stderr(writer());
        let mut guard = guard.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let input = guard.stdin.take();
        Self { name: name.to_owned(), guard, input, folder, log }
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    /// Where the process ends or `patience` does: shows the end of its log.
    pub fn wait_until_ready(&mut self, patience: Duration, ready: impl Fn() -> bool) {
        let end = Instant::now() + patience;
        while !ready() {
            let ended = self.guard.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, tail(&self.log()));
            assert!(Instant::now() < end, "{} was not ready within {patience:?}\n{}", self.name, tail(&self.log()));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        let file = self.folder.join("pid");
        let text = wait::until("a process id", Duration::from_secs(5), || fs::read_to_string(&file).ok());
        text.trim().parse().expect("a process id is a number")
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        let length = self.log.metadata().expect("a log has a length").len();
        let mut log = vec![0; usize::try_from(length).expect("a log fits into memory")];
        self.log.read_exact_at(&mut log, 0).expect("a log can be read");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        // The guard ends the process, or kills it after five seconds.
        _ = self.guard.wait();
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start("sh", &command, Process::folder("sh"))
    }

    #[test]
    fn a_dropped_process_is_ended_and_its_folder_gone() {
        let process = sh("exec sleep 60");
        let (proc, folder) = (PathBuf::from(format!("/proc/{}", process.id())), process.path().to_owned());
        assert!(proc.exists() && folder.exists());
        drop(process);
        assert!(!proc.exists() && !folder.exists());
    }

    #[test]
    fn a_killed_test_process_ends_it_too() {
        let mut tester = Command::new("sleep").arg("60").stdout(Stdio::piped()).spawn().unwrap();
        let folder = Process::folder("sleep");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).args(["sleep", "60"]);
        guard.stdin(tester.stdout.take().unwrap()).stderr(Stdio::null());
        let mut guard = guard.spawn().unwrap();
        let id = wait::until("an id", Duration::from_secs(5), || fs::read_to_string(folder.join("pid")).ok());
        tester.kill().unwrap();
        tester.wait().unwrap();
        assert_eq!(guard.wait().unwrap().code(), Some(128 + 15));
        assert!(!Path::new("/proc").join(id.trim()).exists() && !folder.exists());
    }

    #[test]
    #[should_panic(expected = "no such thing")]
    fn a_process_that_ends_early_shows_its_log() {
        sh("echo no such thing >&2; exit 3").wait_until_ready(Duration::from_secs(5), || false);
    }
}
