//! `metricast compose`: several plugins as one portable component, or a plugin as an HTTP service.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::exit::Exit;
use super::start;
use super::terminal::{self, Terminal};
use crate::compose::{self, ComposeError, Inspected, Readers, ServiceConfig};
use crate::config::show_size;
use crate::limits::Limits;
use crate::pipeline::Workshop;
use crate::plugin::{CallError, Plugin, PluginSource, PublishError};

const EXAMPLES: &str = "\
Examples:
  metricast compose prometheus elasticsearch -o both.wasm
                              one plugin that gives each record to both; in a config:
                                plugin = \"./both.wasm\"
                                [[publishers.config.publishers]]    # of prometheus
                                [[publishers.config.publishers]]    # of elasticsearch
                                hosts = [\"http://127.0.0.1:9200\"]
  metricast compose --serve elasticsearch --config search.toml -o service.wasm
                              a service that takes POST /v1/records, with the plugin's settings in it:
                                wasmtime serve -S cli service.wasm
  metricast compose --serve elasticsearch -o service.wasm
                              the same, with the settings in METRICAST_CONFIG, as JSON:
                                wasmtime serve -S cli --env METRICAST_CONFIG='{...}' service.wasm

Plugins are names of bundled ones or files, composites too. The config of a composite is one flat list, in the order in
which they are named here. A composite runs in any host of metricast's plugins, a service in any host of wasi:http 0.2.
In metricast itself two publishers do better than one composite: each has its own sandbox and its own place in the queue.";

/// Make one component of several plugins, or a service of one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compose {
    /// The names of bundled plugins, or the paths of components: two or more; with --serve, one
    #[arg(value_name = "PLUGIN", required = true)]
    plugins: Vec<PluginSource>,
    /// The file to write; one that is there is replaced once the new one is finished
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Put an HTTP gateway before the plugin: POST /v1/records, GET /healthz, and GET /metrics where it is scraped
    #[arg(long)]
    serve: bool,
    /// Put this config into the service: the plugin's own settings as JSON or TOML, or a metricast config with one
    /// publisher that uses the plugin. Without it the service reads the environment variable `METRICAST_CONFIG`
    #[arg(long, value_name = "FILE", requires = "serve")]
    config: Option<PathBuf>,
    /// Make a service of a plugin that keeps state, for a host that keeps one instance for all requests, as Node.js by
    /// jco does. Most make a new one for each request
    #[arg(long, requires = "serve")]
    keeps_instance: bool,
}

impl Compose {
    pub(super) fn run(&self, terminal: &Terminal) -> anyhow::Result<Exit> {
        compose::free_place(&self.output, &self.plugins, self.config.as_deref())?;
        let (runtime, workshop) = (start::runtime()?, start::workshop()?);
        let told = if self.serve {
            runtime.block_on(self.service(&workshop, terminal))?
        } else {
            self.composite(&runtime, &workshop)?
        };
        terminal::print(told)?;
        Ok(Exit::Clean)
    }

    fn composite(&self, runtime: &tokio::runtime::Runtime, workshop: &Workshop) -> anyhow::Result<String> {
        let plugins = runtime.block_on(async {
            let mut plugins = Vec::new();
            for source in &self.plugins {
                plugins.push(Inspected::open(workshop, source, "{}").await.map_err(ComposeError::from)?);
            }
            compose::refuse_two_scraped(workshop, &plugins).await?;
            Ok::<_, ComposeError>(plugins)
        })?;
        let parts: Vec<_> = self.plugins.iter().map(PluginSource::read).collect::<Result<_, _>>()?;
        let bytes = compose::composite(&parts)?;
        compose::write(&self.output, &bytes, Readers::Usual, |path| {
            let whole = runtime.block_on(workshop.load(&PluginSource::File(path.to_owned()), &Limits::default()));
            whole.map(drop).map_err(ComposeError::from)
        })?;
        let names: Vec<&str> = plugins.iter().flat_map(Inspected::names).collect();
        let config = vec!["{...}"; names.len()].join(", ");
        Ok(format!(
            "{}: a composite of {} ({})\nIts config, in this order: {{\"publishers\": [{config}]}}\n",
            self.output.display(),
            names.join(", "),
            show_size(bytes.len() as u64),
        ))
    }

