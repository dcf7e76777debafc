//! One command of a recipe: quiet while it goes well, with what it said last where it fails.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How many lines of a failed command are shown.
const TAIL: usize = 30;

/// Runs `command` and returns what it wrote to standard output.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {program}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed ({}):\n{}", output.status, tail(&format!("{said}{errors}")));
    }
    Ok(said)
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
