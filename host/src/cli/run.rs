//! `metricast run`: records in over HTTP, published until a signal, then drained.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::reload::Watched;
use super::summary::reason;
use super::{signals, start};
use crate::admin::snapshot::Stage;
use crate::admin::{self, Admin, Board};
use crate::config::{self, Checked, show_time};
use crate::inquiry::Desk;
use crate::inquiry::service::Window;
use crate::pipeline::{Patience, Report, Scrapes, listen_advice};
use crate::queue::Queue;
use crate::source;

/// How long senders that are being answered may take when it ends.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  metricast run                      Prometheus finds metrics at http://127.0.0.1:9464/metrics
  metricast run -c metricast.toml    with the publishers of a config

It takes records in at http://127.0.0.1:4319/v1/records:
  metricast publish --to http://127.0.0.1:4319 app.ndjson
  curl --data-binary @app.ndjson http://127.0.0.1:4319/v1/records

A config, with one publisher:
  [[publishers]]
  name = \"search\"
  plugin = \"elasticsearch\"
  [publishers.config]
  hosts = [\"http://127.0.0.1:9200\"]
  index_prefix = \"shop\"

Exit codes:
  0  ended by a signal, and all was delivered      2  usage or config
  3  something was not delivered within drain_timeout; the log names it";

/// Take records in over HTTP and publish them, until a signal; then deliver what is queued and end
///
/// Programs send records to POST /v1/records, as NDJSON or a JSON array. Each publisher gets all of them, at its own
/// pace. SIGINT or SIGTERM stops taking records and delivers the rest; a second one gives it up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// The config; without one, Prometheus is served
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Run {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let watched = self.config.as_deref().map(Watched::load).transpose()?;
        let config = watched.as_ref().map_or_else(config::built_in, |watched| watched.config().clone());
        if self.config.is_none() && Path::new(start::USUAL_NAME).is_file() {
            tracing::warn!("there is a {0} here, which is not used: -c {0} uses it", start::USUAL_NAME);
        }
        start::runtime()?.block_on(serve(&config, watched))
    }
}

async fn serve(config: &Checked, mut watched: Option<Watched>) -> anyhow::Result<Exit> {
    let board = Board::new(watched.as_ref().map(Watched::path), config);
    let stopping = board.clone();
    let stop = signals::first(move || stopping.enter(Stage::Draining))?;
    let mut hangups = signals::Hangups::new()?;
    let listener = listen(config).await?;
    let address = listener.local_addr()?;
    let window = Window::default();
    let port = Admin::start(config.admin, &board, window.router()).await?;
    let (mut pipeline, workshop) = tokio::select! {
        started = start::pipeline(config, Scrapes::Served) => started?,
        () = stop.cancelled() => return Ok(Exit::Clean),
    };
    if let Some(store) = pipeline.store() {
        window.open(Desk::new(store.clone(), pipeline.queue().clone(), Handle::current()));
        if let Err(error) = store.announce(port.address()) {
            tracing::warn!("commands that ask about the queue will not find the admin port: {error}");
        }
    }
    board.show(pipeline.look(), config);
    board.enter(Stage::Running);
    tracing::info!("records at http://{address}/v1/records");
    let serving = take_records(listener, pipeline.queue().clone(), config.clone(), board.clone(), stop.clone());
    let mut taking = tokio::spawn(serving);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // Said before what it leads to.
            biased;
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                let patience = show_time(drain_timeout(watched.as_ref(), config));
                tracing::info!(
                    "stopping: no more records are taken, what is queued is delivered, for up to {patience}; \
                     a second signal gives it up"
                );
            }
            taken = &mut taking => break taken.context("taking records ended in a fault of metricast's own")??,
            () = changed(watched.as_ref(), &mut hangups) => {
                if let Some(watched) = &mut watched {
                    admin::reloading();
                    watched.reload(&mut pipeline, &workshop, &board, &stop).await;
                    admin::reloaded();
                } else {
                    tracing::warn!("there is no config file to read again: `metricast run -c FILE` has one");
                }
            }
        }
    }
    let patience = drain_timeout(watched.as_ref(), config);
    let reports = pipeline.drain(Patience::InAll(patience)).await;
    window.close();
    pipeline.end().await;
    reports.iter().for_each(tell);
    Ok(Exit::undelivered_if(reports.iter().any(Report::fell_short)))
}

/// As the config in use says.
fn drain_timeout(watched: Option<&Watched>, config: &Checked) -> Duration {
    watched.map_or(config.drain_timeout, Watched::drain_timeout)
}

/// Waits until the config is to be read again.
async fn changed(watched: Option<&Watched>, hangups: &mut signals::Hangups) {
    let file_changed = async {
        match watched {
            Some(watched) => watched.changed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = hangups.next() => {}
        () = file_changed => {}
    }
}

async fn listen(config: &Checked) -> anyhow::Result<TcpListener> {
    let address = config.ingest.listen;
    TcpListener::bind(address).await.map_err(|error| {
        let taken = "is another metricast running? [ingest] listen names another address";
        let advice = listen_advice(&error, taken);
        anyhow::Error::from(error).context(format!("cannot listen on {address} for records; {advice}"))
    })
}

/// Serves until a signal, and then until those that are being answered have their answer.
async fn take_records(
    listener: TcpListener,
    queue: Queue,
    config: Checked,
    board: Board,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let ingest = &config.ingest;
    let stopped = stop.clone().cancelled_owned();
    let serving =
        source::http::serve(listener, queue, ingest.max_body, config.queue.when_full, board.ingest(), stopped);
    let long_enough = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = serving => served.context("cannot go on taking records"),
        () = long_enough => Ok(()),
    }
}

/// The last word about a publisher.
fn tell(report: &Report) {
    let Report { name, counts, undelivered, .. } = report;
    if report.fell_short() {
        tracing::error!(publisher = name, undelivered, "not all was delivered: {}", reason(report));
    }
    tracing::info!(publisher = name, accepted = counts.accepted, rejected = counts.rejected, "ended");
}
