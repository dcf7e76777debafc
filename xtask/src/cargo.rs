//! Runs of cargo in this workspace.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use xtask::{guests, workspace};

/// A cargo command in the workspace, by the cargo that runs us.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(arguments);
    // Set for this program by `cargo run`; a build of other packages would see them change.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs cargo to the end.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let status = command(arguments).status().context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {}` failed ({status})", arguments.join(" "));
    Ok(())
}

/// The folder of the programs that this cargo builds with the profile of ours.
pub(crate) fn programs() -> Result<PathBuf> {
    let program = env::current_exe().context("where this program is")?;
    Ok(program.parent().context("a program lies in a folder")?.to_path_buf())
}

/// Builds the bundled guests and prints their paths.
pub(crate) fn guests() -> Result<ExitCode> {
    guests::ensure_target()?;
    let target = programs()?.parent().context("programs lie in a target folder")?.join("guests");
    for file in guests::build(guests::BUNDLED, &target)? {
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the benchmark program, with the command built beside it.
pub(crate) fn bench(arguments: &[String]) -> Result<ExitCode> {
    guests::ensure_target()?;
    run(&["build", "--release", "--package", "metricast"])?;
    let status = command(&["run", "--release", "--package", "metricast-bench", "--"]).args(arguments).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
