//! `GET /metrics`: what a publisher has to show to Prometheus.
//!
//! The plugin chooses the format by the Accept header; compression is done here. Scrapes that ask for the same at the
//! same time share one call, so that many scrapers cost no more than one; a call goes on to its end whoever leaves, and
//! what it answered is kept for nobody who comes later. While the plugin is not open, and after it halted or was closed,
//! the answer is 503: a gap, and neither a reset to zero nor totals that stand still.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tower_http::compression::CompressionLayer;

use crate::delivery::Sandbox;
use crate::plugin::{CallError, Exposition, Fault};

/// A longer Accept header is no scraper's.
const MAX_ACCEPT: usize = 4 << 10;

const INDEX: &str = "<!doctype html><title>metricast</title><p>metricast: <a href=\"/metrics\">metrics</a></p>\n";

/// Pages that are being made or sent at once. Each may be as large as `limits.exposition`.
const PAGES: usize = 8;

/// What answers scrapes.
pub struct Scraped<S> {
    calls: Arc<Mutex<Calls<S>>>,
    pages: Arc<Semaphore>,
    /// Told when a scrape finds the instance dead.
    lost: Arc<Notify>,
}

struct Calls<S> {
    /// Of the publisher, now.
    instance: watch::Receiver<Option<S>>,
    /// Which one that is, counting on.
    generation: u64,
    under_way: Vec<UnderWay>,
}

struct UnderWay {
    accept: String,
    generation: u64,
    answer: Shared<BoxFuture<'static, Answer>>,
}

type Answer = Result<Option<Exposition>, CallError>;

/// Why a scrape has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("the publisher is not open: its plugin is being opened, has halted (the log says why) or has ended")]
    NotOpen,
    #[error("too many different pages are being made or sent at once; {PAGES} may be")]
    TooMany,
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// A page with its place among those that may be there at once.
struct Held {
    body: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl<S> Clone for Scraped<S> {
    fn clone(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), pages: Arc::clone(&self.pages), lost: Arc::clone(&self.lost) }
    }
}

impl<S: Sandbox> Scraped<S> {
    /// Of a delivery's current instance.
    pub fn new(instance: watch::Receiver<Option<S>>, lost: Arc<Notify>) -> Self {
        let calls = Calls { instance, generation: 0, under_way: Vec::new() };
        Self { calls: Arc::new(Mutex::new(calls)), pages: Arc::new(Semaphore::new(PAGES)), lost }
    }

    /// Serves until `stopped`.
    ///
    /// # Errors
    /// What the listener says.
    pub async fn serve(
        self,
        listener: TcpListener,
        stopped: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/metrics", get(metrics::<S>))
            .route("/", get(async || Html(INDEX)))
            .layer(CompressionLayer::new().gzip(true))
            .with_state(self);
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    }

    async fn ask(&self, accept: &str) -> Result<Option<Exposition>, Refusal> {
        let answer = self.join(accept)?;
        Ok(answer.await?)
    }

    /// The call that is under way where one asks this instance for the same, else a new one.
    fn join(&self, accept: &str) -> Result<Shared<BoxFuture<'static, Answer>>, Refusal> {
        let mut calls = self.lock();
        if calls.instance.has_changed().unwrap_or(false) {
            calls.generation += 1;
        }
        let instance = calls.instance.borrow_and_update().clone().ok_or(Refusal::NotOpen)?;
        let generation = calls.generation;
        calls.under_way.retain(|call| call.answer.peek().is_none());
        if let Some(call) = calls.under_way.iter().find(|call| call.is_for(accept, generation)) {
            return Ok(call.answer.clone());
        }
        let place = Arc::clone(&self.pages).try_acquire_owned().map_err(|_full| Refusal::TooMany)?;
        let (tell, told) = oneshot::channel();
        let answer = async { told.await.unwrap_or(Err(Fault::Gone.into())) }.boxed().shared();
        calls.under_way.push(UnderWay { accept: accept.to_owned(), generation, answer: answer.clone() });
        drop(calls);
        let (scraped, accept) = (self.clone(), accept.to_owned());
        tokio::spawn(async move {
            let page = instance.scrape(&accept).await;
            // Whoever comes from now on gets a page of his own time.
            scraped.lock().under_way.retain(|call| !call.is_for(&accept, generation));
            if matches!(page, Err(CallError::Fault(_))) {
                scraped.lost.notify_one();
            }
            // All who asked may have left.
            let _ = tell.send(page.map(|page| page.map(|page| page.held(place))));
        });
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Calls<S>> {
        // What stands behind it is whole at every point.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn is_for(&self, accept: &str, generation: u64) -> bool {
        self.generation == generation && self.accept == accept
    }
}

impl Exposition {
    /// Keeps `place` till the last byte is sent.
    fn held(self, place: OwnedSemaphorePermit) -> Self {
        Self { body: Bytes::from_owner(Held { body: self.body, _place: place }), ..self }
    }
}

async fn metrics<S: Sandbox>(State(scraped): State<Scraped<S>>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    if accept.len() > MAX_ACCEPT {
        return (StatusCode::BAD_REQUEST, "the Accept header is too long\n").into_response();
    }
    match scraped.ask(&accept).await {
        Ok(Some(exposition)) => ([(CONTENT_TYPE, exposition.content_type)], exposition.body).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "this publisher has nothing to scrape\n").into_response(),
        Err(refusal) => (StatusCode::SERVICE_UNAVAILABLE, format!("{refusal}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests;
