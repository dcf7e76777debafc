//! Several hosts of one cluster: they are asked in turn, and one that cannot be reached rests for a while.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::Scheme;

use crate::limit::Limit;

const LONGEST_REST: Duration = Duration::from_secs(30);

/// The hosts, and how each has been of late.
#[derive(Debug)]
pub(crate) struct Nodes {
    all: Vec<Node>,
    /// Whose turn it is.
    turn: usize,
}

#[derive(Debug)]
struct Node {
    url: String,
    failures: u32,
    rests_until: Option<Instant>,
    limit: Limit,
}

impl Nodes {
    /// Hosts that nothing is known of yet.
    pub(crate) fn new(urls: Vec<String>) -> Self {
        let node = |url| Node { url, failures: 0, rests_until: None, limit: Limit::default() };
        Self { all: urls.into_iter().map(node).collect(), turn: 0 }
    }

    /// The places of all hosts, in the order in which to try them: those that do not rest in turn, then the others,
    /// the soonest awake first.
    pub(crate) fn order(&self, now: Instant) -> Vec<usize> {
        let count = self.all.len();
        let mut order: Vec<usize> = (0..count).map(|step| (self.turn + step) % count).collect();
        order.sort_by_key(|&at| self.all[at].rests_until.filter(|until| *until > now));
        order
    }

