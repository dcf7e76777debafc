//! How metricast is seen from outside: the admin port, and what a service manager is told.
//!
//! The program pins its running parts up on a [`Board`]; a [`Snapshot`] of it is what every answer is made of:
//! [`health`] judges a row of them, [`metrics`] writes one as OpenMetrics. The port answers
//!
//! | path | answer |
//! |---|---|
//! | `/livez` | 200 while no restart is needed, else 503 |
//! | `/healthz` | 200 while every publisher gets on or waits for its backend, else 503 and who does not |
//! | `/readyz` | 200 while records are taken and every publisher has caught up, else 503 and who has not |
//! | `/status` | the snapshot as JSON |
//! | `/metrics` | the snapshot as OpenMetrics |
//!
//! Further routes are merged in by whoever starts it. Nobody is asked for credentials: the port is for this machine, or
//! for a network whose users may see all of it.

mod board;
pub mod health;
pub mod metrics;
pub mod snapshot;
mod systemd;
mod watch;

use std::io;
use std::net::SocketAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config;
use crate::inquiry::service::Ends;
use crate::pipeline::listen_advice;

pub use board::Board;
pub use snapshot::Snapshot;
pub use systemd::{reloaded, reloading};

use watch::Judgement;

const INDEX: &str = "metricast\n\n/livez\n/healthz\n/readyz\n/status\n/metrics\n";

/// The admin port cannot be listened on, and the config says that it should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for admin requests: {source}; {}", listen_advice(.source, "[admin] listen names another address, or is \"off\""))]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Watches a board, and answers for it where it listens. Dropped, it ends.
#[derive(Debug)]
pub struct Admin {
    address: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone, Debug)]
struct Shown {
    board: Board,
    judgement: Judgement,
}

impl Admin {
    /// Begins to watch, and to listen where the config says so; `more` are routes beside those of this module.
    ///
    /// # Errors
    /// Where a stated address cannot be listened on. The default one is done without.
    pub async fn start(config: config::Admin, board: &Board, more: Router) -> Result<Self, ListenError> {
        let judgement = Judgement::new();
        let listener = match config.listen {
            Some(address) => bind(address, config.stated).await?,
            None => None,
        };
        let mut tasks = vec![tokio::spawn(watch::run(board.clone(), judgement.clone()))];
        let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = listener {
            let router = routes(Shown { board: board.clone(), judgement }).merge(more);
            tasks.push(tokio::spawn(async move {
                if let Err(error) = axum::serve(listener, router.into_make_service_with_connect_info::<Ends>()).await {
                    tracing::error!("the admin port has ended: {error}");
                }
            }));
        }
        Ok(Self { address, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bind(address: SocketAddr, stated: bool) -> Result<Option<TcpListener>, ListenError> {
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let address = listener.local_addr().unwrap_or(address);
            tracing::info!("health, status and metricast's own metrics at http://{address}");
            Ok(Some(listener))
        }
        Err(source) if stated => Err(ListenError { address, source }),
        Err(error) => {
            tracing::warn!("no admin port: {address} cannot be listened on: {error}; [admin] listen names another");
            Ok(None)
        }
    }
}

fn routes(shown: Shown) -> Router {
    Router::new()
        .route("/", get(async || INDEX))
        .route("/livez", get(async |State(shown): State<Shown>| shown.health(true)))
        .route("/healthz", get(async |State(shown): State<Shown>| shown.health(false)))
        .route("/readyz", get(async |State(shown): State<Shown>| shown.readiness()))
        .route("/status", get(async |State(shown): State<Shown>| Json(shown.board.snapshot())))
        .route("/metrics", get(async |State(shown): State<Shown>| shown.metrics()))
        .with_state(shown)
}

impl Shown {
    fn health(&self, only_stuck: bool) -> Response {
        let findings = self.judgement.findings();
        let wrong = findings.iter().filter(|finding| finding.is_stuck || !only_stuck);
        let mut lines: Vec<_> = wrong.map(|found| format!("publisher {}: {}", found.publisher, found.what)).collect();
        let status = if lines.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        lines.extend(self.held_by());
        answer(status, &lines)
    }

    /// Who holds a full queue: nothing is wrong with a limit that is kept, and yet senders wait.
    fn held_by(&self) -> Option<String> {
        let holders = self.board.snapshot().queue?.held_by;
        (!holders.is_empty()).then(|| format!("the queue is full, and held by {}", holders.join(", ")))
    }

    fn readiness(&self) -> Response {
        let reasons = health::unready(&self.board.snapshot());
        let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        answer(status, &reasons)
    }

    fn metrics(&self) -> Response {
        ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&self.board.snapshot())).into_response()
    }
}

fn answer(status: StatusCode, lines: &[String]) -> Response {
    let first = if status == StatusCode::OK { "ok\n" } else { "" };
    let text: Vec<_> = lines.iter().map(|line| line.replace('\n', " ") + "\n").collect();
    (status, format!("{first}{}", text.concat())).into_response()
}
