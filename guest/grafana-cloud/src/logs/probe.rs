//! Whether the receiver of log lines takes pushes.
//!
//! Asked with a push that has no stream. Loki takes it (204), or says that it wants one (400, 422) once the token is let
//! in; nothing is stored either way.

use metricast_sdk::Verdict;
use metricast_sdk::http::Method;

use super::answer::{Answer, classify};
use super::push::CONTENT_TYPE;
use super::words;
use crate::client::Ask;
use crate::discovery::authorization;
use crate::place::Target;
use crate::probe::Probe;

/// Snappy's block format of no bytes.
const NOTHING: &[u8] = &[0];

/// Asks.
pub(crate) fn ask(probe: &mut Probe<'_>, target: &Target) {
    let authorization = authorization(probe.options, target);
    let (url, authorization) = (target.url.as_str(), authorization.as_ref());
    let headers = &[("content-type", CONTENT_TYPE)];
    let Some(response) = probe.receiver(&Ask { method: Method::Post, url, authorization, headers, body: NOTHING })
    else {
        return;
    };
    match classify(&response) {
        Answer::Taken | Answer::Refused { .. } => {
            let answer = if probe.options.api_key.is_some() { "taken" } else { "none, and none are asked for" };
            probe.say("credentials", Verdict::Good, answer, "");
            probe.say("protocol", Verdict::Good, "Loki's push", "");
        }
        Answer::Nowhere(reason) => {
            let told = words::nowhere(target, &reason).to_string();
            probe.say("protocol", Verdict::Bad, told, "write the receiver's whole path into logs.endpoint");
        }
        Answer::Limited(error) | Answer::Later(error) | Answer::InDoubt(error) => {
            probe.say("protocol", Verdict::Unknown, error.to_string(), "the receiver is away or busy: ask again later");
        }
        Answer::TooLarge(reason) | Answer::Unauthorized(reason) => {
            probe.say("protocol", Verdict::Bad, reason, "see what stands between here and the receiver");
        }
    }
}
