//! What a plugin says to configs, good and bad.

use serde_json::{Map, Value};

use super::report::{Amiss, Judged, broken};
use super::subject::Subject;
use crate::plugin::{CallError, PublishError};

/// A key that no plugin has.
const STRANGE: &str = "metricast_conformance_key";

pub(super) async fn accepted(subject: &Subject) -> Judged {
    match subject.plugin.check(subject.settings(), &subject.limits).await {
        Ok(()) => Ok(()),
        Err(CallError::Publish(PublishError::Misconfigured(why))) => {
            Err(Amiss::NotJudged(format!("check says of the config: {why}; --config names one that can be used")))
        }
        Err(CallError::Publish(error)) => {
            broken(format!("check does no I/O, and its only error is misconfigured; it says: {error}"))
        }
        Err(CallError::Fault(fault)) => Err(fault.into()),
    }
}

pub(super) async fn unknown_key(subject: &Subject) -> Judged {
    let mut settings: Map<String, Value> =
        serde_json::from_str(subject.settings()).map_err(|error| Amiss::NotJudged(error.to_string()))?;
    settings.insert(STRANGE.to_owned(), Value::Bool(true));
    let settings = Value::Object(settings).to_string();
    let checked = subject.plugin.check(&settings, &subject.limits).await;
    let own = subject.plugin.check(subject.settings(), &subject.limits).await;
    if let (Err(CallError::Publish(said)), Err(CallError::Publish(of_its_own))) = (&checked, &own)
        && said == of_its_own
    {
        return Err(Amiss::NotJudged(format!("check says of the config: {said}; --config names one that can be used")));
    }
    is_named("check", checked)?;
    is_named("open", subject.open_with(&settings).await)
}

fn is_named<T>(call: &str, answer: Result<T, CallError>) -> Judged {
    match answer {
        Ok(_) => broken(format!("{call} takes the key {STRANGE}, which no plugin has")),
        Err(CallError::Publish(PublishError::Misconfigured(why))) if names(&why) => Ok(()),
        Err(CallError::Publish(error)) => {
            broken(format!("{call} does not call it misconfigured with {STRANGE}: in front; it says: {error}"))
        }
        Err(CallError::Fault(fault)) => Err(fault.into()),
    }
}

/// Whether the text begins with the key's path and a colon, as a host needs it that shows the line.
fn names(why: &str) -> bool {
    why.split_once(':').is_some_and(|(key, _)| key == STRANGE)
}

pub(super) async fn not_a_config(subject: &Subject) -> Judged {
    for text in ["", "{", "[]", "null", "\"text\"", "{\"a\": 1} {}"] {
        is_refused("check", text, subject.plugin.check(text, &subject.limits).await)?;
        is_refused("open", text, subject.open_with(text).await)?;
    }
    Ok(())
}

fn is_refused<T>(call: &str, text: &str, answer: Result<T, CallError>) -> Judged {
    match answer {
        Err(CallError::Publish(PublishError::Misconfigured(_))) => Ok(()),
        Ok(_) => broken(format!("{call} takes {text:?}, which is no JSON object")),
        Err(CallError::Publish(error)) => {
            broken(format!("{call} does not call {text:?} misconfigured; it says: {error}"))
        }
        Err(CallError::Fault(fault)) => Err(fault.into()),
    }
}
