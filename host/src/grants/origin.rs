//! Scheme, host and port, in one form: what an address grants, and what a request is held against.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Of the two that requests can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Http,
    Https,
}

/// Where a request goes: `https://search.example:9200`. The host is in its normal form (lower case, punycode, numbers
/// written in any way as the address that they are), and the port is always known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
}

/// A text that names no origin. The text itself is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No URL with a host, or neither http nor https.
    #[error("is no address of the form https://host or https://host:port")]
    Form,
    /// A user or a password before the host.
    #[error("has a user or password in it; credentials have settings of their own, where they can be a secret")]
    Credentials,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::Form)?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(OriginError::Form),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::Credentials);
        }
        let host = url.host().ok_or(OriginError::Form)?.to_owned();
        let port = url.port_or_known_default().ok_or(OriginError::Form)?;
        Ok(Self { scheme, host, port })
    }
}

impl Origin {
    pub(crate) fn scheme(&self) -> &'static str {
        match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    /// The host's name, where requests go to it over https at the usual port.
    pub(super) fn https_domain(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) if self.scheme == Scheme::Https && self.port == 443 => Some(name),
            _ => None,
        }
    }

    /// Host and, where it is not the scheme's own, port.
    pub(crate) fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => self.host.to_string(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_one_form() {
        for (text, normal) in [
            ("https://Search.Example", "https://search.example"),
            ("https://search.example:443/path?query#part", "https://search.example"),
            ("http://search.example:80", "http://search.example"),
            ("http://search.example:443", "http://search.example:443"),
            ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
            ("http://2130706433", "http://127.0.0.1"),
            ("http://0x7f.1", "http://127.0.0.1"),
            ("http://0177.0.0.1:81", "http://127.0.0.1:81"),
            ("http://[::1]:9200", "http://[::1]:9200"),
            ("http://[0:0:0:0:0:FFFF:a9fe:a9fe]", "http://[::ffff:a9fe:a9fe]"),
            ("https://b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("https://%65xample", "https://example"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), normal, "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["", "localhost:9200", "search.example", "ftp://a", "file:///etc/passwd", "http://", "http:// a", "//a"]
        {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::Form), "{text}");
        }
        for text in ["http://user@a", "http://:p@a", "https://good.example@evil.example"] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::Credentials), "{text}");
        }
    }
}
