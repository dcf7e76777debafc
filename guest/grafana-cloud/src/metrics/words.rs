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
    /// Whether it was of the push under way.
    is_of_this_push: bool,
}

impl Trouble {
    /// Of a body that something is wrong with.
    pub(crate) fn tell(&mut self, reason: String) {
        self.is_of_this_push = true;
        let of: String = reason.chars().filter(|c| c.is_alphabetic()).take(TELLING).collect();
        if self.of.as_ref() == Some(&of) {
            log::debug(reason);
        } else {
            log::error(reason);
            self.of = Some(of);
        }
    }

    /// Of a push whose last body is answered for.
    pub(crate) fn pushed(&mut self) {
        if !std::mem::take(&mut self.is_of_this_push) && self.of.take().is_some() {
            log::info("the receiver takes pushes whole again");
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
            "the token in api_key is refused for the user {user} (instance_id). The user is the instance id of this \
             receiver, not the number of the organisation; the token's access policy needs the scope metrics:write, and \
             the stack in its realm: `metricast check --print access-policy` prints one"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_until_a_push_is_taken_whole() {
        let mut trouble = Trouble::default();
        trouble.tell("400 out of order sample at 17".to_owned());
        let told = trouble.of.clone();
        trouble.pushed();
        trouble.tell("400 out of order sample at 18".to_owned());
        assert!(told.is_some() && trouble.of == told, "the same again");
        trouble.pushed();
        assert_eq!(trouble.of, told, "a push with trouble ends none");
        trouble.pushed();
        assert_eq!(trouble.of, None);
    }
}
