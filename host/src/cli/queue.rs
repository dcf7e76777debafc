//! `metricast queue`: whether a queue's folder is whole, and what records are in it.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use indicatif::HumanCount;

use super::asking::{Which, json};
use super::dead_letters::Target;
use super::exit::Exit;
use super::terminal::{self, Terminal};
use crate::inquiry::{Damage, Line, Question};
use crate::untrusted;

const EXAMPLES: &str = "\
Examples:
  metricast queue verify -c metricast.toml             is the folder whole?
  metricast queue export -c metricast.toml all.ndjson  its records, as `metricast publish` reads them
  metricast queue export --queue /var/lib/metricast --publisher search -
                                                       those that \"search\" has not answered for

A queue is in a folder where the config's [queue] has a path. All of this works while `metricast run` has the
folder, through its admin port.";

const VERIFY: &str = "\
Examples:
  metricast queue verify -c metricast.toml
  metricast queue verify --queue /mnt/backup/metricast-queue

Nothing is changed. Damage costs the records that it hit: `metricast run` goes on without them, and names them.

Exit codes:
  0  all is as it was written      1  something is damaged      2  it could not be looked at";

const EXPORT: &str = "\
Examples:
  metricast queue export -c metricast.toml all.ndjson
  metricast queue export -c metricast.toml --publisher search - | metricast publish --to http://other:4319 -
  metricast queue export --queue /var/lib/metricast --from 1000 --to 2000 --with-offsets -

Records stay in the queue until every publisher has answered for them, and a while longer.

Exit codes:
  0  done      1  damage in the way: what it hit is told and left out      2  usage or config";

/// Look after the folder of a queue: whether it is whole, what is in it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Queue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Look at every checksum in the folder, and name what is damaged
    #[command(after_help = VERIFY)]
    Verify(Verify),
    /// Write the records that are in the queue, one JSON object a line
    #[command(after_help = EXPORT)]
    Export(Export),
}

#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    which: Which,
    /// One JSON object a line for each damaged place
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Export {
    #[command(flatten)]
    which: Which,
    /// From this offset on
    #[arg(long, value_name = "OFFSET")]
    from: Option<u64>,
    /// Up to this offset, without it
    #[arg(long, value_name = "OFFSET")]
    to: Option<u64>,
    /// Only what this publisher has not answered for; with it, dead letters that it is to get again
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,
    /// Each record within an object that has its epoch, its offset and when it was taken in too; `metricast publish`
    /// does not read that
    #[arg(long)]
    with_offsets: bool,
    /// The file, which is made anew; `-` is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Queue {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        match &self.command {
            Command::Verify(command) => command.run(),
            Command::Export(command) => command.run(terminal),
        }
    }
}

impl Verify {
    fn run(&self) -> anyhow::Result<Exit> {
        let mut damaged = 0_u64;
        let mut out = terminal::stdout();
        let summary = self.which.ask(&Question::Verify, |line| {
            let Line::Damage(damage) = line else { return Ok(()) };
            damaged += 1;
            let text = if self.json { json(&damage) } else { told(&damage) };
            writeln!(out, "{text}").context(super::exit::Broken::output())
        })?;
        if !self.json {
            let (frames, records, values) =
                (HumanCount(summary.frames), HumanCount(summary.records), HumanCount(summary.values));
            let verdict = match damaged {
                0 => "all as it was written".to_owned(),
                1 => "1 place is damaged".to_owned(),
                more => format!("{} places are damaged", HumanCount(more)),
            };
            writeln!(
                out,
                "{records} records in {frames} writes of the log, {values} values in the database: {verdict}"
            )
            .context(super::exit::Broken::output())?;
        }
        out.flush().context(super::exit::Broken::output())?;
        Ok(Exit::refused_if(damaged > 0))
    }
}

impl Export {
    fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let question = Question::Records { from: self.from, to: self.to, publisher: self.publisher.clone() };
        let mut target = Target::open(&self.file)?;
        let mut damaged = false;
        let summary = self.which.ask(&question, |line| match line {
            Line::Record(record) if self.with_offsets => target.line(json(&record).as_bytes()),
            Line::Record(record) => target.line(json(&record.record).as_bytes()),
            Line::Damage(damage) => {
                damaged = true;
                terminal.error(told(&damage));
                Ok(())
            }
            _ => Ok(()),
        })?;
        target.finish()?;
        if summary.retried > 0 {
            terminal.note(format_args!(
                "left out {} that are on their way again to one publisher: --publisher NAME has them",
                HumanCount(summary.retried)
            ));
        }
        if !target.is_standard_output() {
            terminal.note(format_args!("{} records in {}", HumanCount(summary.records), self.file.display()));
        }
        Ok(Exit::refused_if(damaged))
    }
}

/// What is damaged, in one line.
fn told(damage: &Damage) -> String {
    let Damage { file, byte, offsets, what } = damage;
    let at = byte.map_or_else(String::new, |byte| format!(" at byte {byte}"));
    let lost = match offsets {
        None => String::new(),
        Some((first, last)) if first == last => format!("; the record at offset {first} is lost"),
        Some((first, last)) => format!("; the records at offsets {first} to {last} are lost"),
    };
    untrusted::text(&format!("{file}{at}: {what}{lost}"), 4 << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_with_its_place_and_what_it_cost() {
        let damage =
            |byte, offsets| Damage { file: "log/1.log".to_owned(), byte, offsets, what: "wrong\u{1b}".to_owned() };
        assert_eq!(told(&damage(None, None)), "log/1.log: wrong ");
        assert_eq!(
            told(&damage(Some(64), Some((5, 5)))),
            "log/1.log at byte 64: wrong ; the record at offset 5 is lost"
        );
        let several = told(&damage(Some(64), Some((5, 9))));
        assert_eq!(several, "log/1.log at byte 64: wrong ; the records at offsets 5 to 9 are lost");
    }
}
