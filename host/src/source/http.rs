//! `POST /v1/records`: NDJSON or a JSON array, plain or compressed by gzip or zstd.
//!
//! 200 says that the records of the body are in the queue, all of them, and lists what was refused; 400 that nothing
//! was stored; 408, 413 and 415 that the body was not taken; 503 with Retry-After that there is no room, and nothing
//! stored. docs/input.md tells all of it to users.

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{ALLOW, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use metricast_records::body::{self, Format};
use tokio::net::TcpListener;

use super::body::{Bodies, BodyError, Taken, linger};
use crate::clock;
use crate::config::WhenFull;
use crate::queue::{AppendError, Queue};

/// How long a sender waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);
/// What `curl -d` and `curl --data-binary` say of everything.
const FORM: &str = "application/x-www-form-urlencoded";
/// Reading less than this is no burden for the threads that serve.
const READ_HERE: usize = 64 << 10;

/// What the handler needs.
#[derive(Clone, Debug)]
struct Ingest {
    queue: Queue,
    bodies: Bodies,
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
    let ingest = Ingest { queue, bodies: Bodies::new(max_body, PATIENCE), when_full };
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
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    UnknownType(#[from] body::UnknownType),
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    Slow,
    #[error("{0}: nothing of the body was stored, send it again")]
    NoRoom(AppendError),
    #[error("reading the body failed")]
    Broken,
}

impl Ingest {
    async fn take(&self, headers: &HeaderMap, body: Body) -> Result<Response, Failure> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let known = Format::of(content_type, b"").map_err(Failure::from);
        let encoding = match known.and_then(|_| Ok(self.bodies.expect(headers, &body)?)) {
            Ok(encoding) => encoding,
            Err(failure) => {
                // Who asks first sends no body after such an answer.
                if !headers.contains_key(EXPECT) {
                    linger(body.into_data_stream());
                }
                return Err(failure);
            }
        };
        let taken = tokio::time::timeout(BODY_TIME, self.bodies.take(encoding, body)).await;
        let Taken { bytes, share } = taken.map_err(|_elapsed| Failure::Slow)??;
        let (format, length) = (Format::of(content_type, &bytes)?, bytes.len());
        let received = clock::now();
        let is_form = content_type.is_some_and(|named| named.starts_with(FORM));
        let work = move || {
            let mut read = body::read(&bytes, format, received);
            if is_form {
                hint_at_curl(&bytes, &mut read);
            }
            read
        };
        let read = if length < READ_HERE {
            work()
        } else {
            tokio::task::spawn_blocking(work).await.map_err(|_panicked| Failure::Broken)?
        };
        let status = if read.is_all_refused() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let answer = read.answer() + "\n";
        let patience = match self.when_full {
            WhenFull::Block => PATIENCE,
            WhenFull::Reject => Duration::ZERO,
        };
        self.queue.append_within(read.records.finish(), patience).await.map_err(Failure::NoRoom)?;
        // What waits for room in the queue is held as well.
        drop(share);
        Ok((status, [(CONTENT_TYPE, "application/json")], answer).into_response())
    }
}

/// `curl -d @FILE` makes one line of all lines.
fn hint_at_curl(bytes: &[u8], read: &mut body::Body) {
    let all_in_one = read.is_all_refused() && !bytes.contains(&b'\n');
    if let Some(first) = read.refused.first_mut().filter(|first| all_in_one && first.reason.contains(body::FOLLOWS)) {
        first.reason += "; curl -d takes the line ends out of a file: use --data-binary";
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title) = match &self {
            Self::Body(BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "body too large"),
            Self::Body(BodyError::UnknownEncoding(_)) | Self::UnknownType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown form")
            }
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "body too slow"),
            Self::NoRoom(_) | Self::Body(BodyError::Crowded) => (StatusCode::SERVICE_UNAVAILABLE, "no room"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "body broken"),
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"event_name": "e", "start_time": 1}"#;

    fn ingest(queue: &Queue) -> Ingest {
        Ingest { queue: queue.clone(), bodies: Bodies::new(1 << 20, PATIENCE), when_full: WhenFull::Block }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_so_long_only() {
        let slow = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>("x"), ()))
        });
        let started = tokio::time::Instant::now();
        let failure = ingest(&Queue::in_memory(64 << 20)).take(&HeaderMap::new(), Body::from_stream(slow)).await;
        assert_eq!(failure.unwrap_err().into_response().status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(started.elapsed(), BODY_TIME);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_waited_for_so_long_only() {
        let queue = Queue::in_memory(1);
        let _reader = queue.reader();
        let ingest = ingest(&queue);
        assert_eq!(ingest.take(&HeaderMap::new(), GOOD.into()).await.unwrap().status(), StatusCode::OK);
        let started = tokio::time::Instant::now();
        let response = ingest.take(&HeaderMap::new(), GOOD.into()).await.unwrap_err().into_response();
        assert_eq!((response.status(), started.elapsed()), (StatusCode::SERVICE_UNAVAILABLE, PATIENCE));
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
