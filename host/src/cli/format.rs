//! `metricast format`: the standard dictionary of each record, without any plugin.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use metricast_records::{dictionary, input};

use super::exit::{Broken, Exit};
use super::lines::{self, Input};
use super::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  metricast format app.ndjson               one JSON object a line, the same fields in each
  tail -f app.ndjson | metricast format | jq .duration
  metricast format app.ndjson > /dev/null   only tell which lines are no records

A line that is no record is named on standard error, with its reason; the rest goes on, and the exit code is 1.";

/// Write the standard dictionary of each record, one JSON object a line
///
/// The dictionary has the record's fields under their names, with `timestamp` (RFC 3339 in UTC, of the end or else the
/// start), `metric_type` and `duration` (absent while there is no end). It is valid input again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Format {
    /// Files of records, one JSON object a line; `-` or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Format {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let mut out = terminal::stdout();
        let mut refused = false;
        for input in lines::open(&self.files)? {
            refused |= format_all(input, &mut out, terminal)?;
        }
        out.flush().context(Broken::output())?;
        Ok(Exit::refused_if(refused))
    }
}

/// Whether a line was refused.
fn format_all(mut input: Input, out: &mut impl Write, terminal: &Terminal) -> anyhow::Result<bool> {
    let mut refused = false;
    let mut text = Vec::new();
    while let Some(line) = input.lines.next().with_context(|| Broken::reading(&input.name))? {
        match input::parse_line(line.bytes) {
            Ok(Some(record)) => {
                text.clear();
                dictionary::write(&record.as_ref(), &mut text);
                text.push(b'\n');
                out.write_all(&text).context(Broken::output())?;
            }
            Ok(None) => {}
            Err(refusal) => {
                refused = true;
                terminal.say(format_args!("{}:{}: {refusal}", input.name, line.number));
            }
        }
        if input.lines.would_wait() {
            // Who feeds us line by line sees each line.
            out.flush().context(Broken::output())?;
        }
    }
    Ok(refused)
}
