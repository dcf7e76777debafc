//! The command itself: what it prints, what it takes, and how it ends.

mod format;
mod look;
mod publish;
mod publish_to;
mod run;
mod usage;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use support::metricast;

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
    writer.join().expect("writing does not panic").expect("it reads all of its input");
    output.into()
}
