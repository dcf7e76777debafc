//! What is told of pushes that go wrong.

use std::collections::VecDeque;

use metricast_sdk::{PublishError, log};

use crate::options::{Options, Protocol};
use crate::place::{self, Target};

/// How many letters of a reason tell it from others: what follows names series and times, which differ each time.
const TELLING: usize = 60;
/// What Mimir names its reasons by, in their words: `err-mimir-…`.
const NAME: &str = "err-mimir-";
/// How many reasons are remembered as told.
const MOST: usize = 32;

/// The log's side of troubles that come back with each push: each is told once, until a push is taken whole.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// What was told of, the oldest first.
    told: VecDeque<String>,
    /// Whether one was of the push under way.
    is_of_this_push: bool,
}

impl Trouble {
    /// Of a body that something is wrong with: why, and the words for it.
    pub(crate) fn tell(&mut self, reason: &str, words: &str) {
        self.is_of_this_push = true;
        if self.is_new(kind(reason)) {
            log::error(words);
        } else {
            log::debug(words);
        }
    }

    /// Of a push whose last body is answered for.
    pub(crate) fn pushed(&mut self) {
        if !std::mem::take(&mut self.is_of_this_push) && !self.told.is_empty() {
            self.told.clear();
            log::info("the receiver takes pushes whole again");
        }
    }

    fn is_new(&mut self, kind: String) -> bool {
        if self.told.contains(&kind) {
            return false;
        }
        if self.told.len() == MOST {
            self.told.pop_front();
        }
        self.told.push_back(kind);
        true
    }
}

/// What tells a reason from others: the receiver's name for it, where there is one, or its first letters.
fn kind(reason: &str) -> String {
    let named = reason.find(NAME).map(|at| &reason[at..]);
    match named {
        Some(name) => name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect(),
        None => reason.chars().filter(|c| c.is_alphabetic()).take(TELLING).collect(),
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
    fn each_reason_is_new_once_until_a_push_is_taken_whole() {
        let mut trouble = Trouble::default();
        let is_new = |trouble: &mut Trouble, reason: &str| {
            trouble.is_of_this_push = true;
            trouble.is_new(kind(reason))
        };
        for push in [true, false, false] {
            // Two bodies of a push are refused for two reasons, at other times with each push.
            assert_eq!(is_new(&mut trouble, "400 out of order sample at 17"), push);
            assert_eq!(is_new(&mut trouble, "400 label value too long at 18"), push);
            trouble.pushed();
        }
        trouble.pushed();
        assert!(trouble.told.is_empty());
        assert!(is_new(&mut trouble, "400 out of order sample at 19"));
    }

    #[test]
    fn a_reason_with_a_name_goes_by_it() {
        let of = |zone: &str, name: &str| {
            format!(
                "400 failed pushing to the ingester ingester-zone-{zone} of a very long name: the sample is bad ({name}). It"
            )
        };
        let out_of_order = kind(&of("a", "err-mimir-sample-out-of-order"));
        assert_eq!(out_of_order, "err-mimir-sample-out-of-order");
        assert_eq!(out_of_order, kind(&of("b", "err-mimir-sample-out-of-order")));
        assert_ne!(out_of_order, kind(&of("a", "err-mimir-sample-duplicate-timestamp")));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut trouble = Trouble::default();
        let letters = |n: usize| char::from_u32(0x4e00 + n as u32).expect("it is a letter").to_string();
        (0..100).for_each(|n| trouble.tell(&letters(n), ""));
        assert_eq!((trouble.told.len(), trouble.told[0].clone()), (MOST, letters(100 - MOST)));
    }
}
