//! The `metricast` command. `metricast --help` tells what it does; the code is in [`metricast::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    metricast::cli::main()
}
