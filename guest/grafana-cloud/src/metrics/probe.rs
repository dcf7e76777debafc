//! Whether the receiver of metrics takes pushes, and in which protocol.
//!
//! Asked with no samples: Prometheus answers 204 to an empty write of 1.0, 2.0 with its three headers at 0, and 200 to an
//! empty OTLP request. A receiver that finds fault with an empty body has let the token in and knows the protocol.

use metricast_sdk::Verdict;
use metricast_sdk::http::Method;
use metricast_series::otlp::Resource;
use metricast_series::push::{Count, Labels};

use super::answer::{Answer, classify};
use super::dialect::{Dialect, headers};
use crate::client::Ask;
use crate::discovery::authorization;
use crate::place::Target;
use crate::probe::Probe;

/// Snappy's block format of no bytes; OTLP's empty request has none at all.
const NOTHING: &[u8] = &[0];

/// Asks.
pub(crate) fn ask(probe: &mut Probe<'_>, target: &Target) {
    let dialect = Dialect::new(probe.options.protocol);
    let (labels, resource) = (Labels::default(), Resource::default());
    let format = dialect.format(&labels, &resource);
    let headers = headers(&format);
    let authorization = authorization(probe.options, target);
    let body = if dialect == Dialect::Otlp { &[] } else { NOTHING };
    let (url, authorization) = (target.url.as_str(), authorization.as_ref());
    let Some(response) = probe.receiver(&Ask { method: Method::Post, url, authorization, headers: &headers, body })
    else {
        return;
    };
    let name = dialect.name();
    match classify(dialect, Count::default(), &response) {
        Answer::Taken { .. } => {
            credentials(probe);
            probe.say("protocol", Verdict::Good, name, "");
        }
        Answer::NotUnderstood(_) => {
            credentials(probe);
            probe.say("protocol", Verdict::Good, "remote write 1.0: the receiver does not know 2.0", "");
        }
        Answer::Refused { reason, .. } => {
            credentials(probe);
            let answer = format!("an empty push is refused: {reason}");
            probe.say("protocol", Verdict::Unknown, answer, "start it: real samples are answered for in the log");
        }
        Answer::Nowhere(reason) => {
            let told = super::words::nowhere(probe.options, target, &reason).to_string();
            probe.say("protocol", Verdict::Bad, told, "write the receiver's whole path into endpoint");
        }
        Answer::Later { error, .. } => {
            probe.say("protocol", Verdict::Unknown, error.to_string(), "the receiver is away or busy: ask again later");
        }
        Answer::TooLarge(reason) | Answer::Unauthorized(reason) => {
            probe.say("protocol", Verdict::Bad, reason, "see what stands between here and the receiver");
        }
    }
}

fn credentials(probe: &mut Probe<'_>) {
    let answer = if probe.options.api_key.is_some() { "taken" } else { "none, and none are asked for" };
    probe.say("credentials", Verdict::Good, answer, "");
}
