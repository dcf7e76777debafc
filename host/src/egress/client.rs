//! The HTTP client of one publisher: connections that are kept and used again, HTTP/1.1 and, where the server offers it
//! over TLS, HTTP/2.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::{sleep, timeout};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{RequestBody, ResponseBody};
use super::failure::Failure;
use super::resolve::Resolver;
use super::trust::ExtraRoots;
use crate::grants::Reach;

/// How long an unused connection is kept: below what servers and what stands before them usually allow (60 s), so that
/// a connection is seldom closed in the moment in which it is used again.
const IDLE: Duration = Duration::from_secs(50);
/// Unused connections to one host: more instances than that seldom send at once.
const IDLE_PER_HOST: usize = 32;
/// How often a silent HTTP/2 connection with requests under way is asked whether it lives, and how long it may take.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeLimits {
    /// To a connection that is ready, name and TLS included.
    connect: Duration,
    /// From the request's end to the response's head.
    first_byte: Duration,
    /// From one piece of the response's body to the next.
    between_bytes: Duration,
}

impl TimeLimits {
    /// What the plugin asks for, as far as a whole call may go.
    pub(super) fn new(options: RequestOptions, longest: Duration) -> Self {
        let limit = |wanted: Option<Duration>| wanted.map_or(longest, |wanted| wanted.min(longest));
        Self {
            connect: limit(options.connect_timeout),
            first_byte: limit(options.first_byte_timeout),
            between_bytes: limit(options.between_bytes_timeout),
        }
    }
}

pub(super) struct Client(legacy::Client<HttpsConnector<HttpConnector<Resolver>>, RequestBody>);

impl Client {
    pub(super) fn trusting(roots: &ExtraRoots, reach: Reach) -> Self {
        Self::with_tls(roots.client_config(), reach)
    }

    fn with_tls(tls: ClientConfig, reach: Reach) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(reach));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        // A kept connection that the server has closed is found out before a byte of the request is sent, and the
        // request goes to another one.
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .retry_canceled_requests(true)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PONG)
            .build(connector);
        Self(client)
    }

    /// Sends a request and waits for the response's head.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
        limits: TimeLimits,
        response_limit: u64,
    ) -> Result<Response<WasiBody>, Failure> {
        let sent = request.body_mut().sent();
        let connection = capture_connection(&mut request);
        let answer = tokio::select! {
            biased;
            answer = self.0.request(request) => answer,
            late = late(connection, sent, limits) => return Err(Failure::Limit(late)),
        };
        let (head, body) = answer.map_err(Failure::Client)?.into_parts();
        let body = ResponseBody::new(body, response_limit, limits.between_bytes).map_err(Failure::Limit)?;
        Ok(Response::from_parts(head, body.boxed_unsync()))
    }
}

/// Ends when one of the times before the response's head is over.
async fn late(mut connection: CaptureConnection, sent: impl Future<Output = ()>, limits: TimeLimits) -> Error {
    let connected = async {
        connection.wait_for_connection_metadata().await;
    };
    if timeout(limits.connect, connected).await.is_err() {
        return Error::ConnectionTimeout;
    }
    sent.await;
    sleep(limits.first_byte).await;
    Error::ConnectionReadTimeout
}

#[cfg(test)]
mod tests;
