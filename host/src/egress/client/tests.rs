use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::super::tests::body;
use super::super::tests::server::{Server, echo, receive};
use super::*;
use crate::egress::trust;
use crate::grants::Reach;

const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(5),
    between_bytes: Duration::from_secs(5),
};
const SHORT: Duration = Duration::from_millis(100);

fn plain() -> Client {
    Client::with_tls(
        trust::builder().unwrap().with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        Reach::Any,
    )
}

fn get(origin: &str) -> Request<RequestBody> {
    Request::get(origin).body(RequestBody::new(body(b""), None)).unwrap()
}

async fn fetch(client: &Client, origin: &str, limits: TimeLimits) -> Result<Bytes, Error> {
    let response = client.send(get(origin), limits, 1_000).await.map_err(Failure::into_answer)?;
    Ok(response.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    let (server, client) = (Server::start(echo).await, plain());
    for _ in 0..5 {
        fetch(&client, &server.origin(), LIMITS).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_no_failure() {
    let server = Server::start(|stream: TcpStream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let client = plain();
    for _ in 0..20 {
        assert_eq!(fetch(&client, &server.origin(), LIMITS).await.unwrap(), "ok");
        // The end of the connection is on its way.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.connections(), 20);
}

#[tokio::test]
async fn a_server_that_is_not_there_refuses() {
    let origin = Server::start(echo).await.origin();
    tokio::task::yield_now().await;
    assert!(matches!(fetch(&plain(), &origin, LIMITS).await, Err(Error::ConnectionRefused)));
}

#[tokio::test]
async fn a_connection_that_does_not_become_ready_is_given_up() {
    let silent = Server::start(|stream: TcpStream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let limits = TimeLimits { connect: SHORT, ..LIMITS };
    let origin = silent.origin().replace("http:", "https:");
    let started = Instant::now();
    assert!(matches!(fetch(&plain(), &origin, limits).await, Err(Error::ConnectionTimeout)));
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_given_up() {
    let silent = Server::start(|stream: TcpStream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await;
        receive(&mut stream).await;
    })
    .await;
    let limits = TimeLimits { first_byte: SHORT, ..LIMITS };
    assert!(matches!(fetch(&plain(), &silent.origin(), limits).await, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn a_request_may_take_its_time_to_be_sent() {
    let server = Server::start(echo).await;
    let pieces = futures::stream::unfold(0, |piece| async move {
        sleep(SHORT / 2).await;
        (piece < 6).then(|| (Ok(http_body::Frame::data(Bytes::from_static(b"x"))), piece + 1))
    });
    let body = http_body_util::StreamBody::new(pieces).boxed_unsync();
    let request = Request::post(server.origin()).body(RequestBody::new(body, Some(6))).unwrap();
    let limits = TimeLimits { first_byte: SHORT, ..LIMITS };
    let response = plain().send(request, limits, 1_000).await.unwrap();
    assert!(response.into_body().collect().await.unwrap().to_bytes().ends_with(b"xxxxxx"));
}

#[tokio::test]
async fn an_answer_that_stops_is_given_up() {
    let server = Server::start(|stream: TcpStream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        receive(&mut stream).await;
    })
    .await;
    let limits = TimeLimits { between_bytes: SHORT, ..LIMITS };
    assert!(matches!(fetch(&plain(), &server.origin(), limits).await, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_from_one_that_never_was_asked_for() {
    let server = Server::start(|stream: TcpStream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await;
    })
    .await;
    assert!(matches!(fetch(&plain(), &server.origin(), LIMITS).await, Err(Error::ConnectionTerminated)));
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_refused_whether_it_says_its_size_or_not() {
    async fn serve(stream: TcpStream, head: &str) {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await;
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).await;
        for _ in 0..10 {
            let _ = stream.write_all(format!("1f4\r\n{}\r\n", "x".repeat(0x1f4)).as_bytes()).await;
        }
    }
    let sized = Server::start(|stream| serve(stream, "content-length: 5000")).await;
    let chunked = Server::start(|stream| serve(stream, "transfer-encoding: chunked")).await;
    let client = plain();
    let answer = fetch(&client, &sized.origin(), LIMITS).await;
    assert!(matches!(answer, Err(Error::HttpResponseBodySize(Some(5000)))), "{answer:?}");
    let answer = fetch(&client, &chunked.origin(), LIMITS).await;
    assert!(matches!(answer, Err(Error::HttpResponseBodySize(Some(1000)))), "{answer:?}");
}

#[tokio::test]
async fn what_a_plugin_asks_for_is_bounded_by_its_call() {
    let longest = Duration::from_secs(30);
    let asked = RequestOptions {
        connect_timeout: Some(Duration::from_secs(1)),
        first_byte_timeout: Some(Duration::from_hours(1)),
        between_bytes_timeout: None,
    };
    let limits = TimeLimits::new(asked, longest);
    assert_eq!(limits, TimeLimits { connect: Duration::from_secs(1), first_byte: longest, between_bytes: longest });
}

/// Of `localhost`.
static CERTIFICATE: LazyLock<rcgen::CertifiedKey<rcgen::KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());

/// A server for `localhost` that speaks HTTP/2 over TLS, and a client that trusts it.
async fn secure() -> (Server, Client) {
    let server = Server::start(|stream| async move {
        let key = PrivateKeyDer::Pkcs8(CERTIFICATE.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CERTIFICATE.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
        let answer = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
            let seen = format!("{:?} {}", request.version(), request.uri());
            if request.uri().path() == "/reset" {
                return Err("no answer: the stream is reset");
            }
            Ok(Response::new(http_body_util::Full::new(Bytes::from(seen))))
        });
        let io = hyper_util::rt::TokioIo::new(stream);
        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.cert.der().clone()).unwrap();
    (
        server,
        Client::with_tls(trust::builder().unwrap().with_root_certificates(roots).with_no_client_auth(), Reach::Any),
    )
}

#[tokio::test]
async fn a_server_that_offers_http_2_over_tls_gets_it() {
    let (server, client) = secure().await;
    let origin = format!("https://localhost:{}", server.port());
    for _ in 0..3 {
        assert_eq!(fetch(&client, &origin, LIMITS).await.unwrap(), format!("HTTP/2.0 {origin}/"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_request_whose_stream_is_reset_may_have_arrived() {
    let (server, client) = secure().await;
    let answer = fetch(&client, &format!("https://localhost:{}/reset", server.port()), LIMITS).await;
    assert!(matches!(answer, Err(Error::ConnectionTerminated)), "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_called_so() {
    let server = Server::start(|stream: TcpStream| async move {
        let mut stream = BufReader::new(stream);
        receive(&mut stream).await.unwrap();
        stream.write_all(b"garbage\r\n\r\n").await.unwrap();
    })
    .await;
    let answer = fetch(&plain(), &server.origin(), LIMITS).await;
    assert!(matches!(answer, Err(Error::HttpProtocolError)), "{answer:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let (server, _) = secure().await;
    let origin = format!("https://localhost:{}", server.port());
    let answer = fetch(&plain(), &origin, LIMITS).await;
    assert!(matches!(answer, Err(Error::TlsCertificateError)), "{answer:?}");
}

#[tokio::test]
async fn the_certificates_of_a_file_are_trusted_beside_the_systems() {
    let (server, _) = secure().await;
    let origin = format!("https://localhost:{}", server.port());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, CERTIFICATE.cert.pem()).unwrap();
    let client = Client::trusting(&ExtraRoots::read(&ca).unwrap(), Reach::Any);
    assert_eq!(fetch(&client, &origin, LIMITS).await.unwrap(), format!("HTTP/2.0 {origin}/"));
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&ca, stranger.cert.pem()).unwrap();
    let client = Client::trusting(&ExtraRoots::read(&ca).unwrap(), Reach::Any);
    let answer = fetch(&client, &origin, LIMITS).await;
    assert!(matches!(answer, Err(Error::TlsCertificateError)), "{answer:?}");
}

#[tokio::test]
async fn the_systems_certificates_can_be_read() {
    trust::of_system().expect("this system trusts somebody");
}
