//! `metricast format --openmetrics`: old records as the samples that scrapes would have taken while they happened, for
//! `promtool tsdb create-blocks-from openmetrics`.
//!
//! The plugin that is scraped gets the records in the order of their own time (their end, or else their start), and is
//! asked for its metrics at each step of a grid: so the series are those of a live `metricast run`. All lines are held
//! in memory to be put in order, up to [`input::MOST`] bytes; the samples are held as changes, so that a long quiet time
//! costs nothing before it is written.

mod input;
mod series;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metricast_records::BatchBuilder;

use super::exit::{Broken, Exit};
use super::lines::Input;
use super::overview::is_scraped;
use super::start;
use super::terminal::{self, Terminal};
use super::textfile;
use crate::config::defaults::BATCH_RECORDS;
use crate::config::{Checked, ConfigError, show_time};
use crate::pipeline::Workshop;
use crate::plugin::Instance;
use input::Ordered;
use series::Series;

const ACCEPT: &str = "application/openmetrics-text; version=1.0.0";
/// Steps of the grid: beyond it a wrong time is likelier than so many samples of every series.
const MOST_STEPS: i64 = 1_000_000;
/// The shortest step: Prometheus keeps milliseconds, and nobody scrapes more often.
const SHORTEST: Duration = Duration::from_secs(1);
/// Text of one batch.
const ENOUGH: usize = 1 << 20;

/// What is asked for.
pub(super) struct Backfill<'a> {
    pub(super) config: Option<&'a Path>,
    pub(super) publisher: Option<&'a str>,
    pub(super) step: Duration,
}

impl Backfill<'_> {
    /// Reads all inputs and writes the samples to standard output.
    pub(super) fn run(&self, inputs: Vec<Input>, terminal: &Terminal) -> anyhow::Result<Exit> {
        let mut config = start::config(self.config)?;
        textfile::hold_nothing_back(&mut config);
        let (runtime, workshop) = (start::runtime()?, start::workshop()?);
        let instance = runtime.block_on(open(&config, &workshop, self.publisher))?;
        let (records, mut refused) = Ordered::read(inputs, input::MOST, terminal)?;
        let grid = Grid::over(&records, self.step)?;
        let mut series = Series::default();
        refused |= runtime.block_on(fill(&instance, &records, &grid, &mut series, terminal))?;
        let mut out = terminal::stdout();
        series.write(grid.last, |step| grid.time(step), &mut out).context(Broken::output())?;
        Ok(Exit::refused_if(refused))
    }
}

/// Steps are counted from the epoch; a sample of step `n` is of everything up to `n` times its length.
struct Grid {
    step_ms: i64,
    last: i64,
}

impl Grid {
    fn over(records: &Ordered, step: Duration) -> anyhow::Result<Self> {
        let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        let mut grid = Self { step_ms, last: 0 };
        let Some((first, last)) = records.span() else { return Ok(grid) };
        let steps = grid.step(last).saturating_sub(grid.step(first));
        anyhow::ensure!(
            steps < MOST_STEPS,
            "the records are from {} to {}: with --step {} that is {steps} steps, and {MOST_STEPS} are the most; \
             a longer step does, or the records of one time at a time",
            metricast_records::time::rfc3339(first),
            metricast_records::time::rfc3339(last),
            show_time(step),
        );
        grid.last = grid.step(last);
        Ok(grid)
    }

    /// The first step that holds a time in seconds.
    fn step(&self, time: f64) -> i64 {
        (time * 1_000.0 / self.step_ms as f64).ceil() as i64
    }

    /// Seconds, as OpenMetrics writes them.
    fn time(&self, step: i64) -> String {
        let ms = i128::from(step) * i128::from(self.step_ms);
        match (ms.div_euclid(1_000), ms.rem_euclid(1_000)) {
            (seconds, 0) => seconds.to_string(),
            (seconds, ms) if seconds < 0 => format!("-{}.{:03}", -seconds - 1, 1_000 - ms),
            (seconds, ms) => format!("{seconds}.{ms:03}"),
        }
    }
}

