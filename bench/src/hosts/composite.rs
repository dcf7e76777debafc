//! One composite component of two plugins that do nothing, beside the host's own fan-out to two instances.

use std::fs;
use std::time::Instant;

use anyhow::Result;
use metricast::compose;
use metricast::plugin::{Instance, PluginRuntime};
use serde::Serialize;

use crate::boundary::components::Components;
use crate::boundary::records::{self, Batches, RECORDS, SIZES};
use crate::boundary::subject;
use crate::spread::Spread;

/// Records a batch.
const AT: usize = 1_000;
const CONFIG: &str = r#"{"publishers": [{}, {}]}"#;

/// Nanoseconds a record for both legs.
#[derive(Serialize)]
pub(super) struct Figure {
    composite: Spread,
    fan_out: Spread,
}

pub(super) async fn measure(components: &Components, rounds: u32) -> Result<Figure> {
    let plugins = PluginRuntime::new()?;
    let leg = fs::read(&components.empty.path)?;
    let folder = xtask::workspace().join("target/bench-data");
    fs::create_dir_all(&folder)?;
    let file = folder.join("composite.wasm");
    fs::write(&file, compose::composite(&[&leg, &leg])?)?;
    let both = subject::of_file(&file, CONFIG, &plugins).await?;
    let legs = [
        subject::of_file(&components.empty.path, "{}", &plugins).await?,
        subject::of_file(&components.empty.path, "{}", &plugins).await?,
    ];
    let size = SIZES.iter().position(|&size| size == AT).unwrap_or_default();
    let batches = records::batches("")?[size].clone();
    let (mut composite, mut fan_out) = (Vec::new(), Vec::new());
    for round in 0..=rounds * 10 {
        let one = timed(&plugins, batches.clone(), vec![both.clone()]).await?;
        let two = timed(&plugins, batches.clone(), legs.to_vec()).await?;
        if round > 0 {
            composite.push(one);
            fan_out.push(two);
        }
    }
    Ok(Figure { composite: Spread::of(composite), fan_out: Spread::of(fan_out) })
}

async fn timed(plugins: &PluginRuntime, batches: Batches, instances: Vec<Instance>) -> Result<f64> {
    let work = async move {
        let start = Instant::now();
        for batch in batches.iter() {
            for instance in &instances {
                instance.publish(batch.clone()).await?;
            }
        }
        Ok(start.elapsed().as_nanos() as f64 / RECORDS as f64)
    };
    plugins.spawn(work).await?
}

impl Figure {
    pub(super) fn print(&self) {
        println!("Two plugins that do nothing, {AT} records a batch, ns a record, min / median / max\n");
        println!("| one composite component | two instances of the host, one after the other |\n| ---: | ---: |");
        println!("| {} | {} |\n", self.composite.text(1), self.fan_out.text(1));
    }
}
