//! Pages of many series in each format.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use metricast::plugin::Instance;
use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::peer::Peer;
use crate::spread::Spread;

/// A series is a line of the text page: an event's name makes 48 of them, 22 for the histogram of each of the two usual
/// statuses.
pub(crate) const SERIES: usize = 100_000;
const NAMES: usize = SERIES / 48;
/// Observations of each name.
const EACH: usize = 20;
/// Of the plugin that shows them.
pub(crate) const CONFIG: &str = r#"{"histograms": "both"}"#;

const FORMATS: [(&str, &str); 3] = [
    ("text", "text/plain; version=0.0.4"),
    ("OpenMetrics", "application/openmetrics-text; version=1.0.0"),
    ("protobuf", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"),
];

/// One format.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    format: &'static str,
    milliseconds: Spread,
    bytes: usize,
    /// What this process held at most above what it held before the first page of this format: the plugin's memory,
    /// which is kept, and the page's copy in the host.
    peak_bytes: u64,
}

/// Fills an open plugin and asks for its pages.
pub(super) fn measure(instance: &Instance, callers: &Runtime, pages: u32) -> Result<Vec<Figure>> {
    let batches = batches()?;
    for batch in &batches {
        callers.block_on(instance.publish(Arc::clone(batch)))?;
    }
    let mut figures = Vec::new();
    for (format, accept) in FORMATS {
        let page = || {
            let exposition = callers.block_on(instance.scrape(accept))?.context("there is always a page")?;
            if format == "text" {
                let text = std::str::from_utf8(&exposition.body)?;
                let series = text.lines().filter(|line| !line.starts_with('#')).count();
                ensure!(series.abs_diff(SERIES) < 100, "{series} series are on the page, not {SERIES}");
            }
            Ok(exposition.body.len())
        };
        figures.push(figure(format, pages, page)?);
    }
    let peer = Peer::new();
    for batch in &batches {
        peer.publish(batch);
        batch.events().for_each(|event| peer.expect_failures_of(event.event_name));
    }
    figures.push(figure("OpenMetrics by prometheus-client", pages, || Ok(peer.page().len()))?);
    Ok(figures)
}

fn figure(format: &'static str, pages: u32, page: impl Fn() -> Result<usize>) -> Result<Figure> {
    // Sets the peak back to what is held now.
    fs::write("/proc/self/clear_refs", "5").context("the kernel does not set peaks back")?;
    let before = memory("VmRSS:")?;
    let (mut times, mut bytes) = (Vec::new(), 0);
    for _ in 0..pages {
        let start = Instant::now();
        bytes = page()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figure { format, milliseconds: Spread::of(times), bytes, peak_bytes: memory("VmHWM:")?.saturating_sub(before) })
}

fn memory(key: &str) -> Result<u64> {
    crate::usage::memory_of("self", key)
}

pub(crate) fn batches() -> Result<Vec<Arc<Batch>>> {
    let mut batches = Vec::new();
    for round in 0..EACH {
        let mut builder = BatchBuilder::new();
        for name in 0..NAMES {
            let start = 1_795_305_600.0 + round as f64;
            let event = EventMetrics {
                event_name: format!("Step{name:05}"),
                task_id: format!("{round}"),
                status: "completed".to_owned(),
                start_time: start,
                end_time: Some(start + (name * 7 % 1_000 * (round + 1)) as f64 / 1e3),
                ..EventMetrics::default()
            };
            builder.push(&MetricsRef::Event(event.as_ref()), start)?;
        }
        batches.push(Arc::new(builder.finish()));
    }
    Ok(batches)
}

pub(super) fn write(figures: &[Figure], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "A page of {SERIES} series, min / median / max\n")?;
    writeln!(f, "| format | ms | MB | MB of memory for it at most |\n| --- | ---: | ---: | ---: |")?;
    for Figure { format, milliseconds, bytes, peak_bytes } in figures {
        let (times, [size, peak]) = (milliseconds.text(1), [*bytes as f64 / 1e6, *peak_bytes as f64 / 1e6]);
        writeln!(f, "| {format} | {times} | {size:.1} | {peak:.1} |")?;
    }
    Ok(())
}
