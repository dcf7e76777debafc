//! `metricast check`: what a config does, before anything runs; how the backends stand; what they need to be set up.

use std::path::PathBuf;

use super::exit::Exit;
use super::overview::{front, is_scraped, told};
use super::terminal::{self, Terminal};
use super::{online, snippets, start};
use crate::config::{Checked, ConfigError, Location, Problem, Publisher};
use crate::egress::Secrets;
use crate::pipeline::{Prepared, Workshop};

const EXAMPLES: &str = "\
Examples:
  metricast check -c metricast.toml
  metricast check                       what `metricast run` does without a config
  metricast check -c metricast.toml --online
                                        and how each backend stands now
  metricast check --print-scrape-config > scrape.yml
                                        what goes into prometheus.yml

Plugins are loaded and judge their settings, and secrets are read; nothing is opened, and without
--online nothing is sent.

Exit codes:
  0  the config can be used; with --online, nothing is bad (there may be warnings)
  2  usage or config
  3  with --online: something is bad, a publisher's records would not arrive";

/// Tell what a config does, and what each plugin may reach
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("snippet").args(["print", "print_role", "print_scrape_config"])))]
pub(super) struct Check {
    /// The config; without one, the built-in one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask each backend too: whether it is reached, takes the credentials, has what records need; each answer that is
    /// not good comes with what to do. Nothing is changed there. All are asked side by side, each for as long as its
    /// `call_timeout` at most
    #[arg(long, conflicts_with = "snippet")]
    online: bool,
    /// Print only this text, which a person needs to set a backend up; a name that there is not lists those that there
    /// are. Secrets are not read
    #[arg(long, value_name = "NAME")]
    print: Option<String>,
    /// Short for --print role: what metricast's user at the backend must be allowed to do
    #[arg(long)]
    print_role: bool,
    /// Short for --print scrape-config: what goes into prometheus.yml
    #[arg(long)]
    print_scrape_config: bool,
    /// Print the text of this publisher, where several have one of that name; of one that is split, NAME is all of it
    /// and NAME/PART one part
    #[arg(long, value_name = "NAME", requires = "snippet")]
    publisher: Option<String>,
}

impl Check {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let config = start::config(self.config.as_deref())?;
        let workshop = start::workshop()?;
        let runtime = start::runtime()?;
        if let Some(name) = self.snippet() {
            return runtime.block_on(snippets::print(&config, &workshop, name, self.publisher.as_deref(), terminal));
        }
        let written = config;
        let config = runtime.block_on(workshop.split(&written));
        let prepared = runtime.block_on(prepare(&config, &workshop))?;
        let answers = if self.online { runtime.block_on(online::ask(&prepared)) } else { Vec::new() };
        let paint = terminal.stdout_paint();
        let mut text = front(&config, paint);
        for (index, (publisher, prepared)) in config.publishers.iter().zip(&prepared).enumerate() {
            text += &told(publisher, prepared, paint);
            text += &answers.get(index).map(|answers| online::told(answers, paint)).unwrap_or_default();
        }
        terminal::print(text)?;
        written_out(&written, terminal);
        unused(&config, &prepared, terminal);
        Ok(Exit::undelivered_if(online::complain(&config, &answers, terminal)))
    }

    fn snippet(&self) -> Option<&str> {
        let short = [(self.print_role, "role"), (self.print_scrape_config, "scrape-config")];
        let short = short.into_iter().find_map(|(asked, name)| asked.then_some(name));
        self.print.as_deref().or(short)
    }
}

/// Credentials that whoever reads the config has, and the plugin too.
fn written_out(config: &Checked, terminal: &Terminal) {
    for publisher in &config.publishers {
        for key in Secrets::written_out(&publisher.config) {
            let name = &publisher.name;
            terminal.note(format_args!(
                "warning: publisher {name}: {key} is written out, for the plugin too: {{ secret = \"env:NAME\" }} or \
                 {{ secret = \"file:PATH\" }} keeps it out of both"
            ));
        }
    }
}

/// Keys of `[defaults]` that no publisher takes.
fn unused(config: &Checked, prepared: &[Prepared], terminal: &Terminal) {
    for key in config.shared.written() {
        // Of a composite's entry: `publishers[1].labels.team`.
        let own = |given: &str| given.split_once("].").map_or(given.to_owned(), |(_, own)| own.to_owned());
        let is_given = |given: &str| own(given).split('.').next() == Some(key);
        let has = |publisher: &Publisher| publisher.config.get(key).is_some();
        let given = prepared.iter().any(|prepared| prepared.given.iter().any(|given| is_given(&given.key)));
        if !given && !config.publishers.iter().any(has) {
            terminal.note(format_args!("[defaults] {key}: no publisher's plugin has a setting of that name"));
        }
    }
}

/// All publishers, or what is wrong with each that cannot be had.
async fn prepare(config: &Checked, workshop: &Workshop) -> Result<Vec<Prepared>, ConfigError> {
    let mut prepared = Vec::new();
    let mut problems = Vec::new();
    for (index, publisher) in config.publishers.iter().enumerate() {
        match workshop.prepare(config, publisher).await {
            Ok(ready) => prepared.push(ready),
            Err(problem) => problems.push(start::told(config, index, &problem)),
        }
    }
    told_once(&mut problems);
    if problems.is_empty() {
        problems = clashes(config, &prepared);
    }
    if problems.is_empty() { Ok(prepared) } else { Err(ConfigError::Invalid(problems)) }
}

/// What is wrong with all parts of a publisher that is split is told of the first.
fn told_once(problems: &mut Vec<Problem>) {
    let mut told: Vec<(Location, String)> = Vec::new();
    problems.retain(|problem| {
        let Some(location) = problem.location.clone() else { return true };
        let this = (location, problem.message.clone());
        let is_new = !told.contains(&this);
        told.push(this);
        is_new
    });
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
