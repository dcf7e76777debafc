//! The machine's own sockets, for tests and for the native twin of the benchmarks.

use std::io::Read as _;
use std::sync::LazyLock;
use std::time::Duration;

use ureq::{Agent, Body, http};

use super::{Error, Method, Request, Response};

/// One pool of connections for the whole process, as a host has.
static AGENT: LazyLock<Agent> =
    LazyLock::new(|| Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into());

pub(super) fn send(request: &Request<'_>) -> Result<Response, Error> {
    let mut builder = http::Request::builder().method(request.method.as_str()).uri(request.url);
    for (name, value) in &request.headers {
        builder = builder.header(*name, *value);
    }
    let limits = request.timeouts;
    let configured = |error: http::Error| Error::Invalid(error.to_string());
    // Without this a body that is empty would go out in chunks.
    let has_body = !request.body.is_empty() || matches!(request.method, Method::Post | Method::Put);
    let response = if has_body {
        AGENT.run(with_limits(
            builder.body(request.body).map_err(configured)?,
            limits.connect,
            limits.first_byte,
            limits.total,
        ))
    } else {
        AGENT.run(with_limits(builder.body(()).map_err(configured)?, limits.connect, limits.first_byte, limits.total))
    };
    read(response.map_err(|error| outcome(&error))?, request.max_response)
}

fn with_limits<B: ureq::AsSendBody>(
    request: http::Request<B>,
    connect: Duration,
    first_byte: Duration,
    total: Duration,
) -> http::Request<B> {
    AGENT
        .configure_request(request)
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(first_byte))
        .timeout_global(Some(total))
        .build()
}

fn read(response: http::Response<Body>, limit: usize) -> Result<Response, Error> {
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.into_reader()
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::InDoubt(format!("reading the response: {error}")))?;
    if bytes.len() > limit {
        return Err(Error::TooLong { limit });
    }
    let headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    Ok(Response { status: parts.status.as_u16(), headers, body: bytes })
}

fn outcome(error: &ureq::Error) -> Error {
    let text = error.to_string();
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Error::Invalid(text),
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => Error::NotSent(text),
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => Error::NotSent(text),
        _ => Error::InDoubt(text),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::super::{Error, Method, Request};

    #[test]
    fn an_empty_body_has_its_length_where_the_method_has_one() {
        for method in [Method::Put, Method::Post] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/x", listener.local_addr().unwrap());
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                String::from_utf8_lossy(&request[..length]).to_ascii_lowercase()
            });
            Request::new(method, &url).send().unwrap();
            let request = server.join().unwrap();
            assert!(request.contains("content-length: 0") && !request.contains("chunked"), "{request}");
        }
    }

    fn answer_once(response: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(response).unwrap();
        });
        url
    }

    #[test]
    fn a_response_of_any_status_comes_whole() {
        let url = answer_once(b"HTTP/1.1 503 x\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nhi");
        let response = Request::new(Method::Post, &url).body(b"{}").send().unwrap();
        assert_eq!(
            (response.status, response.body.as_slice(), response.header("retry-after")),
            (503, &b"hi"[..], Some("7"))
        );
        assert!(!response.is_success());
    }

    #[test]
    fn the_response_is_bounded() {
        let url = answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
        let error = Request::new(Method::Get, &url).max_response(9).send().unwrap_err();
        assert_eq!(error, Error::TooLong { limit: 9 });
    }

    #[test]
    fn what_was_not_sent_is_told_from_what_is_in_doubt() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = Request::new(Method::Get, &format!("http://{closed}/")).send().unwrap_err();
        assert!(matches!(refused, Error::NotSent(_)), "{refused:?}");
        let broken = Request::new(Method::Get, &answer_once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01")).send();
        assert!(broken.clone().unwrap_err().in_doubt(), "{broken:?}");
    }
}
