//! `metricast publish`: files or standard input to the end, into the publishers of a config or a running metricast.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use http::Uri;

use super::exit::Exit;
use super::refused::{self, Refused};
use super::resume::Inputs;
use super::terminal::Terminal;
use super::textfile::{self, Textfile};
use super::{chunks, client, deliver, lines, send, start};
use crate::config::{self, Checked};

const EXAMPLES: &str = "\
Examples:
  metricast publish --to http://127.0.0.1:4319 app.ndjson    into a running metricast
  metricast publish -c metricast.toml app-*.ndjson           with publishers of its own
  my-program | metricast publish -c metricast.toml -         as lines come, until they end
  metricast publish -c metricast.toml --refused refused.ndjson app.ndjson
  metricast publish -c metricast.toml --textfile /var/lib/node_exporter/app.prom app.ndjson
                                                             for node_exporter's textfile collector

Exit codes:
  0  all of it was delivered      1  a line was refused or a record rejected
  2  usage or config              3  something was not delivered";

/// How long room in the queue of `--to` is waited for.
const WAIT: Duration = Duration::from_mins(5);

/// Publish files or standard input to the end, and tell what came of it
///
/// With --to, lines are sent to a running metricast, which queues and delivers them. Else the publishers of the config
/// are opened here, and the command ends when each of them has answered for every record, or when nothing has moved for
/// the config's `drain_timeout` (30s): then what is left is named, and the exit code is 3.
///
/// A line that is no record is counted and named with its reason; it never stops the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Publish {
    /// The config whose publishers take the records
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A running metricast that takes the records, as `http://127.0.0.1:4319`
    #[arg(long, value_name = "URL", value_parser = client::parse_url, conflicts_with = "config")]
    to: Option<Uri>,
    /// How long to wait for room in the queue of --to [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "to", conflicts_with = "config")]
    wait: Option<Duration>,
    /// Go on with a run of --to that broke off, by the id that it told: what arrived then is not taken twice. Up to a
    /// day later, with the same files
    #[arg(long, value_name = "ID", requires = "to", value_parser = NonEmptyStringValueParser::new())]
    resume: Option<String>,
    /// Read files from their beginning. With a queue in a folder (`[queue] path`), files of a run that broke off are
    /// else read on from where it was
    #[arg(long, conflicts_with = "to")]
    from_start: bool,
    /// Keep every line that was refused here, as JSON lines of source, line, reason and the line itself; the file is
    /// made anew, and one that is there is replaced
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Write the metrics of a publisher that is scraped into this file at the end, since nobody comes to scrape it:
    /// text 0.0.4, for `node_exporter`'s textfile collector, which reads names that end in .prom. The file is replaced
    /// at one stroke, and only when all was asked for; where several publishers are scraped, NAME=FILE says which
    #[arg(long, value_name = "[NAME=]FILE", conflicts_with = "to")]
    textfile: Vec<PathBuf>,
    /// Files of records, one JSON object a line; `-` or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Publish {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        if let Some(refused) = &self.refused {
            refused::spare("--refused", refused, &self.files, self.config.as_deref())?;
        }
        if let Some(url) = self.to.clone() {
            let refused = Refused::new(self.refused.as_deref())?;
            let chunks = chunks::read(&self.files)?;
            let run = send::Run::new(self.resume.as_deref());
            return send::run(url, chunks, refused, self.wait.unwrap_or(WAIT), &run, terminal);
        }
        let Some(path) = self.config.clone() else { anyhow::bail!(nowhere()) };
        let mut config = config::load(&path)?;
        let textfiles = self.textfiles(&config, &path)?;
        if !textfiles.is_empty() {
            textfile::hold_nothing_back(&mut config);
        }
        let inputs = Inputs { inputs: lines::open(&self.files)?, from_start: self.from_start };
        deliver::run(&config, inputs, Refused::new(self.refused.as_deref())?, textfiles, terminal)
    }
}

impl Publish {
    fn textfiles(&self, config: &Checked, path: &Path) -> anyhow::Result<Vec<Textfile>> {
        let open = |argument: &PathBuf| {
            let textfile = Textfile::open(argument, config)?;
            refused::spare("--textfile", textfile.path(), &self.files, Some(path))?;
            Ok(textfile)
        };
        self.textfile.iter().map(open).collect()
    }
}

/// Neither `--config` nor `--to`.
fn nowhere() -> String {
    let hint = if Path::new(start::USUAL_NAME).is_file() {
        "there is a metricast.toml here: `metricast publish -c metricast.toml …` uses it"
    } else {
        "`metricast publish --to http://127.0.0.1:4319 …` sends them into a running `metricast run`, \
         `-c metricast.toml` names a config with publishers"
    };
    format!("nobody to publish to: {hint}")
}
