//! `metricast format`: the standard dictionary of each record, without any plugin; or all of them as the samples that a
//! scraper would have taken.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use metricast_records::{dictionary, input};

use super::backfill::{self, Backfill};
use super::exit::{Broken, Exit};
use super::lines::{self, Input};
use super::terminal::{self, Terminal};

const EXAMPLES: &str = "\
Examples:
  metricast format app.ndjson               one JSON object a line, the same fields in each
  tail -f app.ndjson | metricast format | jq .duration
  metricast format app.ndjson > /dev/null   only tell which lines are no records
  metricast format --openmetrics old.ndjson > old.om
  promtool tsdb create-blocks-from openmetrics old.om /var/lib/prometheus
                                            old records into a Prometheus, at the time when they happened

A line that is no record is named on standard error, with its reason; the rest goes on, and the exit code is 1.";

/// Write the standard dictionary of each record, one JSON object a line
///
/// The dictionary has the record's fields under their names, with `timestamp` (RFC 3339 in UTC, of the end or else the
/// start), `metric_type` and `duration` (absent while there is no end). It is valid input again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Format {
    /// Write samples for back-fill instead: what Prometheus would have scraped, step by step, while the records
    /// happened (by their end, or else their start). All records are read before the first is written: up to 1 GiB
    #[arg(long)]
    openmetrics: bool,
    /// How far apart the samples are: as Prometheus' scrapes
    #[arg(long, value_name = "TIME", value_parser = backfill::parse_step, default_value = "15s", requires = "openmetrics")]
    step: Duration,
    /// Take the settings of a scraped publisher of this config (its buckets, its labels); without one, the defaults
    #[arg(short, long, value_name = "FILE", requires = "openmetrics")]
    config: Option<PathBuf>,
    /// Which publisher of the config, where several are scraped
    #[arg(long, value_name = "NAME", requires = "config")]
    publisher: Option<String>,
    /// Files of records, one JSON object a line; `-` or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Format {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        if self.openmetrics {
            let (config, publisher) = (self.config.as_deref(), self.publisher.as_deref());
            let inputs = lines::open(&self.files)?;
            return Backfill { config, publisher, step: self.step }.run(inputs, terminal);
        }
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
