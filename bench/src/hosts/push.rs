//! One push of 10,000 series after another, encoded and compressed natively: by remote write 2.0 and 1.0, and by OTLP.

use std::time::Instant;

use anyhow::{Result, anyhow};
use metricast_series::otlp::Resource;
use metricast_series::push::{Format, Labels, Limits, Sent};
use metricast_series::{Buckets, Descriptor, HistogramForm, Registry, SeriesLimit, histogram};
use serde::Serialize;

use crate::spread::Spread;

const SERIES: u64 = 10_000;
/// When the first push is, milliseconds since the Unix epoch, and how far apart they are.
const START: i64 = 1_795_400_000_000;
const INTERVAL: i64 = 60_000;

/// Pushes of one kind of series in one format; not the first, which has a 0 for each.
#[derive(Serialize)]
pub(super) struct Figure {
    series: &'static str,
    format: &'static str,
    samples_a_push: u64,
    bytes_a_sample: f64,
    push_ms: Spread,
    samples_a_second: Spread,
}

pub(super) fn measure(rounds: u32) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (series, registry) in [("counters", counters()?), ("histograms of 20 buckets", histograms()?)] {
        let labels = Labels::new(&registry, [("job", "bench"), ("instance", "bench-1")])?;
        let resource = Resource::new([("service.name", "bench"), ("service.instance.id", "bench-1")])?;
        for (name, format) in [
            ("remote write 2.0", Format::RemoteWrite2(&labels)),
            ("remote write 1.0", Format::RemoteWrite1(&labels)),
            ("OTLP", Format::Otlp(&resource)),
        ] {
            figures.push(pushes(&registry, format, (series, name), rounds)?);
        }
    }
    Ok(figures)
}

fn pushes(registry: &Registry, format: Format<'_>, names: (&'static str, &'static str), rounds: u32) -> Result<Figure> {
    let mut sent = Sent::default();
    let (mut times, mut samples, mut bytes) = (Vec::new(), 0, 0);
    for round in 0..=i64::from(rounds) {
        let start = Instant::now();
        let push = sent.begin(registry, START + round * INTERVAL).map_err(|error| anyhow!("{error}"))?;
        let bodies: Vec<_> = push.bodies(format, Limits::default()).collect();
        let took = start.elapsed().as_secs_f64();
        (samples, bytes) = (0, 0);
        for body in &bodies {
            samples += body.count.samples + body.count.histograms;
            bytes += body.bytes.len();
        }
        for body in &bodies {
            sent.settle(&body.series);
        }
        if round > 0 {
            times.push(took);
        }
    }
    Ok(Figure {
        series: names.0,
        format: names.1,
        samples_a_push: samples,
        bytes_a_sample: bytes as f64 / samples as f64,
        push_ms: Spread::of(times.iter().map(|time| time * 1e3)),
        samples_a_second: Spread::of(times.iter().map(|time| samples as f64 / time)),
    })
}

fn counters() -> Result<Registry> {
    let mut families = Registry::builder(SeriesLimit::new(SERIES)?);
    let family = families.counter(Descriptor::new("bench_runs", "Runs.").label("name"))?;
    let mut registry = families.build();
    registry.set_time(START as f64 / 1e3 - 30.0);
    for name in 0..SERIES {
        let counter = registry.counter(family, &[&format!("name-{name}")]);
        registry.add(counter, u128::from(name) + 1, 1);
    }
    Ok(registry)
}

fn histograms() -> Result<Registry> {
    let mut families = Registry::builder(SeriesLimit::new(SERIES)?);
    let buckets = Buckets::new(&histogram::EVENT_SECONDS)?;
    let descriptor = Descriptor::new("bench_seconds", "Time.").unit("seconds").label("name");
    let family = families.histogram(descriptor, buckets, HistogramForm::Classic)?;
    let mut registry = families.build();
    registry.set_time(START as f64 / 1e3 - 30.0);
    for name in 0..SERIES {
        let histogram = registry.histogram(family, &[&format!("name-{name}")]);
        (0..20).for_each(|exponent| registry.observe(histogram, 0.0004 * f64::from(1 << exponent)));
    }
    Ok(registry)
}

pub(super) fn print(figures: &[Figure]) {
    println!("One push of {SERIES} series, encoded and compressed natively, min / median / max\n");
    println!("| series | format | samples | bytes a sample | ms a push | samples a second |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for figure in figures {
        let Figure { series, format, samples_a_push, bytes_a_sample, push_ms, samples_a_second } = figure;
        let (ms, rate) = (push_ms.text(1), samples_a_second.text(0));
        println!("| {series} | {format} | {samples_a_push} | {bytes_a_sample:.1} | {ms} | {rate} |");
    }
    println!();
}
