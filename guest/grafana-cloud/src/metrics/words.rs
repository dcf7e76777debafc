//! What is told of pushes that go wrong.

use metricast_sdk::{PublishError, log};

use crate::options::{Options, Protocol};
use crate::place::{self, Target};

/// How much of a reason tells it from others: what follows names series and times, which differ each time.
const TELLING: usize = 60;

/// The log's side of a trouble that comes back with each push: told once, and when it is over.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// What was told.
    of: Option<String>,
}

impl Trouble {
    /// After a body: what was wrong with it, if anything.
    pub(crate) fn tell(&mut self, reason: Option<String>) {
        let Some(reason) = reason else {
            if self.of.take().is_some() {
                log::info("the receiver takes pushes whole again");
            }
            return;
        };
        let of: String = reason.chars().filter(|c| c.is_alphabetic()).take(TELLING).collect();
        if self.of.as_ref() == Some(&of) {
            log::debug(reason);
        } else {
            log::error(reason);
            self.of = Some(of);
        }
    }
}

/// What the receiver will never take.
pub(crate) fn refused(target: &Target, reason: &str) -> String {
    format!("{} does not take all samples, and they are not sent again: {reason}", target.url)
}

/// The credentials are refused.
pub(crate) fn unauthorized(target: &Target, reason: &str) -> PublishError {
    let Target { url, user } = target;
    let told = match user {
        Some(user) => format!(
            "the token is refused for the user {user}. The user is the instance id of this receiver, not the number of the \
             organisation; the token's access policy needs the scope metrics:write, and the stack in its realm"
        ),
        None => {
            "the token is refused, or one is missing: write api_key, and instance_id where the receiver wants a user"
                .to_owned()
        }
    };
    PublishError::Unauthorized(format!("POST {url}: {reason}: {told}"))
}

/// Nothing takes pushes there.
pub(crate) fn nowhere(options: &Options, target: &Target, reason: &str) -> PublishError {
    let paths = match options.protocol {
        Protocol::RemoteWrite => {
            "/api/prom/push at Grafana Cloud, /api/v1/push at Mimir, /api/v1/write at Prometheus (started with \
             --web.enable-remote-write-receiver)"
        }
        Protocol::Otlp => {
            "/otlp/v1/metrics at Grafana Cloud and Mimir, /api/v1/otlp/v1/metrics at Prometheus (started with \
             --web.enable-otlp-receiver)"
        }
    };
    let keys = place::keys(options.signal);
    let told = format!("nothing takes pushes there. The path is {paths}; {keys} say where to push");
    PublishError::unavailable(format!("POST {}: {reason}: {told}", target.url))
}
