pub(super) mod server;

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use server::{Server, echo, receive};

fn identity() -> Identity {
    Identity { publisher: "search".into(), plugin: "test 0.1.0".into() }
}

fn egress(origins: &[&str], secrets: Secrets) -> Egress {
    let grant = |grants: Grants, origin: &&str| grants.with_origin(origin.parse().unwrap(), "test");
    Egress::new(origins.iter().fold(Grants::default(), grant), secrets, &Limits::default())
}

pub(super) fn body(bytes: &'static [u8]) -> WasiBody {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed_unsync()
}

async fn send(egress: &Egress, request: Request<WasiBody>) -> Result<(u16, String)> {
    let response = egress.send(&identity(), request, RequestOptions::default()).await?;
    let status = response.status().as_u16();
    let text = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8(text.to_vec()).unwrap()))
}

/// Log lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

#[tokio::test]
async fn an_origin_that_is_not_granted_gets_nothing_and_the_log_says_what_to_add() {
    let (granted, other) = (Server::start(echo).await, Server::start(echo).await);
    let egress = egress(&[&granted.origin()], Secrets::default());
    let lines = Lines::default();
    let listening = lines.listen();

    let request = Request::post(format!("{}/x", other.origin())).body(body(b"")).unwrap();
    assert!(matches!(send(&egress, request).await, Err(Error::HttpRequestDenied)));
    assert_eq!(other.connections(), 0, "not even a connection");
    let line = lines.take();
    for words in ["search", "test 0.1.0", &format!("allow = [\"{}\"]", other.origin())] {
        assert!(line.contains(words), "{words}: {line}");
    }
    for _ in 0..50 {
        let request = Request::get(other.origin()).body(body(b"")).unwrap();
        assert!(send(&egress, request).await.is_err());
    }
    assert_eq!(lines.take().lines().count(), TOLD_AT_ONCE as usize - 1, "a flood is not repeated");
    drop(listening);

    let request = Request::get(granted.origin()).body(body(b"")).unwrap();
    assert_eq!(send(&egress, request).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_secret_reaches_its_origin_and_the_plugin_holds_a_placeholder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hunter2\n").unwrap();
    let mut config = json!({ "api_key": { "secret": "file:key" } });
    let secrets = Secrets::extract(&mut config, folder.path()).unwrap();
    let placeholder = config["api_key"].as_str().unwrap();
    assert!(!placeholder.contains("hunter2"));

    let server = Server::start(echo).await;
    let egress = egress(&[&server.origin()], secrets);
    let request = Request::post(format!("{}/{placeholder}", server.origin()))
        .header("authorization", format!("ApiKey {placeholder}"))
        .body(body(b""))
        .unwrap();
    let (_, echoed) = send(&egress, request).await.unwrap();
    assert!(echoed.contains("authorization: ApiKey hunter2\r\n"), "{echoed}");
    assert!(echoed.starts_with(&format!("POST /{placeholder} ")), "only headers get the value: {echoed}");
}

#[tokio::test]
async fn the_head_is_the_hosts_and_a_length_goes_with_its_body() {
    let server = Server::start(echo).await;
    let egress = egress(&[&server.origin()], Secrets::default());
    let request = Request::post(format!("{}/_bulk?a=b", server.origin()))
        .header("host", "evil.example")
        .header("content-length", "5")
        .header("x-own", "1")
        .body(body(b"hello"))
        .unwrap();
    let (_, echoed) = send(&egress, request).await.unwrap();
    let (head, text) = echoed.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    assert_eq!((lines.remove(0), text), ("POST /_bulk?a=b HTTP/1.1", "hello"));
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", server.port());
    assert_eq!(lines, ["content-length: 5", &host, "x-own: 1"]);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let server = Server::start(|stream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await.unwrap();
        let answer = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        receive(&mut stream).await;
    })
    .await;
    let egress = egress(&[&server.origin()], Secrets::default());
    let request = Request::get(server.origin()).body(body(b"")).unwrap();
    assert_eq!(send(&egress, request).await.unwrap().0, 302);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn without_grants_nothing_leaves() {
    let server = Server::start(echo).await;
    let request = Request::get(server.origin()).body(body(b"")).unwrap();
    assert!(matches!(send(&Egress::closed(), request).await, Err(Error::HttpRequestDenied)));
    assert_eq!(server.connections(), 0);
}

#[test]
fn headers_of_the_connection_are_the_hosts() {
    for name in ["connection", "transfer-encoding", "upgrade", "host", "te", "trailer", "expect", "keep-alive"] {
        assert!(forbidden(&HeaderName::from_static(name)), "{name}");
    }
    for name in ["authorization", "content-type", "content-length", "x-own"] {
        assert!(!forbidden(&HeaderName::from_static(name)), "{name}");
    }
}

#[test]
fn a_missing_secret_names_its_key() {
    let mut config = json!({ "auth": { "token": { "secret": "env:METRICAST_TEST_NOT_SET" } } });
    let error = Secrets::extract(&mut config, Path::new("/")).unwrap_err();
    assert_eq!(error.to_string(), "auth.token: the environment variable METRICAST_TEST_NOT_SET is not set");
}
