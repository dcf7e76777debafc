//! `metricast check`: what a config does, before anything runs.

use std::fmt::Write as _;
use std::path::PathBuf;

use indicatif::HumanCount;

use super::exit::Exit;
use super::start;
use super::terminal::{self, Paint, Terminal};
use crate::config::{Checked, ConfigError, Problem, Publisher, WhenFull, show_size, show_time};
use crate::egress::Secrets;
use crate::pipeline::{Prepared, Workshop};
use crate::plugin::{Plugin, PluginSource};

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
    if problems.is_empty() {
        problems = clashes(config, &prepared);
    }
    if problems.is_empty() { Ok(prepared) } else { Err(ConfigError::Invalid(problems)) }
}

/// Publishers that cannot be scraped because others listen there.
fn clashes(config: &Checked, prepared: &[Prepared]) -> Vec<Problem> {
    let scraped: Vec<&str> = (config.publishers.iter().zip(prepared))
        .filter(|(publisher, prepared)| is_scraped(publisher, &prepared.plugin))
        .map(|(publisher, _)| publisher.name.as_str())
        .collect();
    let is_one = |publisher: &Publisher| scraped.contains(&publisher.name.as_str());
    let told = |(index, publisher): (usize, &Publisher)| {
        let user = start::listener_before(config, index, is_one).filter(|_| is_one(publisher))?;
        let text = format!("the address {} is taken by {user}", publisher.listen.address);
        Some(config.blame(index, publisher.listen_key(), text))
    };
    config.publishers.iter().enumerate().filter_map(told).collect()
}

fn is_scraped(publisher: &Publisher, plugin: &Plugin) -> bool {
    publisher.listen.stated || plugin.description().config_schema["properties"]["port"].is_object()
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
    let patience = show_time(config.drain_timeout);
    let _ = writeln!(text, "  at the end    `run` delivers what waits for up to {patience}, `publish` until nothing");
    let _ = writeln!(text, "                has moved for {patience} (drain_timeout)");
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
    text += &listed("may reach", &reach(prepared));
    let secrets = Secrets::references(&publisher.config);
    text += &listed("sends", &secrets.map(|(key, from)| format!("{key} from {from}")).collect::<Vec<_>>());
    if is_scraped(publisher, plugin) {
        let _ = writeln!(text, "  is scraped at http://{}/metrics", publisher.listen.address);
    }
    let _ = writeln!(text, "  may use       {}", used(publisher));
    let _ = writeln!(text, "  gets batches  {}", batches(publisher));
    let _ = writeln!(text, "  tries again   {}", retries(publisher));
    text
}

fn reach(prepared: &Prepared) -> Vec<String> {
    if prepared.grants.origins().len() > 0 {
        return prepared.grants.in_words();
    }
    let asks = prepared.plugin.imports().iter().any(|import| import.starts_with("wasi:http/outgoing-handler"));
    let why = if asks { "no setting names an origin, and `allow` is empty" } else { "it asks for no network" };
    vec![format!("nothing: {why}")]
}

fn listed(title: &str, lines: &[String]) -> String {
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(lines).fold(String::new(), |mut text, (title, line)| {
        let _ = writeln!(text, "  {title:<12}  {line}");
        text
    })
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
