//! Posts bodies of records to a running metricast.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

use crate::config::show_time;
use crate::source::KEY;

/// The path that takes records.
const PATH: &str = "/v1/records";
/// A body may wait for room in the queue before it is answered.
const PATIENCE: Duration = Duration::from_mins(2);
/// No answer is longer.
const MAX_ANSWER: usize = 64 << 20;

/// What became of one body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was read; maybe some lines of it were refused.
    Taken(Answer),
    /// It is larger than the other side takes.
    TooLarge,
    /// There is no room now; after this time there may be.
    Busy(Option<Duration>),
}

/// What the other side says of a body.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) accepted: u64,
    #[serde(default)]
    pub(super) refused: Vec<RefusedLine>,
    /// How many more were refused than are listed.
    #[serde(default)]
    pub(super) refused_unlisted: u64,
}

impl Answer {
    /// How many records it speaks of; none where it contradicts itself or names a line that is not among `lines`.
    pub(super) fn told(&self, lines: u64) -> Option<u64> {
        let within = self.refused.iter().all(|refused| (1..=lines).contains(&refused.line));
        let refused = self.refused_unlisted.checked_add(self.refused.len() as u64)?;
        self.accepted.checked_add(refused).filter(|_| within)
    }
}

/// A line that the other side would not take.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct RefusedLine {
    /// In the body, from 1.
    pub(super) line: u64,
    pub(super) reason: String,
}

/// Why a body has no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("cannot connect to {url}: {reason}; is `metricast run` listening there?")]
    Connect { url: Uri, reason: String },
    #[error("the connection to {url} broke: {reason}; whether the body arrived is not known")]
    Broke { url: Uri, reason: String },
    #[error("{url} did not answer within {}; whether the body arrived is not known", show_time(PATIENCE))]
    Silent { url: Uri },
    #[error("{url} answered for {told} records of {sent}; what became of the body is not known")]
    Miscounted { url: Uri, told: u64, sent: u64 },
    #[error("{url} answered {status}{text}")]
    Refused { url: Uri, status: StatusCode, text: String },
}

impl SendError {
    /// Whether the other side may have gone for a while, and may come again.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Broke { .. } | Self::Silent { .. })
    }
}

/// `--to` is no address that records can be sent to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadUrl(String);

/// Reads `--to`: without a path, records go to `/v1/records`.
pub(super) fn parse_url(text: &str) -> Result<Uri, BadUrl> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(mut url) = url else {
        return Err(BadUrl(format!("\"{text}\" is no address of the form http://127.0.0.1:4319")));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl(
            "an address with a user or a password in it: neither would be sent, leave them out".to_owned(),
        ));
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    url.as_str().parse().map_err(|error| BadUrl(format!("\"{text}\": {error}")))
}

/// Sends to one address, over connections that are kept.
pub(super) struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
}

