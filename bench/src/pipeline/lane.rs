//! The same pipeline twice, but for one thing: what a batch is handed to. In the sandbox it is the component, natively
//! the same plugin's code in this process. Both read the file, queue and deliver by the host's own parts.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use metricast::config::{self, Publisher};
use metricast::delivery::{Delivery, Opened, Opener, Phase, Settings};
use metricast::egress::Secrets;
use metricast::engine::{Engine, EngineOptions};
use metricast::grants::Grants;
use metricast::plugin::{CallError, Instance, Loader, OpenOptions, Plugin, PluginRuntime, Saved};
use metricast::queue::Queue;
use metricast::source::feed::{Fed, Feeder};
use serde::Serialize;
use tokio::runtime::Handle;

use super::native::NativeOpener;

/// What runs the plugin's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lane {
    /// The machine itself.
    Native,
    /// The sandbox.
    Sandbox,
}

/// As in the command's pipeline.
const MAX_INSTANCES: u32 = 4;
const BLOCK: usize = 256 << 10;

/// Publishes a file by the first publisher of a config.
pub(crate) fn run(lane: Lane, config: &Path, file: &Path) -> Result<()> {
    let config = config::load(config)?;
    let publisher = config.publishers.into_iter().next().context("a config has a publisher")?;
    let plugins = PluginRuntime::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let queue = Queue::in_memory(config.queue.max_size);
    match lane {
        Lane::Native => runtime.block_on(deliver(NativeOpener::new(&publisher), &publisher, queue, file, &plugins)),
        Lane::Sandbox => runtime.block_on(async {
            let opener = SandboxOpener::load(&publisher, &plugins).await?;
            deliver(opener, &publisher, queue, file, &plugins).await
        }),
    }
}

async fn deliver<O: Opener>(
    opener: O,
    publisher: &Publisher,
    queue: Queue,
    file: &Path,
    plugins: &PluginRuntime,
) -> Result<()> {
    let settings = Settings {
        batching: publisher.batch.clone(),
        retry: publisher.retry.clone(),
        max_instances: MAX_INSTANCES,
        max_unsaved: 8 << 20,
        reset_state: false,
    };
    let mut delivery = Delivery::start(&publisher.name, opener, queue.reader(), settings, plugins);
    let outcome = delivery.opened().await;
    ensure!(matches!(outcome, Opened::Yes(_)), "the plugin does not open: {outcome:?}");
    let (feeder, file) = (Feeder::new(queue.clone(), Handle::current()), file.to_owned());
    let fed = thread::spawn(move || feed(&file, feeder));
    let fed = tokio::task::spawn_blocking(move || fed.join().unwrap_or_else(|_| bail!("the feeder broke"))).await??;
    queue.close();
    delivery.ended().await;
    let (phase, counts) = (delivery.status().phase(), delivery.status().counts());
    ensure!(phase == Phase::Done && counts.accepted == fed, "{counts:?} of {fed}, {phase:?}");
    Ok(())
}

fn feed(file: &Path, mut feeder: Feeder) -> Result<u64> {
    let mut reader = BufReader::with_capacity(BLOCK, File::open(file)?);
    let (mut line, mut records) = (Vec::new(), 0);
    let received = metricast::clock::now();
    while reader.read_until(b'\n', &mut line)? > 0 {
        ensure!(feeder.line(&line, received) == Fed::Record, "a line that is no record");
        feeder.flush_if_enough()?;
        records += 1;
        line.clear();
    }
    feeder.flush()?;
    Ok(records)
}

struct SandboxOpener {
    plugin: Plugin,
    options: OpenOptions,
}

impl SandboxOpener {
    async fn load(publisher: &Publisher, plugins: &PluginRuntime) -> Result<Self> {
        let engine = Engine::new(&EngineOptions::default())?;
        let plugin = Loader::new(&engine, plugins)?.load(&publisher.plugin, &publisher.limits).await?;
        let grants = Grants::from_config(&plugin.description().config_schema, &publisher.config, &publisher.allow)?;
        let settings = publisher.config.to_string();
        let limits = publisher.limits.clone();
        let options = OpenOptions::new(&publisher.name, &settings, grants, Secrets::default(), limits);
        Ok(Self { plugin, options })
    }
}

impl Opener for SandboxOpener {
    type Sandbox = Instance;

    fn plugin(&self) -> String {
        "bench".to_owned()
    }

    async fn open(&self, state: Option<Saved>) -> Result<Instance, CallError> {
        self.plugin.open(self.options.clone().with_state(state)).await
    }
}
