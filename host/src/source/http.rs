//! `POST /v1/records`: NDJSON or a JSON array, plain or compressed by gzip or zstd.
//!
//! 200 says that the records of the body are in the queue, all of them, and lists what was refused; 400 that nothing
//! was stored; 408, 413 and 415 that the body was not taken; 503 with Retry-After that there is no room, and nothing
//! stored. docs/input.md tells all of it to users.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::post;
use http::header::{ALLOW, CONTENT_TYPE, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use metricast_records::body::{self, Format};
use metricast_records::problem::{self, Problem};
use tokio::net::TcpListener;

use super::body::{Bodies, Taken, linger};
use super::once::{self, Identity, REPLAYED};
use super::refusals;
use super::tally::Tally;
use crate::clock;
use crate::config::WhenFull;
use crate::queue::Queue;
use crate::queue::note::Note;
use crate::queue::remembered::Recalled;

/// How long a sender waits for room before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);
/// What refused lines are said to come from.
const SOURCE: &str = "POST /v1/records";
/// What there is.
const THERE: &str = "POST /v1/records takes records";
/// Reading less than this is no burden for the threads that serve.
const READ_HERE: usize = 64 << 10;

/// What the handler needs.
#[derive(Clone, Debug)]
struct Ingest {
    queue: Queue,
    bodies: Bodies,
    when_full: WhenFull,
    tally: Arc<Tally>,
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
    tally: Arc<Tally>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let ingest = Ingest { queue, bodies: Bodies::new(max_body, PATIENCE), when_full, tally };
    let router =
        Router::new().route(problem::RECORDS, post(take).fallback(not_posted)).fallback(elsewhere).with_state(ingest);
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

async fn take(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    let taken = ingest.take(&headers, body).await;
    let response = taken.unwrap_or_else(|problem| answer(&problem));
    ingest.tally.answered(response.status().as_u16());
    response
}

async fn elsewhere(method: Method, uri: Uri) -> Response {
    answer(&Problem::Elsewhere { method: method.to_string(), path: uri.path().to_owned(), there: THERE })
}

async fn not_posted(method: Method) -> Response {
    answer(&Problem::WrongMethod { method: method.to_string(), allow: "POST", instead: "records come by POST" })
}

impl Ingest {
    async fn recall(&self, identity: Identity) -> Result<Recalled, Problem> {
        let recalled = self.queue.recall(identity.key, identity.body).await;
        // Whoever cannot be told from one that was taken must not be taken.
        recalled.map_err(|error| Problem::NoRoom(format!("what was answered before cannot be looked up: {error}")))
    }

    async fn take(&self, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let known = Format::of(content_type, b"").map_err(Problem::from);
        let encoding = match known.and_then(|_| self.bodies.expect(headers, &body)) {
            Ok(encoding) => encoding,
            Err(problem) => {
                // Who asks first sends no body after such an answer.
                if !headers.contains_key(EXPECT) {
                    linger(body.into_data_stream());
                }
                return Err(problem);
            }
        };
        let key = once::key_of(headers)?;
        let taken = tokio::time::timeout(BODY_TIME, self.bodies.take(encoding, body)).await;
        let slow = Problem::Slow { seconds: BODY_TIME.as_secs() };
        let Taken { bytes, share } = taken.map_err(|_elapsed| slow)??;
        let (content_type, length) = (content_type.map(str::to_owned), bytes.len());
        let identity = key.map(|key| Identity::new(&key, content_type.as_deref(), &bytes));
        let claim = match identity {
            None => None,
            Some(identity) => match self.recall(identity).await? {
                Recalled::Fresh(claim) => Some(claim),
                Recalled::Answered(answer) => return Ok(replayed(answer)),
                Recalled::OtherBody => return Err(Problem::OtherBody),
                Recalled::UnderWay => return Err(Problem::UnderWay),
            },
        };
        let received = clock::now();
        let durable = self.queue.is_durable();
        let work = move || {
            let read = body::take(&bytes, content_type.as_deref(), received)?;
            let refused = durable.then(|| refusals::letters(SOURCE, &read, content_type.as_deref(), &bytes));
            Ok::<_, body::UnknownType>((read, refused.unwrap_or_default()))
        };
        let (read, refused) = if length < READ_HERE {
            work()?
        } else {
            tokio::task::spawn_blocking(work).await.map_err(|_panicked| Problem::Broken)??
        };
        let status = StatusCode::from_u16(read.status()).expect("it is one");
        let answer = read.answer();
        let patience = match self.when_full {
            WhenFull::Block => PATIENCE,
            WhenFull::Reject => Duration::ZERO,
        };
        let counts = (read.records.len() as u64, read.refused_count());
        let (batch, request) = (read.records.finish(), identity.map(|identity| identity.answered(&answer)));
        // Of a body without records there is nothing to take twice.
        let request = request.filter(|_| !batch.is_empty());
        let appended = self.queue.append_noted(batch, Note { request, ..Note::default() }, patience).await;
        appended.map_err(|error| Problem::NoRoom(error.to_string()))?;
        if let Err(error) = self.queue.file(refused).await {
            tracing::error!("refused lines of a body are not kept as dead letters, only told to its sender: {error}");
        }
        self.tally.took(counts.0, counts.1);
        // What waits for room in the queue is held as well.
        drop((share, claim));
        Ok((status, [(CONTENT_TYPE, "application/json")], answer).into_response())
    }
}

/// What a request was answered before.
fn replayed(answer: Vec<u8>) -> Response {
    let told =
        [(CONTENT_TYPE, HeaderValue::from_static("application/json")), (REPLAYED, HeaderValue::from_static("true"))];
    (StatusCode::OK, AppendHeaders(told), answer).into_response()
}

fn answer(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status()).expect("it is one");
    let mut response = (status, [(CONTENT_TYPE, problem::CONTENT_TYPE)], problem.body()).into_response();
    let headers = response.headers_mut();
    if let Some(allow) = problem.allow() {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = problem.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"event_name": "e", "start_time": 1}"#;

    fn ingest(queue: &Queue) -> Ingest {
        Ingest {
            queue: queue.clone(),
            bodies: Bodies::new(1 << 20, PATIENCE),
            when_full: WhenFull::Block,
            tally: Arc::default(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_waited_for_so_long_only() {
        let slow = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>("x"), ()))
        });
        let started = tokio::time::Instant::now();
        let failure = ingest(&Queue::in_memory(64 << 20)).take(&HeaderMap::new(), Body::from_stream(slow)).await;
        assert_eq!(failure.unwrap_err().status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(started.elapsed(), BODY_TIME);
    }

    async fn with_key(ingest: &Ingest, key: &str, body: &'static str) -> Result<Response, Problem> {
        let headers = HeaderMap::from_iter([(once::KEY, HeaderValue::from_str(key).unwrap())]);
        ingest.take(&headers, body.into()).await
    }

    #[tokio::test]
    async fn a_body_that_comes_again_with_its_key_is_answered_as_before_and_not_taken_twice() {
        let queue = Queue::in_memory(64 << 20);
        let _reader = queue.reader();
        let ingest = ingest(&queue);
        let mut answers = Vec::new();
        for again in [false, true] {
            let response = with_key(&ingest, "a", GOOD).await.unwrap();
            assert_eq!((response.status(), response.headers().contains_key(REPLAYED)), (StatusCode::OK, again));
            answers.push(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap());
        }
        assert_eq!((queue.appended(), &answers[0]), (1, &answers[1]));
        assert_eq!(with_key(&ingest, "a", "[]").await.unwrap_err(), Problem::OtherBody);
        with_key(&ingest, "b", GOOD).await.unwrap();
        assert_eq!(queue.appended(), 2, "another key is another request");
        for _ in 0..2 {
            let nothing = with_key(&ingest, "c", "no record").await.unwrap();
            assert_eq!(nothing.status(), StatusCode::BAD_REQUEST);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_key_is_being_taken_in_comes_again_for_its_answer() {
        let queue = Queue::in_memory(1);
        let reader = queue.reader();
        let ingest = ingest(&queue);
        ingest.take(&HeaderMap::new(), GOOD.into()).await.unwrap();
        let waiting = tokio::spawn({
            let ingest = ingest.clone();
            async move { with_key(&ingest, "a", GOOD).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(with_key(&ingest, "a", GOOD).await.unwrap_err(), Problem::UnderWay);
        reader.release(1);
        assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
        assert_eq!(with_key(&ingest, "a", GOOD).await.unwrap().headers()[REPLAYED], "true");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_waited_for_so_long_only() {
        let queue = Queue::in_memory(1);
        let _reader = queue.reader();
        let ingest = ingest(&queue);
        assert_eq!(ingest.take(&HeaderMap::new(), GOOD.into()).await.unwrap().status(), StatusCode::OK);
        let started = tokio::time::Instant::now();
        let response = answer(&ingest.take(&HeaderMap::new(), GOOD.into()).await.unwrap_err());
        assert_eq!((response.status(), started.elapsed()), (StatusCode::SERVICE_UNAVAILABLE, PATIENCE));
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
