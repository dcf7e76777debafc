//! `metricast dead-letters`: what publishers did not take, and lines that were no records: looked at, tried again,
//! written out.

mod target;
mod told;

use std::path::PathBuf;

use indicatif::HumanCount;

use super::asking::{Which, json};
use super::exit::Exit;
use super::terminal::{self, Terminal};
use crate::clock;
use crate::inquiry::{Chosen, Filter, Kind, Letter, Line, Question};
use crate::untrusted;

pub(super) use target::Target;

const EXAMPLES: &str = "\
Examples:
  metricast dead-letters list -c metricast.toml                 by reason, the most frequent first
  metricast dead-letters show -c metricast.toml 17              one, with its record
  metricast dead-letters retry -c metricast.toml --publisher search --reason mapping
  metricast dead-letters export -c metricast.toml letters.ndjson

A queue keeps dead letters where the config's [queue] has a path. All of this works while `metricast run` has the
queue, through its admin port.";

const LIST: &str = "\
Examples:
  metricast dead-letters list -c metricast.toml
  metricast dead-letters list -c metricast.toml --each --publisher search --since 2h
  metricast dead-letters list --queue /var/lib/metricast --kind refused --json
  metricast dead-letters list -c metricast.toml --since 2026-11-23T08:00:00Z --until 2026-11-23T09:00:00Z";

const SHOW: &str = "\
Example:
  metricast dead-letters show -c metricast.toml 17";

const RETRY: &str = "\
Examples:
  metricast dead-letters retry -c metricast.toml 17 18          these
  metricast dead-letters retry -c metricast.toml --publisher search --reason mapping
  metricast dead-letters retry -c metricast.toml --all

Each goes into the queue again, for the publisher that did not take it and under its old name, and is a dead letter
no more; a record that is rejected again becomes one again. A refused line is read once more, and goes to all publishers
if it is a record now. Where no metricast runs with the queue, the next one delivers.

Exit codes:
  0  all of them are in the queue again      1  some stay what they are, and are named      2  usage or config";

const EXPORT: &str = "\
Examples:
  metricast dead-letters export -c metricast.toml records.ndjson
  metricast publish --to http://127.0.0.1:4319 records.ndjson   to all publishers, as new records
  metricast dead-letters export -c metricast.toml --with-reasons --publisher search - | jq .reason
  metricast dead-letters export -c metricast.toml --lines refused.ndjson

Nothing is removed.";

/// Look at dead letters, deliver them again, or write them out
///
/// A dead letter is a record that a publisher did not take, or a line that a source could not read as a record.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List them by publisher and reason, or each
    #[command(after_help = LIST)]
    List(List),
    /// Show one with all that is known of it
    #[command(after_help = SHOW)]
    Show(Show),
    /// Put them into the queue again
    #[command(after_help = RETRY)]
    Retry(Retry),
    /// Write their records, one JSON object a line, as `metricast publish` reads them
    #[command(after_help = EXPORT)]
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Filters {
    /// Of this publisher
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    /// Of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// With this text in their reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Dead since this time, as 2026-11-23T08:00:00Z, or so long ago, as 2h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<f64>,
    /// Dead before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<f64>,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filters: Filters,
    /// One line each, the oldest first
    #[arg(long)]
    each: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Its number, which `list --each` says
    #[arg(value_name = "NUMBER")]
    number: u64,
}

#[derive(Debug, clap::Args)]
struct Retry {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filters: Filters,
    /// All of them
    #[arg(long, conflicts_with_all = ["numbers", "publisher", "kind", "reason", "since", "until"])]
    all: bool,
    /// Those of these numbers
    #[arg(value_name = "NUMBER", conflicts_with_all = ["publisher", "kind", "reason", "since", "until"])]
    numbers: Vec<u64>,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filters: Filters,
    /// Each record within an object that has the reason and all else that is known, refused lines too; `metricast
    /// publish` does not read that
    #[arg(long, conflicts_with = "lines")]
    with_reasons: bool,
    /// Refused lines instead of records, as they came
    #[arg(long)]
    lines: bool,
    /// The file, which is made anew; `-` is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl DeadLetters {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        match &self.command {
            Command::List(command) => command.run(terminal),
            Command::Show(command) => command.run(terminal),
            Command::Retry(command) => command.run(terminal),
            Command::Export(command) => command.run(terminal),
        }
    }
}

impl Filters {
    fn filter(&self) -> Filter {
        let Self { publisher, kind, reason, since, until } = self;
        let (publisher, reason) = (publisher.clone(), reason.clone());
        Filter { publisher, kind: *kind, reason, since: *since, until: *until }
    }
}