    /// The order for a request that goes out now.
    pub(crate) fn take_turn(&mut self, now: Instant) -> Vec<usize> {
        let order = self.order(now);
        self.turn = order.first().map_or(0, |first| (first + 1) % self.all.len());
        order
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn url(&self, at: usize) -> &str {
        &self.all[at].url
    }

    /// How large a body may be: any host may get it, where others cannot be reached.
    pub(crate) fn most(&self, configured: usize, now: Instant) -> usize {
        self.all.iter().map(|node| node.limit.most(configured, now)).min().unwrap_or(configured)
    }

    /// The host's limit of a body's size.
    pub(crate) fn limit(&mut self, at: usize) -> &mut Limit {
        &mut self.all[at].limit
    }

    /// The host was reached.
    pub(crate) fn reached(&mut self, at: usize) {
        self.all[at].failures = 0;
        self.all[at].rests_until = None;
    }

    /// The host was not reached, or did not answer: after n times it rests 2^(n-1) seconds, 30 at most.
    pub(crate) fn failed(&mut self, at: usize, now: Instant) {
        let node = &mut self.all[at];
        let rest = Duration::from_secs(1 << node.failures.min(5)).min(LONGEST_REST);
        node.failures = node.failures.saturating_add(1);
        node.rests_until = Some(now + rest);
    }
}

/// The base of a host's URLs, without a slash at the end.
///
/// # Errors
/// What is wrong with the host as it is written, and what would be right.
pub(crate) fn base_url(written: &str) -> Result<String, String> {
    let host = written.trim();
    if !host.contains("://") {
        return Err(format!("needs a scheme, such as https://{host}"));
    }
    let uri: Uri = host.parse().map_err(|error| format!("{host:?} is no URL: {error}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(format!("{host:?} is no URL: write scheme, name and port, such as https://search:9200"));
    };
    if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
        return Err(format!("{scheme} is not spoken here: write http or https"));
    }
    if authority.as_str().contains('@') {
        // What stands before the @ may be a password: it is not repeated.
        return Err("has credentials in it: put them under basic, and leave the host as it is without them".to_owned());
    }
    if authority.host().is_empty() || (authority.as_str() != authority.host() && authority.port_u16().is_none()) {
        return Err(format!("{host:?} is no URL: the name or the port is none"));
    }
    if uri.query().is_some() || host.contains('#') {
        return Err(format!("{host:?} has more than a path after the port: leave that out"));
    }
    Ok(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')))
}

/// Whether a base URL is of this machine.
pub(crate) fn is_loopback(base: &str) -> bool {
    let uri: Option<Uri> = base.parse().ok();
    let Some(host) = uri.as_ref().and_then(Uri::host) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_from_the_network() {
        for base in ["http://localhost:9200", "http://127.0.0.1:9200", "http://127.8.0.1", "https://[::1]:9200/search"]
        {
            assert!(is_loopback(base), "{base}");
        }
        for base in ["http://localhost.example", "http://10.0.0.1:9200", "https://[2001:db8::7]", "https://search:9200"]
        {
            assert!(!is_loopback(base), "{base}");
        }
    }

    #[test]
    fn hosts_are_taken_with_ports_paths_and_slashes() {
        for (written, base) in [
            ("https://search:9200", "https://search:9200"),
            ("http://127.0.0.1:9200/", "http://127.0.0.1:9200"),
            ("https://proxy.example/search//", "https://proxy.example/search"),
            (" http://[::1]:9200 ", "http://[::1]:9200"),
            ("HTTPS://search", "https://search"),
        ] {
            assert_eq!(base_url(written).as_deref(), Ok(base), "{written}");
        }
    }

    #[test]
    fn what_is_no_host_says_what_would_be() {
        for (written, what) in [
            ("localhost:9200", "needs a scheme, such as https://localhost:9200"),
            ("", "needs a scheme, such as https://"),
            ("ftp://search:21", "ftp is not spoken here: write http or https"),
            (
                "http://elastic:secret@search:9200",
                "has credentials in it: put them under basic, and leave the host as it is without them",
            ),
            (
                "http://search:9200?pretty",
                "\"http://search:9200?pretty\" has more than a path after the port: leave that out",
            ),
            ("http://search:9200/#x", "\"http://search:9200/#x\" has more than a path after the port: leave that out"),
        ] {
            assert_eq!(base_url(written), Err(what.to_owned()), "{written}");
        }
        for written in
            ["http://", "http://:9200", "http://search:99999", "http://search:", "http://a b", "http:///path"]
        {
            assert!(base_url(written).unwrap_err().contains("is no URL"), "{written}");
        }
    }

    #[test]
    fn hosts_take_turns_and_one_that_rests_is_left_out() {
        let start = Instant::now();
        let mut nodes = Nodes::new(["a", "b", "c"].map(str::to_owned).to_vec());
        let firsts = |nodes: &mut Nodes| (0..4).map(|_| nodes.take_turn(start)[0]).collect::<Vec<_>>();
        assert_eq!(firsts(&mut nodes), [0, 1, 2, 0]);
        assert_eq!(nodes.order(start), [1, 2, 0]);
        nodes.failed(1, start);
        assert_eq!(firsts(&mut nodes), [2, 0, 2, 0]);
        nodes.limit(2).refused(500, start);
        nodes.limit(0).refused(800, start);
        assert_eq!((nodes.most(1000, start), nodes.most(100, start)), (250, 100), "any of them may get it");
    }

    #[test]
    fn a_host_that_fails_rests_ever_longer_and_comes_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut nodes = Nodes::new(["a", "b", "c"].map(str::to_owned).to_vec());
        assert_eq!(nodes.order(start), [0, 1, 2]);
        nodes.failed(0, start);
        assert_eq!(nodes.order(start), [1, 2, 0]);
        assert_eq!(nodes.order(at(1)), [0, 1, 2]);
        for rest in [2, 4, 8, 16, 30, 30] {
            nodes.failed(0, start);
            assert_eq!(nodes.order(at(rest - 1)), [1, 2, 0], "after {rest}");
            assert_eq!(nodes.order(at(rest)), [0, 1, 2], "after {rest}");
        }
        nodes.failed(2, start);
        nodes.failed(1, at(1));
        assert_eq!(nodes.order(start), [2, 1, 0], "all rest: the soonest awake comes first");
        nodes.reached(0);
        assert_eq!(nodes.order(start), [0, 2, 1]);
        nodes.failed(0, start);
        assert_eq!(nodes.order(at(1)), [0, 2, 1], "one success and the count begins anew");
    }
}
