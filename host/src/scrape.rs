//! `GET /metrics`: what a publisher has to show to Prometheus.
//!
//! The plugin chooses the format by the Accept header; compression is done here. Scrapes that ask for the same at the
//! same time share one call, so that many scrapers cost no more than one. While the plugin is not open the answer is
//! 503: a gap, and not a reset to zero.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, watch};
use tower_http::compression::CompressionLayer;

use crate::plugin::{CallError, Exposition, Instance};

/// A longer Accept header is no scraper's.
const MAX_ACCEPT: usize = 4 << 10;

const INDEX: &str = "<!doctype html><title>metricast</title><p>metricast: <a href=\"/metrics\">metrics</a></p>\n";

/// What answers scrapes.
#[derive(Clone)]
pub struct Scraped {
    /// Of the publisher, now.
    instance: watch::Receiver<Option<Instance>>,
    /// Told when a scrape finds it dead.
    lost: Arc<Notify>,
    under_way: Arc<Mutex<Option<UnderWay>>>,
}

struct UnderWay {
    accept: String,
    answer: Shared<BoxFuture<'static, Answer>>,
}

type Answer = Result<Option<Exposition>, CallError>;

impl Scraped {
    /// Of a delivery's current instance.
    pub fn new(instance: watch::Receiver<Option<Instance>>, lost: Arc<Notify>) -> Self {
        Self { instance, lost, under_way: Arc::default() }
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
            .route("/metrics", get(metrics))
            .route("/", get(async || Html(INDEX)))
            .layer(CompressionLayer::new().gzip(true))
            .with_state(self);
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    }

    async fn ask(&self, accept: &str) -> Option<Answer> {
        let instance = self.instance.borrow().clone()?;
        let answer = self.share(instance, accept).await;
        if matches!(answer, Err(CallError::Fault(_))) {
            self.lost.notify_one();
        }
        Some(answer)
    }

    /// Joins the call that is under way where it asks for the same.
    async fn share(&self, instance: Instance, accept: &str) -> Answer {
        let mut under_way = self.under_way.lock().await;
        let shared = match &*under_way {
            Some(call) if call.accept == accept && call.answer.peek().is_none() => call.answer.clone(),
            _ => {
                let asked = accept.to_owned();
                let answer = async move { instance.scrape(&asked).await }.boxed().shared();
                *under_way = Some(UnderWay { accept: accept.to_owned(), answer: answer.clone() });
                answer
            }
        };
        drop(under_way);
        let answer = shared.await;
        // What was answered is not kept: an exposition may be large.
        let mut under_way = self.under_way.lock().await;
        if under_way.as_ref().is_some_and(|call| call.answer.peek().is_some()) {
            *under_way = None;
        }
        answer
    }
}

async fn metrics(State(scraped): State<Scraped>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    if accept.len() > MAX_ACCEPT {
        return (StatusCode::BAD_REQUEST, "the Accept header is too long\n").into_response();
    }
    match scraped.ask(&accept).await {
        Some(Ok(Some(exposition))) => ([(CONTENT_TYPE, exposition.content_type)], exposition.body).into_response(),
        Some(Ok(None)) => (StatusCode::NOT_FOUND, "this publisher has nothing to scrape\n").into_response(),
        Some(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the publisher is not open yet\n").into_response(),
    }
}
