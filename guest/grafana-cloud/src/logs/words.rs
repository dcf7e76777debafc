//! What is told of pushes that go wrong for a reason that a person can mend.

use metricast_sdk::PublishError;

use crate::options::Signal;
use crate::place::{self, Target};

/// The credentials are refused.
pub(crate) fn unauthorized(target: &Target, reason: &str) -> PublishError {
    let Target { url, user } = target;
    let scope = place::scope(Signal::Logs);
    let told = match user {
        Some(user) => format!(
            "the token in api_key is refused for the user {user}. The user is Loki's own (logs.instance_id), neither that of the \
             metrics nor the number of the organisation; the token's access policy needs the scope {scope}, and the stack \
             in its realm: `metricast check --print access-policy` prints one"
        ),
        None => {
            "the token is refused, or one is missing: write api_key, and logs.instance_id where the receiver wants a \
                 user"
                .to_owned()
        }
    };
    PublishError::Unauthorized(format!("POST {url}: {reason}: {told}"))
}

/// Nothing takes pushes there.
pub(crate) fn nowhere(target: &Target, reason: &str) -> PublishError {
    let keys = place::keys(Signal::Logs);
    PublishError::unavailable(format!(
        "POST {}: {reason}: nothing takes Loki's pushes there. The path is /loki/api/v1/push; {keys} say where to push",
        target.url
    ))
}

/// Loki takes no line of this stream, whatever is in it.
pub(crate) fn of_all(labels: &str, reason: &str) -> PublishError {
    let hint = if reason.contains("feature is disallowed") {
        "set allow_structured_metadata in Loki's limits_config: it needs schema v13, and is on from Loki 3.0"
    } else {
        "the labels are made of service, namespace and environment: write others"
    };
    PublishError::unavailable(format!("Loki takes no line of the stream {labels}: {reason}: {hint}"))
}
