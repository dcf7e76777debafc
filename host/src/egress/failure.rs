//! What a request failed of, as wasi:http says it. The case tells a plugin whether its request may have arrived: all
//! failures to connect are cases of their own.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use super::resolve::{Prohibited, ResolveError};

/// A request that got no response.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client failed.
    Client(legacy::Error),
    /// One of the time limits or of the bounds.
    Limit(Error),
}

impl Failure {
    /// The address that a name led to and must not.
    pub(super) fn prohibited(&self) -> Option<Prohibited> {
        let Self::Client(error) = self else { return None };
        causes(error).find_map(|cause| match cause.downcast_ref() {
            Some(ResolveError::Prohibited { prohibited, .. }) => Some(*prohibited),
            _ => None,
        })
    }

    /// What the plugin is told.
    pub(super) fn into_answer(self) -> Error {
        match self {
            Self::Client(error) => of_client(&error),
            Self::Limit(error) => error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(error) => write!(f, "{error}"),
            Self::Client(error) => {
                let words: Vec<_> = causes(error).map(ToString::to_string).collect();
                f.write_str(&words.join(": "))
            }
        }
    }
}

/// What ended a response's body.
pub(super) fn of_body(error: &hyper::Error) -> Error {
    causes(error).filter_map(|cause| known(cause, false)).last().unwrap_or(Error::HttpResponseIncomplete)
}

fn of_client(error: &legacy::Error) -> Error {
    let connecting = error.is_connect();
    let otherwise = if connecting { Error::DestinationUnavailable } else { Error::ConnectionTerminated };
    // The innermost cause says the most.
    causes(error).filter_map(|cause| known(cause, connecting)).last().unwrap_or(otherwise)
}

/// An error and what is behind it. (An error of io does not show the one that it wraps as its source.)
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    })
}

fn known(cause: &(dyn StdError + 'static), connecting: bool) -> Option<Error> {
    if let Some(error) = cause.downcast_ref::<ResolveError>() {
        return Some(match error {
            ResolveError::Lookup { .. } => Error::DnsError { rcode: None, info_code: None },
            ResolveError::Prohibited { .. } => Error::DestinationIpProhibited,
        });
    }
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return of_io(error, connecting);
    }
    cause.downcast_ref::<hyper::Error>().and_then(of_hyper)
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: alert.as_str().map(str::to_owned),
        },
        _ => Error::TlsProtocolError,
    }
}

fn of_io(error: &io::Error, connecting: bool) -> Option<Error> {
    use io::ErrorKind;

    Some(match error.kind() {
        ErrorKind::TimedOut if connecting => Error::ConnectionTimeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable if connecting => Error::DestinationIpUnroutable,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::UnexpectedEof
            if connecting =>
        {
            Error::ConnectionRefused
        }
        _ if connecting => return None,
        _ => Error::ConnectionTerminated,
    })
}

fn of_hyper(error: &hyper::Error) -> Option<Error> {
    if error.is_timeout() {
        Some(Error::HttpResponseTimeout)
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Some(Error::ConnectionTerminated)
    } else if error.is_parse() || error.is_parse_status() {
        Some(Error::HttpProtocolError)
    } else {
        None
    }
}
