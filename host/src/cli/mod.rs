//! The `metricast` command: one file, one struct and one `run` for each subcommand.
//!
//! [`main`] reads the arguments, starts the log, runs the subcommand and turns what it says into an exit code.
//! Everything below the subcommands has typed errors; `anyhow` is for this edge only, where an error is told to a
//! person and ends the process.

mod asking;
mod backfill;
mod check;
mod chunks;
mod client;
mod completions;
mod compose;
mod conformance;
mod dead_letters;
mod deliver;
mod exit;
mod feeding;
mod format;
mod inspect;
mod lines;
mod online;
mod overview;
mod plugins;
mod progress;
mod publish;
mod queue;
mod refused;
mod reload;
mod resume;
mod run;
mod schema;
mod send;
mod signals;
mod snippets;
mod start;
mod summary;
mod table;
mod terminal;
mod textfile;

use std::process::ExitCode;

use clap::{ArgAction, CommandFactory as _, Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use exit::Exit;
use terminal::{Colour, Terminal};

use crate::config::ConfigError;
use crate::logging::{LogFormat, Logging};

const ABOUT: &str = "Publishes event and network metrics through sandboxed WebAssembly plugins";

const LONG_ABOUT: &str = "\
Publishes event and network metrics to Prometheus, Elasticsearch and whatever else there is a plugin for. \
Each backend is a WebAssembly component that reaches nothing but what its config grants; metricast takes records in, \
feeds the plugins in batches, and keeps every record until each backend has answered for it.

A record is one JSON object a line: one event executed, or one network operation.";

const EXAMPLES: &str = "\
Examples:
  metricast run                       take records in at 127.0.0.1:4319, show them to Prometheus at
                                      127.0.0.1:9464/metrics
  metricast publish --to http://127.0.0.1:4319 app.ndjson
                                      send a file into it
  metricast check -c metricast.toml   what a config does, and what each plugin may reach
  metricast run -c metricast.toml     with the publishers of that config

Exit codes:
  0  all is done        1  a line was refused or a record rejected
  2  usage or config    3  something was not delivered";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "metricast", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
#[command(max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// Log more: -v what each part decides, -vv everything
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Leave out warnings, what `run` tells of itself, and progress bars; errors and results are still told
    #[arg(short, long, global = true)]
    quiet: bool,
    /// How log lines look on standard error: text or json
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    log_format: LogFormat,
    /// Whether output is coloured: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_possible_values = true)]
    color: Colour,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Publish(publish::Publish),
    Format(format::Format),
    Check(check::Check),
    Plugins(plugins::Plugins),
    Inspect(inspect::Inspect),
    Conformance(conformance::Conformance),
    Compose(compose::Compose),
    DeadLetters(dead_letters::DeadLetters),
    Queue(queue::Queue),
    Completions(completions::Completions),
}

impl Command {
    /// What is logged without `-v` and `-q`: a service tells what it does, a tool only what is amiss.
    fn usual_level(&self) -> LevelFilter {
        if matches!(self, Self::Run(_)) { LevelFilter::INFO } else { LevelFilter::WARN }
    }

    fn run(self, terminal: &Terminal) -> anyhow::Result<Exit> {
        match self {
            Self::Run(command) => command.run(),
            Self::Publish(command) => command.run(terminal),
            Self::Format(command) => command.run(terminal),
            Self::Check(command) => command.run(terminal),
            Self::Plugins(plugins::Plugins {}) => plugins::Plugins::run(),
            Self::Inspect(command) => command.run(terminal),
            Self::Conformance(command) => command.run(terminal),
            Self::Compose(command) => command.run(terminal),
            Self::DeadLetters(command) => command.run(terminal),
            Self::Queue(command) => command.run(terminal),
            Self::Completions(command) => command.run(&mut Cli::command()),
        }
    }
}

impl Global {
    fn level(&self, usual: LevelFilter) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => usual,
            (false, 1) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::new(cli.global.color, cli.global.quiet);
    let logging = Logging {
        format: cli.global.log_format,
        level: cli.global.level(cli.command.usual_level()),
        colour: terminal.stderr_colour(),
        screen: terminal.screen().clone(),
    };
    let exit = logging.start().map_err(anyhow::Error::from).and_then(|()| cli.command.run(&terminal));
    exit.unwrap_or_else(|error| tell(&terminal, &error)).into()
}

/// Tells why a command could not do its work.
fn tell(terminal: &Terminal, error: &anyhow::Error) -> Exit {
    if terminal::is_broken_pipe(error) {
        return Exit::Clean;
    }
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError::Invalid(problems)) => problems.iter().for_each(|problem| terminal.error(problem)),
        _ => terminal.error(exit::told(error)),
    }
    Exit::of(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_coherent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_teaches_by_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("metricast {}", command.get_name())), "{}: {help}", command.get_name());
        }
    }

    #[test]
    fn quiet_and_verbose_set_the_level() {
        let level = |args: &[&str]| Cli::parse_from(args).global.level(LevelFilter::INFO);
        assert_eq!(level(&["metricast", "format"]), LevelFilter::INFO);
        assert_eq!(level(&["metricast", "format", "-q"]), LevelFilter::ERROR);
        assert_eq!(level(&["metricast", "-v", "format"]), LevelFilter::DEBUG);
        assert_eq!(level(&["metricast", "format", "-vv"]), LevelFilter::TRACE);
        assert!(Cli::try_parse_from(["metricast", "-q", "-v", "format"]).is_err());
    }
}
