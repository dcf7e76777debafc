//! Whether a request may leave, and the form in which it does.

use std::fmt;

use http::header::{CONTENT_LENGTH, HOST};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri};
use wasmtime_wasi_http::{Error, Result, WasiBody};

use super::body::RequestBody;
use super::resolve::Prohibited;
use crate::grants::{Grants, Origin, OriginError, Reach};

/// Why a request does not leave.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody granted the origin.
    NotGranted(Origin),
    /// The address is none that a request can have.
    Address { origin: Origin, prohibited: Prohibited },
    /// The URL is not of the form of an origin.
    Form(OriginError),
    /// CONNECT makes a tunnel, in which nothing is checked.
    Tunnel,
}

impl Refusal {
    /// What the plugin is told.
    pub(super) fn answer(&self) -> Error {
        match self {
            Self::NotGranted(_) | Self::Form(_) => Error::HttpRequestDenied,
            Self::Address { .. } => Error::DestinationIpProhibited,
            Self::Tunnel => Error::HttpRequestMethodInvalid,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted(origin) => {
                write!(f, "{origin} is not granted; to allow it, add to this publisher: allow = [\"{origin}\"]")
            }
            Self::Address { origin, prohibited } => write!(
                f,
                "{origin} leads to {prohibited}, which is reached only where the config has that address itself"
            ),
            Self::Form(error) => write!(f, "its URL {error}"),
            Self::Tunnel => f.write_str("no plugin may use the method CONNECT"),
        }
    }
}

/// Where a request wants to go.
pub(super) fn origin<B>(request: &Request<B>) -> Result<Origin, Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Refusal::Tunnel);
    }
    let uri = request.uri();
    let parts = uri.scheme_str().zip(uri.authority());
    let (scheme, authority) = parts.ok_or(Refusal::Form(OriginError::Form))?;
    format!("{scheme}://{authority}").parse().map_err(Refusal::Form)
}

/// The origin and where it may lead, where it is granted.
pub(super) fn granted(grants: &Grants, origin: Origin) -> Result<(Origin, Reach), Refusal> {
    match grants.reach(&origin) {
        Some(reach) => Ok((origin, reach)),
        None => Err(Refusal::NotGranted(origin)),
    }
}

/// The request with the checked origin as its target, and without the headers that the client derives: from the target
/// (`Host`) and from the body (`Content-Length`, whose value wasi:http holds the body against).
pub(super) fn normal_form(request: Request<WasiBody>, origin: &Origin) -> Result<Request<RequestBody>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    parts.uri = Uri::builder()
        .scheme(origin.scheme())
        .authority(origin.authority())
        .path_and_query(path)
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)?;
    parts.headers.remove(HOST);
    let length = parts.headers.remove(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    Ok(Request::from_parts(parts, RequestBody::new(body, length)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body::Body;
    use http_body_util::{BodyExt, Empty};

    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::builder().uri(uri).body(()).unwrap()
    }

    fn grants(origins: &[&str]) -> Grants {
        let grant = |grants: Grants, origin: &&str| grants.with_origin(origin.parse().unwrap(), "test");
        origins.iter().fold(Grants::default(), grant)
    }

    #[test]
    fn only_granted_origins_pass_however_they_are_written() {
        let grants = grants(&["https://search.example:9200", "http://127.0.0.1:81"]);
        let judge = |uri: &str| origin(&request(uri)).and_then(|origin| granted(&grants, origin));
        for uri in [
            "https://search.example:9200/x",
            "https://SEARCH.example:9200/",
            "http://127.0.0.1:81/",
            "http://0x7f.1:81/",
        ] {
            assert!(judge(uri).is_ok(), "{uri}");
        }
        for uri in [
            "https://search.example/x",
            "http://search.example:9200/x",
            "https://search.example.evil.example:9200/",
            "https://evil.example:9200/",
            "http://127.0.0.1/",
            "http://[::ffff:127.0.0.1]:81/",
            "http://localhost:81/",
        ] {
            assert!(matches!(judge(uri), Err(Refusal::NotGranted(_))), "{uri}");
        }
        for uri in ["https://user@search.example:9200/", "https://user:pass@search.example:9200/"] {
            assert!(matches!(judge(uri), Err(Refusal::Form(OriginError::Credentials))), "{uri}");
        }
        assert!(matches!(judge("/no/host"), Err(Refusal::Form(OriginError::Form))));
    }

    #[test]
    fn a_tunnel_is_refused_even_to_a_granted_origin() {
        let tunnel = Request::connect("https://search.example:9200").body(()).unwrap();
        assert!(matches!(origin(&tunnel), Err(Refusal::Tunnel)));
    }

    #[test]
    fn a_refusal_says_what_to_add() {
        let refusal = Refusal::NotGranted("https://API.example/v1".parse().unwrap());
        assert_eq!(
            refusal.to_string(),
            "https://api.example is not granted; to allow it, add to this publisher: allow = [\"https://api.example\"]"
        );
        assert!(matches!(refusal.answer(), Error::HttpRequestDenied));
    }

    #[test]
    fn the_request_leaves_in_the_hosts_own_form() {
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::post("http://0x7f.1:9200/_bulk?refresh")
            .header("host", "evil.example")
            .header("content-length", "12")
            .header("x-kept", "1")
            .body(body)
            .unwrap();
        let origin = origin(&request).unwrap();
        let request = normal_form(request, &origin).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:9200/_bulk?refresh");
        assert_eq!(request.headers().keys().collect::<Vec<_>>(), ["x-kept"]);
        assert_eq!(request.body().size_hint().exact(), Some(12));
    }
}
