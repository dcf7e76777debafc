//! `POST /queue` on the admin port: a [`Question`] as JSON, answered with [`Line`](super::Line)s as JSON lines.
//!
//! Whoever reaches the port may ask. A page in somebody's browser may not: what it sends across sites cannot be called
//! JSON without being asked for leave first, and one that has made a name of its own point here is known by that name.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use tokio::sync::mpsc;

use super::{Desk, InquiryError, Line, Question};

/// The path.
pub const PATH: &str = "/queue";
/// Bytes of a question.
const LARGEST: usize = 16 << 20;
/// Lines that wait for who asked.
const WAITING: usize = 64;

/// Where questions are answered once there is a queue. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Window(Arc<RwLock<Option<Desk>>>);

impl Window {
    /// Answers from now on.
    pub fn open(&self, desk: Desk) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(desk);
    }

    /// Answers no more, and lets the folder go.
    pub fn close(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The route.
    pub fn router(&self) -> Router {
        Router::new().route(PATH, post(ask)).layer(DefaultBodyLimit::max(LARGEST)).with_state(self.clone())
    }
}

async fn ask(State(window): State<Window>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_called_by_address(&headers) {
        return refused(StatusCode::FORBIDDEN, "this port is called by its address, or as localhost");
    }
    if headers.get(CONTENT_TYPE).is_none_or(|value| value != "application/json") {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a question comes as application/json");
    }
    let question: Question = match serde_json::from_slice(&body) {
        Ok(question) => question,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &format!("this is no question: {error}")),
    };
    let Some(desk) = window.0.read().unwrap_or_else(PoisonError::into_inner).clone() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "there is no queue in a folder here, or it is not open yet");
    };
    let (lines, told) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        // Who left is told nothing more.
        let _ = desk.answer(&question, &mut |line| lines.blocking_send(line).map_err(|_| InquiryError::Left));
    });
    let lines = futures::stream::unfold(told, async |mut told: mpsc::Receiver<Line>| {
        let line = told.recv().await?;
        let text = serde_json::to_string(&line).map(|text| Bytes::from(text + "\n"));
        Some((text, told))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn is_called_by_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let name = if host.ends_with(']') { host } else { host.rsplit_once(':').map_or(host, |(name, _)| name) };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_made_is_not_this_port() {
        let called = |host: &str| is_called_by_address(&HeaderMap::from_iter([(HOST, host.parse().unwrap())]));
        for host in ["127.0.0.1:4320", "localhost:4320", "LOCALHOST", "[::1]:4320", "[::1]", "10.0.0.7"] {
            assert!(called(host), "{host}");
        }
        for host in ["evil.example:4320", "127.0.0.1.evil.example", "localhost.evil.example:80", ""] {
            assert!(!called(host), "{host}");
        }
    }
}
