//! What is measured: a plugin, open in its sandbox, beside its native twin.

use std::path::Path;

use anyhow::{Result, anyhow};
use metricast::egress::Secrets;
use metricast::engine::{CompileCache, Engine, EngineOptions};
use metricast::grants::Grants;
use metricast::limits::Limits;
use metricast::plugin::{Instance, Loader, OpenOptions, PluginRuntime, PluginSource};
use metricast_bench_elasticsearch_format::Format;
use metricast_prometheus::PrometheusPublisher;
use metricast_records::{Batch, Columns};
use metricast_sdk::{Publisher, config};

use super::components::{Component, Components};
use super::lanes::Twin;
use super::records::{self, Batches, SIZES};

const ELASTICSEARCH: &str = r#"{"hosts": ["http://127.0.0.1:9200"], "index_prefix": "bench"}"#;

/// A plugin and its twin, with the batches that both get.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) aim: Aim,
    pub(crate) instance: Instance,
    pub(crate) twin: Twin,
    /// For each of [`SIZES`].
    pub(crate) batches: [Batches; SIZES.len()],
}

/// What the design asks of a plugin at 1,000 records a batch.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// At most so many nanoseconds a record.
    Nanoseconds(f64),
    /// At most so many times the native twin's.
    TimesNative(f64),
}

/// Loads and opens all, with the host's own settings.
pub(crate) async fn open(components: &Components, plugins: &PluginRuntime) -> Result<[Subject; 3]> {
    let engine = Engine::new(&EngineOptions { cache: CompileCache::Off })?;
    let loader = Loader::new(&engine, plugins)?;
    let placed = records::batches("k3x9")?;
    Ok([
        Subject {
            name: "empty",
            aim: Aim::Nanoseconds(8.0),
            instance: instance(&loader, &components.empty, "{}").await?,
            twin: Box::new(copy_and_check),
            batches: placed.clone(),
        },
        Subject {
            name: "prometheus",
            aim: Aim::TimesNative(2.0),
            instance: instance(&loader, &components.prometheus, "{}").await?,
            twin: twin::<PrometheusPublisher>("{}")?,
            batches: records::batches("")?,
        },
        Subject {
            name: "elasticsearch",
            aim: Aim::TimesNative(1.7),
            instance: instance(&loader, &components.elasticsearch, ELASTICSEARCH).await?,
            twin: twin::<Format>(ELASTICSEARCH)?,
            batches: placed,
        },
    ])
}

/// The Prometheus plugin by itself, with a config.
pub(crate) async fn prometheus(components: &Components, config: &str, plugins: &PluginRuntime) -> Result<Instance> {
    let engine = Engine::new(&EngineOptions { cache: CompileCache::Off })?;
    instance(&Loader::new(&engine, plugins)?, &components.prometheus, config).await
}

/// The plugin of a file, with a config.
pub(crate) async fn of_file(file: &Path, config: &str, plugins: &PluginRuntime) -> Result<Instance> {
    let engine = Engine::new(&EngineOptions { cache: CompileCache::Off })?;
    open_file(&Loader::new(&engine, plugins)?, file, config).await
}

/// Its native twin.
pub(crate) fn prometheus_twin() -> Result<Twin> {
    twin::<PrometheusPublisher>("{}")
}

async fn instance(loader: &Loader, component: &Component, config: &str) -> Result<Instance> {
    open_file(loader, &component.path, config).await
}

async fn open_file(loader: &Loader, file: &Path, config: &str) -> Result<Instance> {
    let limits = Limits::default();
    let plugin = loader.load(&PluginSource::File(file.to_owned()), &limits).await?;
    let options = OpenOptions::new("bench", config, Grants::default(), Secrets::default(), limits);
    Ok(plugin.open(options).await?)
}

fn twin<P: Publisher + Send>(config: &str) -> Result<Twin> {
    let mut publisher = P::open(config::parse::<P>(config)?, None)?;
    Ok(Box::new(move |batch| Ok(publisher.publish(batch)?.accepted)))
}

/// What a sandbox has to do to a batch before its plugin sees it.
fn copy_and_check(batch: &Batch) -> Result<u32> {
    let columns = Columns::from(batch.clone());
    let batch = Batch::try_from(columns).map_err(|error| anyhow!("{error}"))?;
    Ok(batch.len() as u32)
}
