//! `metricast publish -c CONFIG`: files or standard input into publishers of its own, to the end.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::exit::{self, Exit};
use super::feeding::Feeding;
use super::refused::Refused;
use super::resume::Inputs;
use super::summary::Summary;
use super::terminal::{self, Terminal};
use super::textfile::{self, Textfile};
use super::{progress, signals, start};
use crate::config::{Checked, show_time};
use crate::delivery::Phase;
use crate::pipeline::{Patience, Pipeline, Report, Scrapes};
use crate::source::feed::Feeder;

/// How often it is looked whether something moves.
const LOOK: Duration = Duration::from_millis(200);
/// Who was told to stop reading may be in the middle of a read that does not end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Publishes all of it and tells what came of it.
pub(super) fn run(
    config: &Checked,
    inputs: Inputs,
    refused: Refused,
    textfiles: Vec<Textfile>,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    start::runtime()?.block_on(deliver(config, inputs, refused, textfiles, terminal))
}

/// Why reading ended.
enum End {
    /// There is no more.
    All,
    /// A signal.
    Signal,
    /// The queue is full and no publisher takes anything.
    Stalled,
    /// It cannot be read on.
    Broken(anyhow::Error),
}

async fn deliver(
    config: &Checked,
    inputs: Inputs,
    refused: Refused,
    textfiles: Vec<Textfile>,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    let stop = signals::first(|| tracing::warn!("stopping: no more is read, what was read is delivered"))?;
    let total: Option<u64> = inputs.inputs.iter().map(|input| input.size).sum();
    let (mut pipeline, _workshop) = tokio::select! {
        started = start::pipeline(config, Scrapes::Off) => started?,
        () = stop.cancelled() => return Ok(Exit::Undelivered),
    };
    let textfiles = textfile::assign(textfiles, &pipeline.scraped())?;
    if !pipeline.queue().is_durable() {
        textfile::warn_of_lost_metrics(&textfiles, &pipeline.scraped());
    }
    let started = Instant::now();
    let bar = progress::bar(terminal, total);
    let feeder = Feeder::new(pipeline.queue().clone(), Handle::current());
    let sources = inputs.at_their_places(pipeline.queue(), &bar)?;
    let read_whole: Vec<String> = sources.iter().filter_map(|source| source.identity.clone()).collect();
    let mut feeding = Feeding::start(sources, feeder, refused, bar.clone())?;
    let end = read(&mut feeding, &pipeline, &stop, config.drain_timeout, &bar).await;
    bar.set_message("delivering what was read");
    let pages = textfile::pages(&textfiles, &pipeline, config.drain_timeout).await;
    let draining = Instant::now();
    let reports = pipeline.drain(Patience::SinceProgress(config.drain_timeout)).await;
    if matches!(end, End::All) && !reports.iter().any(Report::fell_short) {
        for input in &read_whole {
            pipeline.queue().has_ended(input);
        }
    }
    let kept = pipeline.store().cloned();
    pipeline.end().await;
    let gave_up = draining.elapsed() >= config.drain_timeout && reports.iter().any(is_unanswered);
    bar.finish_and_clear();
    let mut refused = feeding.refused();
    refused.finish()?;
    let (lines, bytes) = (feeding.lines(), feeding.bytes());
    let summary = Summary { reports: &reports, refused: &refused, lines, bytes, took: started.elapsed() };
    terminal::print(&summary)?;
    let unread = end.told(total.is_none(), config.drain_timeout, terminal);
    if gave_up && !matches!(end, End::Stalled) {
        terminal.error(nothing_moved(config.drain_timeout));
    }
    if let Some(store) = kept.filter(|_| reports.iter().any(Report::fell_short)) {
        let folder = store.folder().display();
        terminal.say(format_args!("what is left is kept in {folder}: the next run with this config goes on with it"));
    }
    let unwritten = textfile::write(textfiles, pages, terminal);
    Ok(summary.exit().max(unread).max(unwritten))
}

fn nothing_moved(patience: Duration) -> String {
    format!("gave up: nothing moved for {} (drain_timeout)", show_time(patience))
}

/// Whether it still has records that it goes on with, if it may.
fn is_unanswered(report: &Report) -> bool {
    report.undelivered > report.counts.given_up && !matches!(report.phase, Phase::Halted { .. })
}

impl End {
    /// Tells why not all was read, if so. A signal is a fair end of what comes without one.
    fn told(&self, endless: bool, patience: Duration, terminal: &Terminal) -> Exit {
        match self {
            Self::All => return Exit::Clean,
            Self::Signal if endless => return Exit::Clean,
            Self::Signal => terminal.error("stopped by a signal before all was read"),
            Self::Stalled => {
                let why = nothing_moved(patience);
                terminal.error(format_args!("{why} and the queue was full: not all was read"));
            }
            Self::Broken(error) => {
                terminal.error(exit::told(error));
                return Exit::of(error);
            }
        }
        Exit::Undelivered
    }
}

/// Waits for the end of the input; meanwhile a queue that stays full for `patience` ends it too.
async fn read(
    feeding: &mut Feeding,
    pipeline: &Pipeline,
    stop: &CancellationToken,
    patience: Duration,
    bar: &ProgressBar,
) -> End {
    let mut answered = 0;
    let mut moved = Instant::now();
    loop {
        tokio::select! {
            ended = feeding.ended() => return ended.map_or_else(End::Broken, |()| End::All),
            () = stop.cancelled() => {
                feeding.stop();
                let ended = tokio::time::timeout(LAST_LINES, feeding.ended()).await;
                return ended.map_or(End::Signal, |ended| ended.map_or_else(End::Broken, |()| End::Signal));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let answers = pipeline.counts().into_iter().map(|counts| counts.answered());
        let (now, slowest) = answers.fold((0, u64::MAX), |(sum, least), count| (sum + count, least.min(count)));
        bar.set_message(format!("{} delivered", HumanCount(slowest)));
        if now != answered || !feeding.is_waiting() {
            (answered, moved) = (now, Instant::now());
        }
        if moved.elapsed() >= patience {
            return End::Stalled;
        }
    }
}
