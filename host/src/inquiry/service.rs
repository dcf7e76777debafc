//! `POST /queue` on the admin port: a [`Question`] as JSON, answered with [`Line`]s as JSON lines.
//!
//! Answers hold records, so only this machine is answered, wherever the port listens. A page in a browser on it is not:
//! what it sends across sites cannot be called JSON without leave that nobody gives, and one that has made a name of its
//! own point here is known by that name.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::IncomingStream;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
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

/// Both ends of a connection; the server that the route is part of hands it on.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it came to.
    pub own: Option<SocketAddr>,
}

impl Connected<IncomingStream<'_, TcpListener>> for Ends {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self { peer: *stream.remote_addr(), own: stream.io().local_addr().ok() }
    }
}

impl Ends {
    fn are_here(&self) -> bool {
        let peer = self.peer.ip().to_canonical();
        peer.is_loopback() || self.own.is_some_and(|own| own.ip().to_canonical() == peer)
    }
}

async fn ask(
    State(window): State<Window>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !ends.are_here() {
        return refused(StatusCode::FORBIDDEN, "questions about the queue are answered on its own machine only");
    }
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
    fn only_this_machine_is_answered() {
        let ends = |peer: &str, own: &str| Ends { peer: peer.parse().unwrap(), own: own.parse().ok() };
        for (peer, own) in
            [("127.0.0.1:1", ""), ("[::1]:1", ""), ("[::ffff:127.0.0.1]:1", ""), ("10.0.0.7:1", "10.0.0.7:4320")]
        {
            assert!(ends(peer, own).are_here(), "{peer}");
        }
        for (peer, own) in [("10.0.0.8:1", "10.0.0.7:4320"), ("10.0.0.8:1", ""), ("[::ffff:10.0.0.8]:1", "[::1]:1")] {
            assert!(!ends(peer, own).are_here(), "{peer}");
        }
    }

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
