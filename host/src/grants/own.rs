//! What a plugin that is part of this program reaches beyond what the user wrote: a service whose addresses the plugin
//! finds out by itself. No other plugin brings a grant along.

use super::Origin;

/// Every host below a domain, over https at its usual port, at public addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain(&'static str);

impl Domain {
    pub(super) fn covers(self, origin: &Origin) -> bool {
        let below = origin.https_domain().and_then(|host| host.strip_suffix(self.0)?.strip_suffix('.'));
        below.is_some_and(|below| !below.is_empty())
    }

    /// `https://*.example.net`.
    pub(super) fn pattern(self) -> String {
        format!("https://*.{}", self.0)
    }
}

/// The own grants of a bundled plugin.
pub(super) struct Own {
    pub(super) origins: &'static [&'static str],
    pub(super) domains: &'static [Domain],
}

/// Those of the bundled plugin of this name.
pub(super) fn of(bundled: &str) -> Own {
    match bundled {
        // The API that says where a stack's endpoints are, and the endpoints.
        "grafana-cloud" => Own { origins: &["https://grafana.com"], domains: &[Domain("grafana.net")] },
        _ => Own { origins: &[], domains: &[] },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_the_hosts_below_it_and_no_look_alikes() {
        let covers = |text: &str| Domain("grafana.net").covers(&text.parse().unwrap());
        for good in [
            "https://prometheus-prod-24-prod-eu-west-2.grafana.net/api/prom/push",
            "https://OTLP-gateway.Grafana.NET/otlp",
            "https://a.b.grafana.net:443",
        ] {
            assert!(covers(good), "{good}");
        }
        for bad in [
            "https://grafana.net",
            "https://evilgrafana.net",
            "https://x.grafana.net.evil.example",
            "https://x.grafana.net.",
            "https://.grafana.net",
            "http://x.grafana.net",
            "https://x.grafana.net:8443",
            "https://grafana.net.",
            "https://127.0.0.1",
            "https://[::1]",
        ] {
            assert!(!covers(bad), "{bad}");
        }
    }
}
