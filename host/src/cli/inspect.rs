//! `metricast inspect PLUGIN`: what a component is, imports, exports, and can be set to.

use std::fmt::Write as _;

use super::exit::Exit;
use super::schema::Settings;
use super::start::{self, about};
use super::table::Table;
use super::terminal::{self, Paint, Terminal};
use crate::limits::Limits;
use crate::plugin::{Plugin, PluginSource};

const EXAMPLES: &str = "\
Examples:
  metricast inspect elasticsearch           one that comes with metricast
  metricast inspect plugins/mine.wasm       a file

Nothing is opened and nothing is sent: the plugin is only asked what it is. What it may reach is decided by a config,
and told by `metricast check`.";

/// Tell what a plugin is: its settings, and what it imports and exports
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Inspect {
    /// The name of a bundled plugin, or the path of a component
    #[arg(value_name = "PLUGIN")]
    plugin: PluginSource,
}

impl Inspect {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        let plugin = start::runtime()?.block_on(start::workshop()?.load(&self.plugin, &Limits::default()))?;
        terminal::print(told(&plugin, terminal.stdout_paint()))?;
        Ok(Exit::Clean)
    }
}

fn told(plugin: &Plugin, paint: Paint) -> String {
    let mut text = String::new();
    let mut imports = Table::new(&["interface", "what it is for"]);
    for import in plugin.imports() {
        imports.row([import.clone(), meaning(import).to_owned()]);
    }
    let _ = writeln!(text, "{}\n{}\n{}\n", paint.strong(plugin.label()), about(plugin), plugin.digest());
    let _ = writeln!(text, "{}\n{}", paint.strong("Settings"), Settings::of(&plugin.description().config_schema));
    let _ = writeln!(text, "{}\n{}", paint.strong("Imports"), indented(&imports.to_string()));
    let _ = writeln!(text, "{}\n{}", paint.strong("Exports"), indented(&plugin.exports().join("\n")));
    text
}

fn indented(text: &str) -> String {
    text.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}

/// What an import gives to a plugin here.
fn meaning(import: &str) -> &'static str {
    let path = import.split('@').next().unwrap_or(import);
    match path.split_once('/') {
        Some(("wasi:http", _)) => "HTTP, only to origins that a config grants",
        Some(("wasi:clocks", _)) => "the time",
        Some(("wasi:random", _)) => "random numbers",
        Some(("wasi:io", _)) => "streams and waiting, for what else is here",
        Some(("wasi:cli", "stdout" | "stderr")) => "becomes log lines",
        Some(("wasi:cli", "environment")) => "nothing: there are no arguments and no variables",
        Some(("wasi:cli", "stdin")) => "nothing: it is empty",
        Some(("wasi:cli", "exit")) => "ends the plugin's own instance",
        Some(("wasi:cli", _)) => "nothing: there is no terminal",
        Some(("wasi:filesystem", _)) => "nothing: there are no files",
        Some(("wasi:sockets", _)) => "nothing: there are no sockets",
        Some(("metricast:publisher", _)) => "the contract",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::meaning;

    #[test]
    fn what_std_brings_along_is_told_as_the_nothing_that_it_is() {
        assert_eq!(meaning("wasi:filesystem/preopens@0.2.6"), "nothing: there are no files");
        assert_eq!(meaning("wasi:cli/stderr@0.2.6"), "becomes log lines");
        assert_eq!(meaning("evil:thing"), "");
    }
}
