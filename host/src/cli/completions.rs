//! `metricast completions SHELL`.

use std::io::Write as _;

use anyhow::Context as _;
use clap_complete::Shell;

use super::exit::{Broken, Exit};
use super::terminal;

const EXAMPLES: &str = "\
Examples:
  metricast completions bash > ~/.local/share/bash-completion/completions/metricast
  metricast completions zsh > \"${fpath[1]}/_metricast\"
  metricast completions fish > ~/.config/fish/completions/metricast.fish";

/// Write the completions of a shell to standard output
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, command: &mut clap::Command) -> anyhow::Result<Exit> {
        // Into memory first: the generator panics where its writer fails.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "metricast", &mut script);
        let mut out = terminal::stdout();
        out.write_all(&script).and_then(|()| out.flush()).context(Broken::output())?;
        Ok(Exit::Clean)
    }
}
