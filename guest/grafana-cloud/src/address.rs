//! Addresses, and which of them may be sent the token.
//!
//! The token goes to `https://grafana.com`, to https on hosts under `grafana.net`, and to what the user wrote. What an
//! answer names is believed where it is of the first two, or on the very host that the user wrote as `api`.

use std::fmt;

use http::Uri;

/// An absolute `http` or `https` address without credentials, query or slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    text: String,
    is_https: bool,
    /// Lower case.
    host: String,
    port: Option<u16>,
    has_path: bool,
}

impl Address {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong, to stand behind the key.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let is_https = match text.split_once("://") {
            Some(("https", _)) => true,
            Some(("http", _)) => false,
            Some((scheme, _)) => return Err(format!("{scheme} is not spoken here: write https or http")),
            None => return Err(format!("needs a scheme, such as https://{}", text.trim_start_matches('/'))),
        };
        let uri: Uri = text.parse().map_err(|error| format!("is no address: {error}"))?;
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("has credentials in it: they go into api_key and instance_id".to_owned());
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("has more in it than scheme, host, port and path: leave that out".to_owned());
        }
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let has_port = authority.as_str().len() > host.len();
        if host.is_empty() || (has_port && authority.port_u16().is_none()) {
            return Err("has no host, or no port from 1 to 65535 after its colon".to_owned());
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            text: format!("{}://{authority}{path}", if is_https { "https" } else { "http" }),
            is_https,
            host,
            port: authority.port_u16(),
            has_path: !path.is_empty(),
        })
    }

    /// As it is asked.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether anything follows the host and port.
    pub(crate) fn has_path(&self) -> bool {
        self.has_path
    }

    /// With more of a path, which begins with a slash.
    pub(crate) fn join(&self, path: &str) -> Self {
        Self { text: format!("{}{path}", self.text), has_path: true, ..self.clone() }
    }

    /// Whether it is one of Grafana Labs' own, and nobody on the way can read along.
    pub(crate) fn is_of_grafana(&self) -> bool {
        self.is_https && self.port.is_none_or(|port| port == 443) && self.is_named_as_grafana()
    }

    /// Whether its name is one of Grafana Labs' own.
    pub(crate) fn is_named_as_grafana(&self) -> bool {
        self.host == "grafana.com" || self.is_receiver_of_grafana()
    }

    /// Whether it is a receiver of Grafana Cloud, by its name.
    pub(crate) fn is_receiver_of_grafana(&self) -> bool {
        self.host.ends_with(".grafana.net")
    }

    /// Whether nobody but this machine can read along: it is https, or never leaves.
    pub(crate) fn is_private(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        self.is_https || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether the token may go here because the API at `api` named it. `api_is_written`: the user wrote that address.
    pub(crate) fn may_have_the_token(&self, api: &Self, api_is_written: bool) -> bool {
        self.is_of_grafana() || (api_is_written && self.host == api.host && (self.is_https || !api.is_https))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_whole_and_without_credentials() {
        assert_eq!(address("https://grafana.com/api/").as_str(), "https://grafana.com/api");
        assert_eq!(address("http://127.0.0.1:9009").join("/x").as_str(), "http://127.0.0.1:9009/x");
        for (text, expected) in [
            ("grafana.com/api", "needs a scheme, such as https://grafana.com/api"),
            ("ftp://grafana.com", "ftp is not spoken here: write https or http"),
            ("HTTPS://grafana.com", "HTTPS is not spoken here: write https or http"),
            ("https://user:word@grafana.com", "has credentials in it"),
            ("https://grafana.com@evil.com/", "has credentials in it"),
            ("https://grafana.com/api?x", "has more in it"),
            ("https://grafana.com/api#x", "has more in it"),
            ("https://", "is no address"),
            ("https://:443/", "h"),
            ("https://grafana.com:/", "has no host, or no port"),
            ("https://grafana.com:99999/", "or no port from 1 to 65535"),
            ("https://grafana.com\\@evil.com/", "is no address"),
            ("https://grafana.com\n/", "is no address"),
            ("https:///api", "is no address"),
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn only_grafana_labs_own_hosts_get_the_token_by_themselves() {
        for own in [
            "https://grafana.com/api",
            "https://prometheus-prod-01-eu-west-0.grafana.net/api/prom",
            "https://LOGS-prod-012.Grafana.NET",
            "https://logs-prod-012.grafana.net:443",
        ] {
            assert!(address(own).is_of_grafana(), "{own}");
        }
        for other in [
            "http://grafana.com/api",
            "http://prometheus.grafana.net",
            "https://grafana.net.evil.com",
            "https://evilgrafana.net",
            "https://evil-grafana.com",
            "https://grafana.com.evil.com",
            "https://a.grafana.com",
            "https://grafana.net",
            "https://a.grafana.net.",
            "https://grafana.com.",
            "https://a.grafana.net:8443",
            "https://127.0.0.1/grafana.net",
        ] {
            assert!(!address(other).is_of_grafana(), "{other}");
        }
    }

    #[test]
    fn what_an_api_names_is_on_its_own_host_or_one_of_grafana_labs() {
        let own = address("http://127.0.0.1:8080/api");
        assert!(address("http://127.0.0.1:9009/push").may_have_the_token(&own, true));
        assert!(address("https://a.grafana.net").may_have_the_token(&own, true));
        assert!(!address("http://127.0.0.1:9009/push").may_have_the_token(&own, false));
        assert!(!address("http://127.0.0.2:9009/push").may_have_the_token(&own, true));
        let secure = address("https://cloud.example/api");
        assert!(address("https://cloud.example:9009").may_have_the_token(&secure, true));
        assert!(!address("http://cloud.example").may_have_the_token(&secure, true), "not in the clear");
        assert!(!address("https://evil.cloud.example").may_have_the_token(&secure, true));
    }

    #[test]
    fn what_stays_on_this_machine_needs_no_tls() {
        for private in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://a.example"] {
            assert!(address(private).is_private(), "{private}");
        }
        assert!(!address("http://a.example").is_private());
    }
}
