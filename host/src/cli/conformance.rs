//! `metricast conformance PLUGIN`: a plugin held against the contract, rule by rule.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::exit::Exit;
use super::schema::wrapped;
use super::start;
use super::table::{Cell, Table};
use super::terminal::{self, Paint, Terminal};
use crate::config::{self, Checked, ConfigError};
use crate::conformance::{self, Judgement, Report, Rule, Verdict};
use crate::plugin::PluginSource;

const EXAMPLES: &str = "\
Examples:
  metricast conformance plugins/mine.wasm
  metricast conformance plugins/mine.wasm --config mine.json
                                   with settings, which open it and name its backend
  metricast conformance --list     what each rule asks

With settings that name a backend, that backend gets some ten thousand records whose names start with
metricast_conformance: name one that is for trying things out.

Exit codes:
  0  no rule is broken, and each was judged
  1  a rule is broken
  2  usage or config
  3  none is broken, and some could not be judged: without settings, or without the backend";

/// Characters of a line of explanation.
const WIDTH: usize = 92;

/// Hold a plugin against the contract
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Conformance {
    /// The path of a component, or the name of a bundled plugin
    #[arg(value_name = "PLUGIN", required_unless_present = "list")]
    plugin: Option<PluginSource>,
    /// Its settings: a JSON object (FILE.json), a TOML table of them, or a metricast config whose publisher has them
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    config: Option<PathBuf>,
    /// List the rules
    #[arg(long)]
    list: bool,
}

impl Conformance {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let Some(plugin) = self.plugin.as_ref().filter(|_| !self.list) else {
            terminal::print(list())?;
            return Ok(Exit::Clean);
        };
        let (workshop, runtime) = (start::workshop()?, start::runtime()?);
        let config = runtime.block_on(workshop.split(&subject(plugin, self.config.as_deref())?));
        let mut reports = Vec::new();
        for (index, publisher) in config.publishers.iter().enumerate() {
            let report = runtime.block_on(conformance::judge(&workshop, &config, publisher));
            let report = report.map_err(|problem| ConfigError::Invalid(vec![start::told(&config, index, &problem)]))?;
            if config.publishers.len() > 1 {
                let space = if index > 0 { "\n" } else { "" };
                terminal::print(format!("{space}{}\n\n", publisher.name))?;
            }
            terminal::print(told(&report, terminal.stdout_paint()))?;
            reports.push(report);
        }
        Ok(exit(&reports))
    }
}

fn exit(reports: &[Report]) -> Exit {
    if reports.iter().any(|report| report.broken().next().is_some()) {
        return Exit::Refused;
    }
    Exit::undelivered_if(reports.iter().any(|report| report.not_judged().next().is_some()))
}

/// A config with one publisher: the plugin, with the settings of `file`.
fn subject(plugin: &PluginSource, file: Option<&Path>) -> anyhow::Result<Checked> {
    let settings = file.map(settings).transpose()?;
    let mut config = match (file, &settings) {
        (Some(file), Some(None)) => {
            let mut config = config::load(file)?;
            ensure!(
                config.publishers.len() == 1,
                "{} has {} publishers: leave the one whose settings these are",
                file.display(),
                config.publishers.len()
            );
            let own = &config.publishers[0].plugin;
            if let (PluginSource::Bundled(own), PluginSource::Bundled(asked)) = (own, plugin) {
                ensure!(own == asked, "{} has the settings of {own}, and {asked} is to be judged", file.display());
            }
            config.publishers[0].plugin = plugin.clone();
            return Ok(config);
        }
        _ => config::built_in(),
    };
    let publisher = &mut config.publishers[0];
    publisher.name = plugin.to_string();
    publisher.plugin = plugin.clone();
    if let (Some(file), Some(settings)) = (file, settings.flatten()) {
        publisher.config = settings;
        config.folder = file.parent().map(Path::to_owned).unwrap_or_default();
    }
    Ok(config)
}

/// The plugin's own settings; none in a metricast config, and in what is for its reader to refuse.
fn settings(file: &Path) -> anyhow::Result<Option<serde_json::Value>> {
    let named = || format!("cannot read the settings in {}", file.display());
    let text = fs::read(file).with_context(named)?;
    if file.extension().is_some_and(|end| end == "json") {
        let settings: serde_json::Value = serde_json::from_slice(&text).with_context(named)?;
        let example = "such as {\"url\": \"…\"}";
        ensure!(settings.is_object(), "the settings in {} are no JSON object, {example}", file.display());
        return Ok(Some(settings));
    }
    let table = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<toml::Table>().ok());
    Ok(table.filter(|table| !table.contains_key("publishers")).map(|table| serde_json::json!(table)))
}

fn list() -> Table {
    let mut table = Table::new(&["rule", "what it asks"]);
    for rule in Rule::ALL {
        table.row([rule.name(), rule.text()].map(str::to_owned));
    }
    table
}

fn told(report: &Report, paint: Paint) -> String {
    let mut table = Table::new(&["rule", "verdict", "what it asks"]);
    let mut before = None;
    for Judgement { rule, verdict } in report.judgements() {
        let (word, why): (Cell, _) = match &verdict {
            Verdict::Kept => (paint.good("kept").into(), None),
            Verdict::Broken(how) => (paint.bad("broken").into(), Some(how.clone())),
            Verdict::DoesNotApply(why) => (paint.plain("does not apply").into(), Some((*why).to_owned())),
            Verdict::NotJudged(why) => (paint.doubtful("not judged").into(), Some(why.clone())),
        };
        // A reason that many rules share is told once.
        let notes = why.as_ref().filter(|_| why != before).map(|why| wrapped(why, WIDTH)).unwrap_or_default();
        before = why.or(before);
        let notes = notes.into_iter().map(|line| format!("  {line}")).collect();
        table.row_with_notes([Cell::from(rule.name().to_owned()), word, rule.text().to_owned().into()], notes);
    }
    let (broken, not_judged) = (report.broken().count(), report.not_judged().count());
    let rest = Rule::ALL.len() - broken - not_judged;
    format!("{table}\n{rest} rules kept or not its own, {broken} broken, {not_judged} not judged\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_rule() {
        let text = list().to_string();
        assert!(Rule::ALL.iter().all(|rule| text.contains(rule.name())), "{text}");
    }

    #[test]
    fn a_plugin_without_settings_is_the_only_publisher() {
        let config = subject(&PluginSource::File("mine.wasm".into()), None).unwrap();
        assert_eq!(config.publishers.len(), 1);
        assert_eq!(config.publishers[0].plugin.to_string(), "mine.wasm");
        assert_eq!(config.publishers[0].config, serde_json::json!({}));
    }
}
