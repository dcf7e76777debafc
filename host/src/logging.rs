//! Log lines on standard error: short ones for people, or a JSON object each for machines.
//!
//! What is logged follows from `-v` and `-q`; the environment's `METRICAST_LOG` (as `metricast=debug,hyper=info`)
//! overrules both. A progress bar on the same terminal steps aside while a line is written.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Overrules `-v` and `-q`.
const VARIABLE: &str = "METRICAST_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One short line each, for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of the log.
#[derive(Debug, Clone)]
pub struct Logging {
    /// How lines look.
    pub format: LogFormat,
    /// The least that is logged of metricast itself; of the libraries below it only warnings, unless it is a trace.
    pub level: LevelFilter,
    /// Whether lines are coloured.
    pub colour: bool,
    /// What else writes to the terminal.
    pub screen: MultiProgress,
}

impl Logging {
    /// Starts logging for the whole process; the first call counts.
    ///
    /// # Errors
    /// If `METRICAST_LOG` is there and is no filter.
    pub fn start(self) -> Result<(), BadFilter> {
        let registry = tracing_subscriber::registry();
        let filter = filter(self.level)?;
        let lines = fmt::layer().with_writer(Screen(self.screen)).with_target(false);
        // A second start in one process keeps the first log.
        let _ = match self.format {
            LogFormat::Text => registry.with(lines.compact().with_ansi(self.colour).with_filter(filter)).try_init(),
            LogFormat::Json => registry.with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
        };
        Ok(())
    }
}

/// `METRICAST_LOG` is no filter.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE} is no log filter: {0}; write it as metricast=debug,hyper=info")]
pub struct BadFilter(String);

type Filter = Box<dyn tracing_subscriber::layer::Filter<tracing_subscriber::Registry> + Send + Sync>;

fn filter(level: LevelFilter) -> Result<Filter, BadFilter> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let filter = EnvFilter::builder().parse(text).map_err(|error| BadFilter(error.to_string()))?;
            Ok(Box::new(filter))
        }
        _ => {
            let libraries = if level == LevelFilter::TRACE { LevelFilter::INFO } else { level.min(LevelFilter::WARN) };
            Ok(Box::new(Targets::new().with_default(libraries).with_target("metricast", level)))
        }
    }
}

/// Writes to standard error past a progress bar.
#[derive(Debug, Clone)]
struct Screen(MultiProgress);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.suspend(|| io::stderr().lock().write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
