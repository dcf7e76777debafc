//! The command itself: what it prints, what it takes, and how it ends.

mod bundled;
mod defaults;
mod format;
mod look;
mod online;
mod publish;
mod publish_to;
mod run;
mod snippets;
mod textfile;
mod tls;
mod usage;

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Output, Stdio};

use support::metricast;

/// The file of a plugin for these tests (`tests/guests/adviser`).
const ADVISER: &str = env!("ADVISER");

/// A folder with a config in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(config: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("metricast.toml", config);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a subcommand with the config.
    fn run(&self, subcommand: &str, more: &[&str]) -> Done {
        let config = self.path("metricast.toml");
        run([subcommand, "-c", &config].into_iter().chain(more.iter().copied()))
    }

    /// Runs it with this on its standard input.
    fn run_with_input(&self, subcommand: &str, more: &[&str], input: &str) -> Done {
        let config = self.path("metricast.toml");
        let arguments = [subcommand, "-c", &config].into_iter().chain(more.iter().copied());
        run_with_input(&mut metricast::command(arguments), input.as_bytes())
    }
}

/// What the command did.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("standard output is text"),
            stderr: String::from_utf8(output.stderr).expect("standard error is text"),
        }
    }
}

/// Runs it to its end.
fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Done {
    metricast::output(arguments).into()
}

/// Runs it with this on its standard input.
fn run_with_input(command: &mut Command, input: &[u8]) -> Done {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("metricast starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    let written = writer.join().expect("writing does not panic");
    // One that ends for another reason may leave its input unread.
    assert!(written.is_ok() || written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe), "its input is taken");
    output.into()
}
