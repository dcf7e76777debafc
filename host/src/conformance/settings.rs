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
    is_named("check", subject.plugin.check(&settings, &subject.limits).await)?;
    is_named("open", subject.open_with(&settings).await)
}

fn is_named<T>(call: &str, answer: Result<T, CallError>) -> Judged {
    match answer {
        Ok(_) => broken(format!("{call} takes the key {STRANGE}, which no plugin has")),
        Err(CallError::Publish(PublishError::Misconfigured(why))) if why.contains(STRANGE) => Ok(()),
        Err(CallError::Publish(error)) => {
            broken(format!("{call} does not name the key {STRANGE} as misconfigured; it says: {error}"))
        }
        Err(CallError::Fault(fault)) => Err(fault.into()),
    }
}

pub(super) async fn not_a_config(subject: &Subject) -> Judged {
    for text in ["", "{", "[]", "null", "\"text\"", "{\"a\": 1} {}"] {
        match subject.plugin.check(text, &subject.limits).await {
            Err(CallError::Publish(PublishError::Misconfigured(_))) => {}
            Ok(()) => return broken(format!("check takes {text:?}, which is no JSON object")),
            Err(CallError::Publish(error)) => {
                return broken(format!("check does not call {text:?} misconfigured; it says: {error}"));
            }
            Err(CallError::Fault(fault)) => return Err(fault.into()),
        }
    }
    Ok(())
}
