//! `cargo xtask`: everything a person or CI does with this project besides plain cargo.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod cargo;
mod demo;
mod prerequisites;
mod summary;
mod test;
mod torture;

/// What one does with this project besides plain cargo.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start metricast, publish the sample records and show what came out
    Demo(demo::Demo),
    /// Set up all that tests need, and run them all
    Test(test::Test),
    /// Run the tests that draw their course by chance, longer and with seeds of their own
    Torture(torture::Torture),
    /// Run the benchmarks (release profile)
    Bench {
        /// For the benchmark program
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the bundled plugins as components, and say where they are
    Guests,
    /// Fetch the real servers of the tests into the cache, and say where they are
    Servers(test::Servers),
    /// Write wit/legs.wit from wit/publisher.wit
    Wit {
        /// Only say whether it would change
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Torture(torture) => torture.run(),
        Command::Bench { arguments } => cargo::bench(&arguments),
        Command::Guests => cargo::guests(),
        Command::Servers(servers) => servers.run(),
        Command::Wit { check: true } => xtask::wit::check().map(|()| ExitCode::SUCCESS),
        Command::Wit { check: false } => xtask::wit::write().map(|()| ExitCode::SUCCESS),
    }
}
