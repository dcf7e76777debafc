//! `metricast check`: what a config does, before anything runs.

use std::fmt::Write as _;
use std::path::PathBuf;

use indicatif::HumanCount;

use super::exit::Exit;
use super::start;
use super::terminal::{self, Paint, Terminal};
use crate::config::{Checked, ConfigError, Publisher, WhenFull, show_size, show_time};
use crate::pipeline::{Prepared, Workshop};
use crate::plugin::PluginSource;

const EXAMPLES: &str = "\
Examples:
  metricast check -c metricast.toml
  metricast check                       what `metricast run` does without a config

Plugins are loaded and judge their settings, and secrets are read; nothing is opened and nothing is sent.";

/// Tell what a config does, and what each plugin may reach
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The config; without one, the built-in one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Check {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let config = start::config(self.config.as_deref())?;
        let prepared = start::runtime()?.block_on(prepare(&config, &start::workshop()?))?;
        let paint = terminal.stdout_paint();
        let mut text = front(&config, paint);
        for (publisher, prepared) in config.publishers.iter().zip(&prepared) {
            text += &told(publisher, prepared, paint);
        }
        terminal::print(text)?;
        Ok(Exit::Clean)
    }
}

/// All publishers, or what is wrong with each that cannot be had.
async fn prepare(config: &Checked, workshop: &Workshop) -> Result<Vec<Prepared>, ConfigError> {
    let mut prepared = Vec::new();
    let mut problems = Vec::new();
    for (index, publisher) in config.publishers.iter().enumerate() {
        match workshop.prepare(publisher, &config.folder).await {
            Ok(ready) => prepared.push(ready),
            Err(problem) => problems.push(start::told(config, index, &problem)),
        }
    }
    if problems.is_empty() { Ok(prepared) } else { Err(ConfigError::Invalid(problems)) }
}

/// What takes records in and holds them.
fn front(config: &Checked, paint: Paint) -> String {
    let (ingest, queue) = (&config.ingest, &config.queue);
    let when_full = match queue.when_full {
        WhenFull::Block => "senders wait",
        WhenFull::Reject => "senders are told to come again",
    };
    let mut text = String::new();
    let _ = writeln!(text, "{}", paint.strong("records"));
    let _ = writeln!(text, "  come in at    POST http://{}/v1/records", ingest.listen);
    let _ = writeln!(text, "  a body        up to {}", show_size(ingest.max_body as u64));
    let _ = writeln!(
        text,
        "  wait in       memory, up to {}; when it is full, {when_full}",
        show_size(queue.max_size as u64)
    );
    text
}

fn told(publisher: &Publisher, prepared: &Prepared, paint: Paint) -> String {
    let plugin = &prepared.plugin;
    let origin = match &publisher.plugin {
        PluginSource::Bundled(_) => "bundled".to_owned(),
        PluginSource::File(path) => path.display().to_string(),
    };
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint.strong(&publisher.name));
    let _ = writeln!(text, "  plugin        {} ({origin})", plugin.label());
    let _ = writeln!(text, "  digest        {}", plugin.digest());
    let nothing = "nothing: it has no network".to_owned();
    let reach = if prepared.grants.origins().len() == 0 { vec![nothing] } else { prepared.grants.in_words() };
    for (index, reach) in reach.iter().enumerate() {
        let title = if index == 0 { "may reach" } else { "" };
        let _ = writeln!(text, "  {title:<12}  {reach}");
    }
    if publisher.listen.stated || plugin.description().config_schema["properties"]["port"].is_object() {
        let _ = writeln!(text, "  is scraped at http://{}/metrics", publisher.listen.address);
    }
    let _ = writeln!(text, "  may use       {}", used(publisher));
    let _ = writeln!(text, "  gets batches  {}", batches(publisher));
    let _ = writeln!(text, "  tries again   {}", retries(publisher));
    text
}

fn used(publisher: &Publisher) -> String {
    let limits = &publisher.limits;
    format!("{} of memory, {} a call", show_size(limits.memory as u64), show_time(limits.call_time()))
}

fn batches(publisher: &Publisher) -> String {
    let batch = &publisher.batch;
    let (records, bytes) = (HumanCount(batch.max_records as u64), show_size(batch.max_bytes as u64));
    format!("of {records} records or {bytes}, or what came within {}", show_time(batch.max_age))
}

fn retries(publisher: &Publisher) -> String {
    let retry = &publisher.retry;
    let end = retry
        .give_up_after
        .map_or_else(|| "for ever".to_owned(), |age| format!("until a record is {} old", show_time(age)));
    format!("after up to {}, doubling up to {}, {end}", show_time(retry.initial), show_time(retry.max))
}
