//! `POST /v1/records`: NDJSON or a JSON array, plain or compressed by gzip or zstd.
//!
//! 200 says that the records of the body are in the queue, all of them, and lists what was refused; 400 that nothing
//! was stored; 413 and 415 that the body was not read; 503 with Retry-After that there is no room, and nothing stored.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::TryStreamExt as _;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use metricast_records::body::{self, Format};
use tokio::io::{AsyncBufRead, AsyncReadExt as _};
use tokio::net::TcpListener;
use tokio_util::io::StreamReader;

use crate::clock;
use crate::config::WhenFull;
use crate::queue::{AppendError, Queue};

/// How long a sender waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);
/// Reading less than this is no burden for the threads that serve.
const READ_HERE: usize = 64 << 10;

/// What the handler needs.
#[derive(Clone, Debug)]
struct Ingest {
    queue: Queue,
    max_body: usize,
    when_full: WhenFull,
}

/// Serves until `stopped`, then answers what is under way and ends.
///
/// # Errors
/// What the listener says.
pub async fn serve(
    listener: TcpListener,
    queue: Queue,
    max_body: usize,
    when_full: WhenFull,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ingest = Ingest { queue, max_body, when_full };
    let router =
        Router::new().route("/v1/records", post(take).fallback(not_posted)).fallback(elsewhere).with_state(ingest);
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

async fn take(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    match ingest.take(&headers, body).await {
        Ok(response) => response,
        Err(failure) => failure.into_response(),
    }
}

async fn elsewhere(method: Method, uri: Uri) -> Response {
    let detail = format!("{method} {} is nothing here: POST /v1/records takes records", uri.path());
    problem(StatusCode::NOT_FOUND, "not found", &detail)
}

async fn not_posted(method: Method) -> Response {
    let detail = format!("{method} gets nothing here: records come by POST");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", &detail);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// Why a body is not in the queue.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the body is larger than {limit} bytes (decompressed); send it in parts")]
    TooLarge { limit: usize },
    #[error("content encoding {0:?} is not known: gzip, zstd and identity are")]
    UnknownEncoding(String),
    #[error(transparent)]
    UnknownType(#[from] body::UnknownType),
    #[error("the body could not be read: {0}")]
    Unreadable(io::Error),
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    Slow,
    #[error("{0}: nothing of the body was stored, send it again")]
    NoRoom(AppendError),
    #[error("reading the body failed")]
    Broken,
}

impl Ingest {
    async fn take(&self, headers: &HeaderMap, body: Body) -> Result<Response, Failure> {
        let bytes =
            tokio::time::timeout(BODY_TIME, self.read(headers, body)).await.map_err(|_elapsed| Failure::Slow)??;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = Format::of(content_type, &bytes)?;
        let received = clock::now();
        let read = if bytes.len() < READ_HERE {
            body::read(&bytes, format, received)
        } else {
            let reading = tokio::task::spawn_blocking(move || body::read(&bytes, format, received));
            reading.await.map_err(|_panicked| Failure::Broken)?
        };
        let status = if read.is_all_refused() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let answer = read.answer() + "\n";
        let patience = match self.when_full {
            WhenFull::Block => PATIENCE,
            WhenFull::Reject => Duration::ZERO,
        };
        self.queue.append_within(read.records.finish(), patience).await.map_err(Failure::NoRoom)?;
        Ok((status, [(CONTENT_TYPE, "application/json")], answer).into_response())
    }

    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Failure> {
        let raw = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
        let reader = decoded(headers.get(CONTENT_ENCODING), raw)?;
        let mut bytes = Vec::new();
        reader.take(self.max_body as u64 + 1).read_to_end(&mut bytes).await.map_err(Failure::Unreadable)?;
        if bytes.len() > self.max_body {
            return Err(Failure::TooLarge { limit: self.max_body });
        }
        Ok(bytes)
    }
}

type Reader = Pin<Box<dyn tokio::io::AsyncRead + Send>>;

fn decoded(encoding: Option<&HeaderValue>, raw: impl AsyncBufRead + Send + 'static) -> Result<Reader, Failure> {
    let encoding = encoding.map_or("identity".into(), |value| String::from_utf8_lossy(value.as_bytes()));
    match encoding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(Box::pin(raw)),
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(raw);
            decoder.multiple_members(true);
            Ok(Box::pin(decoder))
        }
        "zstd" => Ok(Box::pin(ZstdDecoder::new(raw))),
        _ => Err(Failure::UnknownEncoding(encoding.into_owned())),
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title) = match &self {
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            Self::UnknownEncoding(_) | Self::UnknownType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown form"),
            Self::Unreadable(_) => (StatusCode::BAD_REQUEST, "body broken"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "body too slow"),
            Self::NoRoom(_) => (StatusCode::SERVICE_UNAVAILABLE, "no room"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "metricast's own fault"),
        };
        let mut response = problem(status, title, &self.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let problem = body::problem(status.as_u16(), title, detail) + "\n";
    (status, [(CONTENT_TYPE, "application/problem+json")], problem).into_response()
}