impl List {
    fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let filter = self.filters.filter();
        let question = match (self.each, self.json) {
            (false, _) => Question::Groups { filter },
            (true, json) => Question::Letters { filter, records: json },
        };
        if self.json {
            let mut out = Target::standard_output();
            self.which.ask(&question, |line| match line {
                Line::Group(group) => out.line(json(&group).as_bytes()),
                Line::Letter(letter) => out.line(json(&letter).as_bytes()),
                _ => Ok(()),
            })?;
            out.finish()?;
            return Ok(Exit::Clean);
        }
        let mut list = told::List::default();
        self.which.ask(&question, |line| {
            match line {
                Line::Group(group) => list.group(&group),
                Line::Letter(letter) => list.letter(&letter),
                _ => {}
            }
            Ok(())
        })?;
        if list.is_empty() {
            terminal.note("no dead letters");
        }
        terminal::print(list)?;
        Ok(Exit::Clean)
    }
}

impl Show {
    fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let mut found: Option<Letter> = None;
        self.which.ask(&Question::Letter { number: self.number }, |line| {
            if let Line::Letter(letter) = line {
                found = Some(*letter);
            }
            Ok(())
        })?;
        let Some(letter) = found else { anyhow::bail!("there is no dead letter {}", self.number) };
        let text = if self.json { json(&letter) + "\n" } else { told::letter(&letter, terminal.stdout_paint()) };
        terminal::print(text)?;
        Ok(Exit::Clean)
    }
}

impl Retry {
    fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let filter = self.filters.filter();
        let chosen = if !self.numbers.is_empty() {
            Chosen::Numbers(self.numbers.clone())
        } else if self.all || filter != Filter::default() {
            Chosen::Filter(filter)
        } else {
            anyhow::bail!("which dead letters: numbers, a filter such as --publisher, or --all say it");
        };
        let mut stay = 0_u64;
        let mut lines = String::new();
        let asked = self.which.ask(&Question::Retry { chosen }, |line| {
            match line {
                Line::Stays { number, reason } => {
                    stay += 1;
                    terminal.error(format_args!("{number} stays: {}", untrusted::text(&reason, told::REASON)));
                }
                Line::Retried { publisher, count } => lines += &told::retried(publisher.as_deref(), count),
                _ => {}
            }
            Ok(())
        });
        if lines.is_empty() && stay == 0 && asked.is_ok() {
            terminal.note("no dead letters");
        }
        terminal::print(lines)?;
        asked?;
        Ok(Exit::refused_if(stay > 0))
    }
}

impl Export {
    fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let question = Question::Letters { filter: self.filters.filter(), records: true };
        let mut target = Target::open(&self.file)?;
        let (mut written, mut lines, mut gone) = (0_u64, 0_u64, 0_u64);
        self.which.ask(&question, |line| {
            let Line::Letter(letter) = line else { return Ok(()) };
            let text = match (&letter.record, letter.raw_bytes()) {
                _ if self.with_reasons => json(&letter).into_bytes(),
                (Some(record), _) if !self.lines => json(record).into_bytes(),
                (_, Some(raw)) if self.lines => raw,
                (Some(_), _) => return Ok(()),
                (_, Some(_)) => {
                    lines += 1;
                    return Ok(());
                }
                (None, None) => {
                    gone += 1;
                    return Ok(());
                }
            };
            written += 1;
            target.line(&text)
        })?;
        target.finish()?;
        if lines > 0 {
            let count = HumanCount(lines);
            terminal.note(format_args!("left out {count} refused lines, which are no records: --lines writes them"));
        }
        if gone > 0 {
            let count = HumanCount(gone);
            terminal
                .note(format_args!("left out {count} whose record was not kept: --with-reasons writes what is known"));
        }
        if !target.is_standard_output() {
            terminal.note(format_args!("{} in {}", HumanCount(written), self.file.display()));
        }
        Ok(Exit::Clean)
    }
}

/// A time, or how long ago it was, in seconds since the Unix epoch.
fn parse_time(text: &str) -> Result<f64, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(clock::now() - ago.as_secs_f64());
    }
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| {
        format!("\"{text}\" is neither a time in UTC, as 2026-11-23T08:00:00Z, nor how long ago, as 2h or 1d")
    })?;
    Ok(time.duration_since(std::time::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_of_the_calendar_or_so_long_ago() {
        assert_eq!(parse_time("2026-11-22T17:29:31Z"), Ok(1_795_368_571.0));
        assert_eq!(parse_time("2026-11-22 17:29:31"), Ok(1_795_368_571.0));
        let ago = parse_time("1h 30m").unwrap();
        assert!((clock::now() - ago - 5_400.0).abs() < 60.0, "{ago}");
        let told = parse_time("yesterday").unwrap_err();
        assert!(told.starts_with("\"yesterday\" is neither a time in UTC"), "{told}");
    }
}