    async fn service(&self, workshop: &Workshop, terminal: &Terminal) -> anyhow::Result<String> {
        let [source] = &self.plugins[..] else {
            bail!("a service is of one plugin: compose {} first, and serve the result", list(&self.plugins));
        };
        let plugin = workshop.load(source, &Limits::default()).await?;
        let config = match &self.config {
            Some(path) => Some(settings(path, &plugin, source).await?),
            None => None,
        };
        let opened = Inspected::open(workshop, source, config.as_ref().map_or("{}", |config| &config.judged)).await?;
        self.refuse_state(&opened, workshop).await?;
        let bytes = compose::service(&source.read()?, config.as_ref().map(|config| config.text.as_str()))?;
        let has_secrets = config.as_ref().is_some_and(|config| !config.secrets.is_empty());
        let readers = if has_secrets { Readers::Owner } else { Readers::Usual };
        compose::write(&self.output, &bytes, readers, |_| Ok::<_, ComposeError>(()))?;
        self.warn(&opened, config.as_ref(), terminal);
        let (place, size) = (self.output.display(), show_size(bytes.len() as u64));
        let settings = self.config.as_ref().map_or_else(
            || "Its config comes from the environment variable METRICAST_CONFIG, as JSON".to_owned(),
            |path| format!("The config of {} is in it", path.display()),
        );
        let variables = config.map(|config| config.variables.join(" and ")).unwrap_or_default();
        let secrets =
            if variables.is_empty() { String::new() } else { format!("; from its environment it takes {variables}") };
        Ok(format!("{place}: a service before {} ({size})\n{settings}{secrets}\n", plugin.label()))
    }

    /// Most hosts make a new instance for each request, and its state is gone with it.
    async fn refuse_state(&self, opened: &Inspected, workshop: &Workshop) -> anyhow::Result<()> {
        if self.keeps_instance {
            return Ok(());
        }
        if let Some(stateful) = opened.stateful(workshop).await? {
            bail!(
                "{stateful} keeps state, such as counts, and most hosts make a new instance for each request: it would \
                 begin at nothing each time. For a host that keeps one instance for all requests, as Node.js by jco does, \
                 say so with --keeps-instance. `wasmtime serve` uses one again with --max-instance-reuse-count and \
                 --idle-instance-timeout, and makes others beside it where requests meet, even with \
                 --max-concurrent-requests 1; wasmCloud's `wash dev` makes one for each request. `metricast run` keeps \
                 state in any case"
            );
        }
        Ok(())
    }

    fn warn(&self, opened: &Inspected, config: Option<&ServiceConfig>, terminal: &Terminal) {
        if let Some(config) = config.filter(|config| !config.secrets.is_empty()) {
            terminal.note(format_args!(
                "warning: {} can be read by whoever has {}; only its owner may read the file",
                config.secrets.join(" and "),
                self.output.display()
            ));
        }
        if opened.may_be_stateful() && !self.keeps_instance {
            terminal.note(format_args!(
                "note: whether {} keeps state between requests shows only once it reaches its backend; where it does, \
                 the host has to keep one instance (see --help, --keeps-instance)",
                opened.source
            ));
        }
    }
}

/// The config of a service, which the plugin has judged.
async fn settings(path: &Path, plugin: &Plugin, source: &PluginSource) -> anyhow::Result<ServiceConfig> {
    let config = ServiceConfig::read(path, plugin, source)?;
    match plugin.check(&config.judged, &Limits::default()).await {
        Ok(()) => Ok(config),
        Err(CallError::Publish(PublishError::Misconfigured(text))) => bail!("{}: {text}", path.display()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn list(plugins: &[PluginSource]) -> String {
    plugins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
