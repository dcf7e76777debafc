//! `metricast plugins`: what comes with metricast.

use super::exit::Exit;
use super::start::{self, about};
use super::table::Table;
use super::terminal;
use crate::limits::Limits;
use crate::plugin::{PluginSource, bundled};

const EXAMPLES: &str = "\
Examples:
  metricast plugins
  metricast inspect elasticsearch     one of them, with all of its settings

A config names a bundled plugin, or the file of another one: plugin = \"plugins/mine.wasm\".";

/// List the plugins that come with metricast
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Plugins {}

impl Plugins {
    pub(super) fn run() -> anyhow::Result<Exit> {
        let (runtime, workshop) = (start::runtime()?, start::workshop()?);
        let mut table = Table::new(&["plugin", "version", "what it does"]);
        for name in bundled() {
            let plugin = runtime.block_on(workshop.load(&PluginSource::Bundled(name), &Limits::default()))?;
            table.row([name.to_owned(), plugin.description().version.clone(), about(&plugin).to_owned()]);
        }
        terminal::print(table)?;
        Ok(Exit::Clean)
    }
}