/// The length of a step.
pub(super) fn parse_step(text: &str) -> Result<Duration, String> {
    let step = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if step < SHORTEST || step.subsec_nanos() % 1_000_000 != 0 {
        return Err("a step is 1s or more, in whole milliseconds".to_owned());
    }
    Ok(step)
}

/// Opens the one publisher that is scraped, or the one that is named.
async fn open(config: &Checked, workshop: &Workshop, wanted: Option<&str>) -> anyhow::Result<Instance> {
    let mut scraped = Vec::new();
    for (index, publisher) in config.publishers.iter().enumerate() {
        if wanted.is_some_and(|wanted| publisher.name != wanted) {
            continue;
        }
        let prepared = workshop.prepare(config, publisher).await;
        let prepared = prepared.map_err(|problem| ConfigError::Invalid(vec![start::told(config, index, &problem)]))?;
        if is_scraped(publisher, &prepared.plugin) {
            scraped.push((publisher, prepared));
        }
    }
    match (scraped.as_slice(), wanted) {
        ([(_, prepared)], _) => Ok(prepared.open().await?),
        ([], Some(wanted)) => anyhow::bail!("no publisher called {wanted} has metrics that can be scraped"),
        ([], None) => anyhow::bail!("no publisher of the config has metrics that can be scraped"),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|(publisher, _)| publisher.name.as_str()).collect();
            anyhow::bail!("several publishers have metrics: --publisher says which of {}", names.join(", "))
        }
    }
}

/// Hands the records over and scrapes after each step that has some; says whether one was rejected.
async fn fill(
    instance: &Instance,
    records: &Ordered,
    grid: &Grid,
    series: &mut Series,
    terminal: &Terminal,
) -> anyhow::Result<bool> {
    let mut rejected = false;
    let mut builder = BatchBuilder::new();
    let mut step = None;
    for (time, record) in records.iter() {
        let now = grid.step(time);
        if let Some(before) = step.filter(|before| *before != now) {
            rejected |= publish(instance, &mut builder, terminal).await?;
            scrape(instance, series, before).await?;
        } else if builder.len() >= BATCH_RECORDS || builder.text_len() >= ENOUGH {
            rejected |= publish(instance, &mut builder, terminal).await?;
        }
        step = Some(now);
        builder.push(&record.as_ref(), time)?;
    }
    rejected |= publish(instance, &mut builder, terminal).await?;
    if let Some(step) = step {
        scrape(instance, series, step).await?;
    }
    Ok(rejected)
}

async fn publish(instance: &Instance, builder: &mut BatchBuilder, terminal: &Terminal) -> anyhow::Result<bool> {
    if builder.is_empty() {
        return Ok(false);
    }
    let receipt = instance.publish(Arc::new(std::mem::take(builder).finish())).await?;
    for rejection in &receipt.rejected {
        terminal.say(format_args!("rejected: {}", rejection.reason));
    }
    Ok(!receipt.rejected.is_empty())
}

async fn scrape(instance: &Instance, series: &mut Series, step: i64) -> anyhow::Result<()> {
    let page = instance.scrape(ACCEPT).await?.context("the plugin has nothing to scrape")?;
    anyhow::ensure!(
        page.content_type.starts_with("application/openmetrics-text"),
        "the plugin does not speak OpenMetrics, but {}",
        page.content_type
    );
    series.add(step, &page.body).context("the plugin's metrics cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_what_happened_up_to_its_time() {
        let grid = Grid { step_ms: 15_000, last: 0 };
        assert_eq!([0.0, 0.1, 15.0, 15.1, -0.1, -15.1].map(|time| grid.step(time)), [0, 1, 1, 2, 0, -1]);
        let grid = Grid { step_ms: 1_500, last: 0 };
        assert_eq!([-2, -1, 0, 1, 2].map(|step| grid.time(step)), ["-3", "-1.500", "0", "1.500", "3"]);
    }

    #[test]
    fn steps_are_whole_milliseconds() {
        assert_eq!(parse_step("1m 30s"), Ok(Duration::from_secs(90)));
        for text in ["999ms", "0s", "1s 1us", "15"] {
            assert!(parse_step(text).is_err(), "{text}");
        }
    }
}
