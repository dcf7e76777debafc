//! `wasi:http/outgoing-handler`.
//!
//! Bodies are written with `check-write` and `write`, as much as the host takes at a time, and never with
//! `blocking-write-and-flush`, which takes 4,096 bytes. Each wait is for the host's event or the total time,
//! whichever comes first.

use std::time::{Duration, Instant};

use super::{Error, Method, Request, Response, Timeouts};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use crate::bindings::wasi::io::poll::{Pollable, poll};
use crate::bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

const READ_AT_ONCE: u64 = 256 << 10;

pub(super) fn send(request: &Request<'_>) -> Result<Response, Error> {
    let deadline = Deadline::after(request.timeouts.total);
    let outgoing = outgoing(request)?;
    let body = outgoing.body().expect("the body of a new request is there");
    let future = outgoing_handler::handle(outgoing, Some(options(request.timeouts)))
        .map_err(|code| outcome(&code, request.url))?;
    write_body(body, request.body, &deadline)?;
    let response = first_byte(&future, &deadline, request.url)?;
    let status = response.status();
    let headers = headers(&response);
    let body = read_body(&response, request, &deadline)?;
    Ok(Response { status, headers, body })
}

fn outgoing(request: &Request<'_>) -> Result<OutgoingRequest, Error> {
    let (scheme, authority, path) = parts(request.url)?;
    let headers = Fields::new();
    let length = request.body.len().to_string();
    let has_body = !request.body.is_empty() || matches!(request.method, Method::Post | Method::Put);
    let own = has_body.then_some(("content-length", length.as_str()));
    for (name, value) in request.headers.iter().copied().chain(own) {
        headers
            .append(&name.to_owned(), &value.as_bytes().to_vec())
            .map_err(|error| Error::Invalid(format!("header {name}: {error:?}")))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let set = outgoing
        .set_method(&method(request.method))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(path)));
    set.map_err(|()| Error::Invalid(format!("{} is no URL that can be asked", request.url)))?;
    Ok(outgoing)
}

fn parts(url: &str) -> Result<(Scheme, &str, &str), Error> {
    let invalid = || Error::Invalid(format!("{url} is no absolute http or https URL"));
    let (scheme, rest) = match url.split_once("://").ok_or_else(invalid)? {
        ("http", rest) => (Scheme::Http, rest),
        ("https", rest) => (Scheme::Https, rest),
        _ => return Err(invalid()),
    };
    let path = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path);
    Ok((scheme, authority, if path.is_empty() { "/" } else { path }))
}

fn method(method: Method) -> WasiMethod {
    match method {
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Delete => WasiMethod::Delete,
    }
}

fn options(timeouts: Timeouts) -> RequestOptions {
    let options = RequestOptions::new();
    // A host that cannot keep one of these says so with an error; the total time holds all the same.
    let _ = options.set_connect_timeout(Some(nanoseconds(timeouts.connect)));
    let _ = options.set_first_byte_timeout(Some(nanoseconds(timeouts.first_byte)));
    let _ = options.set_between_bytes_timeout(Some(nanoseconds(timeouts.first_byte)));
    options
}

fn write_body(body: OutgoingBody, mut rest: &[u8], deadline: &Deadline) -> Result<(), Error> {
    let stream = body.write().expect("the stream of a new body is there");
    while !rest.is_empty() {
        match write_some(&stream, rest, deadline)? {
            Some(written) => rest = &rest[written..],
            // The other side has heard enough: its response says why.
            None => break,
        }
    }
    let _ = stream.flush();
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    Ok(())
}

/// How much was written; none where the stream is closed.
fn write_some(stream: &OutputStream, rest: &[u8], deadline: &Deadline) -> Result<Option<usize>, Error> {
    match stream.check_write() {
        Ok(0) => {
            deadline.wait(&stream.subscribe()).map_err(|TimedOut| in_doubt("sending the request took too long"))?;
            Ok(Some(0))
        }
        Ok(room) => {
            let some = rest.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            Ok(stream.write(&rest[..some]).is_ok().then_some(some))
        }
        Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => Ok(None),
    }
}