impl Client {
    /// # Errors
    /// If the address is https and the system's certificates cannot be had.
    pub(super) fn new(url: Uri) -> anyhow::Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions()?;
        let tls = if url.scheme_str() == Some("https") {
            tls.try_with_platform_verifier()?
        } else {
            tls.with_root_certificates(rustls::RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls.with_no_client_auth()).https_or_http();
        Ok(Self { pool: Pool::builder(TokioExecutor::new()).build(connector.enable_http1().build()), url })
    }

    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    /// Sends a body; `key` tells it from every other one.
    pub(super) async fn send(&self, body: Bytes, key: &str) -> Result<Outcome, SendError> {
        let request = Request::post(self.url.clone())
            .header(KEY, key)
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(Full::new(body))
            .expect("the address was checked");
        let answer = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        answer.unwrap_or_else(|_| Err(SendError::Silent { url: self.url.clone() }))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Outcome, SendError> {
        let url = || self.url.clone();
        let response = self.pool.request(request).await.map_err(|error| {
            let reason = innermost(&error);
            if error.is_connect() {
                SendError::Connect { url: url(), reason }
            } else {
                SendError::Broke { url: url(), reason }
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| SendError::Broke { url: url(), reason: innermost(&*error) })?.to_bytes();
        self.judge(head.status, &head.headers, &body)
    }

    fn judge(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Outcome, SendError> {
        match status {
            StatusCode::OK | StatusCode::BAD_REQUEST => {
                if let Ok(answer) = serde_json::from_slice(body) {
                    return Ok(Outcome::Taken(answer));
                }
            }
            StatusCode::PAYLOAD_TOO_LARGE => return Ok(Outcome::TooLarge),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT => {
                return Ok(Outcome::Busy(retry_after(headers)));
            }
            _ => {}
        }
        Err(SendError::Refused { url: self.url.clone(), status, text: excerpt(body) })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// The detail of a problem, or the first words of an answer that is not metricast's.
fn excerpt(body: &[u8]) -> String {
    const WORDS: usize = 200;
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    if let Ok(Problem { detail }) = serde_json::from_slice(body) {
        return format!(": {detail}");
    }
    let text: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(WORDS).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// What the system says; the layers above it only say that something failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_gets_ours() {
        let path = |text| parse_url(text).map(|url| url.to_string());
        assert_eq!(path("http://127.0.0.1:4319").unwrap(), "http://127.0.0.1:4319/v1/records");
        assert_eq!(path("https://metrics.example.com/in").unwrap(), "https://metrics.example.com/in");
        let told = parse_url("http://me:secret@127.0.0.1:4319").unwrap_err().to_string();
        assert_eq!(told, "an address with a user or a password in it: neither would be sent, leave them out");
        for wrong in ["127.0.0.1:4319", "localhost:4319", "ftp://a/", "", "http://"] {
            let error = path(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("\"{wrong}\" is no address of the form http://127.0.0.1:4319"));
        }
    }

    fn judged(status: u16, headers: &HeaderMap, body: &str) -> Result<Outcome, SendError> {
        let client = Client::new(parse_url("http://127.0.0.1:1").unwrap()).unwrap();
        client.judge(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes())
    }

    #[test]
    fn an_answer_is_judged_by_its_status() {
        let none = HeaderMap::new();
        let body = r#"{"accepted": 1, "refused": [{"line": 2, "reason": "not JSON"}]}"#;
        let refused = vec![RefusedLine { line: 2, reason: "not JSON".to_owned() }];
        assert_eq!(
            judged(200, &none, body).unwrap(),
            Outcome::Taken(Answer { accepted: 1, refused, refused_unlisted: 0 })
        );
        assert_eq!(judged(413, &none, "").unwrap(), Outcome::TooLarge);
        assert_eq!(judged(503, &none, "").unwrap(), Outcome::Busy(None));
        let wait = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        assert_eq!(judged(429, &wait, "").unwrap(), Outcome::Busy(Some(Duration::from_secs(7))));
        let error = judged(404, &none, "no such\npage").unwrap_err().to_string();
        assert_eq!(error, "http://127.0.0.1:1/v1/records answered 404 Not Found: no suchpage");
        assert!(judged(200, &none, "<html>").is_err());
        let told = judged(400, &none, r#"{"title": "body broken", "status": 400, "detail": "it broke"}"#).unwrap_err();
        assert_eq!(told.to_string(), "http://127.0.0.1:1/v1/records answered 400 Bad Request: it broke");
    }

    #[test]
    fn an_answer_is_believed_only_where_it_adds_up() {
        let refused = |line| RefusedLine { line, reason: String::new() };
        let told = |accepted, lines: &[u64], refused_unlisted| {
            Answer { accepted, refused: lines.iter().map(|line| refused(*line)).collect(), refused_unlisted }.told(9)
        };
        assert_eq!(told(3, &[1, 9], 4), Some(9));
        assert_eq!([told(1, &[0], 0), told(1, &[10], 0), told(u64::MAX, &[1], 0), told(0, &[1], u64::MAX)], [None; 4]);
    }

    #[tokio::test]
    async fn nobody_listening_is_told_with_a_hint() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::new(parse_url(&format!("http://127.0.0.1:{port}")).unwrap()).unwrap();
        let error = client.send(Bytes::from_static(b"{}\n"), "k").await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot connect to http://127.0.0.1:{port}/v1/records: ")), "{error}");
        assert!(error.ends_with("is `metricast run` listening there?"), "{error}");
    }
}
