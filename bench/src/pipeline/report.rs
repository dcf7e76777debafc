//! The figures of the pipeline as a table and as JSON.

use std::fmt;

use serde::Serialize;

use super::{Lane, Run, WAYS, Way};
use crate::spread::Spread;

/// All that a run has to say.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    records: usize,
    file_bytes: u64,
    rounds: u32,
    figures: Vec<Figure>,
    ratios: Vec<Ratio>,
    runs: Vec<Run>,
}

/// One way over all rounds.
#[derive(Debug, Serialize)]
struct Figure {
    way: Way,
    gzip: bool,
    records_a_second: Spread,
    records_a_cpu_second: Spread,
    peak_megabytes: Spread,
    sink_cpu_seconds: Spread,
    megabytes_sent: f64,
}

/// Of the sandboxed pipeline's speed to the native one's, round by round.
#[derive(Debug, Serialize)]
struct Ratio {
    gzip: bool,
    by_cpu: Spread,
    by_time: Spread,
}

impl Report {
    pub(super) fn new(records: usize, file_bytes: u64, rounds: u32, runs: Vec<Run>) -> Self {
        let forms: &[bool] = if runs.iter().any(|run| run.gzip) { &[false, true] } else { &[false] };
        let ways = forms.iter().flat_map(|&gzip| WAYS.map(|way| (way, gzip)));
        let figures = ways.map(|(way, gzip)| Figure::of(way, gzip, records, &runs)).collect();
        let ratios = forms.iter().map(|&gzip| Ratio::of(gzip, &runs)).collect();
        Self { records, file_bytes, rounds, figures, ratios, runs }
    }
}

impl Figure {
    fn of(way: Way, gzip: bool, records: usize, runs: &[Run]) -> Self {
        let of_way = || runs.iter().filter(move |run| run.way == way && run.gzip == gzip);
        let spread = |figure: &dyn Fn(&Run) -> f64| Spread::of(of_way().map(figure));
        Self {
            way,
            gzip,
            records_a_second: spread(&|run| records as f64 / run.usage.seconds),
            records_a_cpu_second: spread(&|run| records as f64 / run.usage.cpu_seconds),
            peak_megabytes: spread(&|run| run.usage.peak_bytes as f64 / 1e6),
            sink_cpu_seconds: spread(&|run| run.sink_cpu_seconds),
            megabytes_sent: of_way().map(|run| run.sent as f64 / 1e6).fold(0.0, f64::max),
        }
    }
}

impl Ratio {
    fn of(gzip: bool, runs: &[Run]) -> Self {
        let of = |lane| runs.iter().filter(move |run| run.way == Way::Own(lane) && run.gzip == gzip);
        let pairs = || of(Lane::Sandbox).zip(of(Lane::Native));
        Self {
            gzip,
            by_cpu: Spread::of(pairs().map(|(ours, native)| native.usage.cpu_seconds / ours.usage.cpu_seconds)),
            by_time: Spread::of(pairs().map(|(ours, native)| native.usage.seconds / ours.usage.seconds)),
        }
    }
}

/// What a person sees of each run while more are under way.
pub(super) fn line(run: &Run, records: usize) -> String {
    let (a_second, a_cpu_second) = (records as f64 / run.usage.seconds, records as f64 / run.usage.cpu_seconds);
    let (name, memory) = (name(run.way, run.gzip), run.usage.peak_bytes as f64 / 1e6);
    format!("{name}: {a_second:.0} a second, {a_cpu_second:.0} a CPU second, {memory:.0} MB")
}

fn name(way: Way, gzip: bool) -> String {
    let way = match way {
        Way::Command => "metricast publish",
        Way::Own(Lane::Sandbox) => "sandboxed",
        Way::Own(Lane::Native) => "native",
    };
    if gzip { format!("{way}, gzip") } else { way.to_owned() }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.file_bytes as f64 / 1e6;
        writeln!(f, "{} records, {megabytes:.0} MB, min / median / max of {} rounds\n", self.records, self.rounds)?;
        writeln!(f, "| way | records a second | records a CPU second | peak MB | MB sent | CPU s of the backend |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for figure in &self.figures {
            let name = name(figure.way, figure.gzip);
            let [rate, cpu, peak] = [figure.records_a_second, figure.records_a_cpu_second, figure.peak_megabytes]
                .map(|spread| spread.text(0));
            let (sent, sink) = (figure.megabytes_sent, figure.sink_cpu_seconds.text(2));
            writeln!(f, "| {name} | {rate} | {cpu} | {peak} | {sent:.0} | {sink} |")?;
        }
        writeln!(f)?;
        for Ratio { gzip, by_cpu, by_time } in &self.ratios {
            let form = if *gzip { "gzip" } else { "uncompressed" };
            let (by_cpu, by_time) = (by_cpu.text(2), by_time.text(2));
            writeln!(f, "sandboxed of native, {form}: {by_cpu} by processor time, {by_time} by time")?;
        }
        Ok(())
    }
}