fn first_byte(future: &FutureIncomingResponse, deadline: &Deadline, url: &str) -> Result<IncomingResponse, Error> {
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Ok(response),
            Some(Ok(Err(code))) => return Err(outcome(&code, url)),
            Some(Err(())) => return Err(in_doubt("the response was taken before")),
            None => deadline.wait(&future.subscribe()).map_err(|TimedOut| in_doubt("no response in time"))?,
        }
    }
}

fn headers(response: &IncomingResponse) -> Vec<(String, String)> {
    let entries = response.headers().entries();
    entries
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), String::from_utf8(value).ok()?)))
        .collect()
}

fn read_body(response: &IncomingResponse, request: &Request<'_>, deadline: &Deadline) -> Result<Vec<u8>, Error> {
    let body = response.consume().expect("the body of a new response is there");
    let stream = body.stream().expect("the stream of a new body is there");
    let read = read_stream(&stream, request.max_response, deadline);
    drop(stream);
    drop(IncomingBody::finish(body));
    read
}

fn read_stream(stream: &InputStream, limit: usize, deadline: &Deadline) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        match stream.read(READ_AT_ONCE) {
            Ok(some) if some.is_empty() => {
                deadline.wait(&stream.subscribe()).map_err(|TimedOut| in_doubt("the response did not end in time"))?
            }
            Ok(some) if bytes.len() + some.len() > limit => return Err(Error::TooLong { limit }),
            Ok(some) => bytes.extend_from_slice(&some),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Error::InDoubt(format!("reading the response: {}", error.to_debug_string())));
            }
        }
    }
}

struct Deadline {
    at: Instant,
    timer: Pollable,
}

struct TimedOut;

impl Deadline {
    fn after(total: Duration) -> Self {
        Self { at: Instant::now() + total, timer: monotonic_clock::subscribe_duration(nanoseconds(total)) }
    }

    fn wait(&self, event: &Pollable) -> Result<(), TimedOut> {
        poll(&[event, &self.timer]);
        if event.ready() || Instant::now() < self.at { Ok(()) } else { Err(TimedOut) }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn in_doubt(what: &str) -> Error {
    Error::InDoubt(what.to_owned())
}

fn outcome(code: &ErrorCode, url: &str) -> Error {
    match code {
        ErrorCode::HttpRequestDenied => Error::Denied(url.to_owned()),
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => {
            Error::Invalid(format!("{url}: {}", words(code)))
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => Error::NotSent(format!("{url}: {}", words(code))),
        _ => Error::InDoubt(format!("{url}: {}", words(code))),
    }
}

/// For a person; rare ones as the interface names them.
fn words(code: &ErrorCode) -> String {
    let words = match code {
        ErrorCode::DnsError(payload) => match &payload.rcode {
            Some(rcode) => return format!("no address found ({rcode})"),
            None => "no address found",
        },
        ErrorCode::DnsTimeout => "looking the address up took too long",
        ErrorCode::DestinationNotFound => "no address found",
        ErrorCode::DestinationUnavailable => "not reachable",
        ErrorCode::DestinationIpProhibited => "the host does not let the plugin reach this address",
        ErrorCode::ConnectionRefused => "connection refused",
        ErrorCode::ConnectionTimeout => "connecting took too long",
        ErrorCode::ConnectionTerminated => "the connection broke",
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => "no response in time",
        ErrorCode::ConnectionWriteTimeout => "sending the request took too long",
        ErrorCode::HttpResponseIncomplete => "the response broke off",
        ErrorCode::HttpProtocolError => "the answer is no HTTP",
        ErrorCode::TlsProtocolError => "TLS failed",
        ErrorCode::TlsCertificateError => "the certificate is not trusted",
        ErrorCode::InternalError(Some(text)) => text,
        other => return format!("{other:?}"),
    };
    words.to_owned()
}
