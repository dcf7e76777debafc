//! How an error of a plugin is taken, decided in one place: [`remedy`] says what is done about it, [`Halt`] what nothing
//! can be done about.

use std::time::Duration;

use crate::plugin::{CallError, Fault, PublishError};

/// What is done about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The backend is away: wait, and do the same again.
    Wait {
        /// The backend's own wish.
        wish: Option<Duration>,
    },
    /// Nobody knows what came of it, as with an instance that ran out of time: as [`Wait`](Self::Wait), and what is sent
    /// again may be at the backend already. It says nothing against the records.
    Doubt,
    /// Another call had ended the instance: as [`Doubt`](Self::Doubt), though most likely nothing was sent.
    Lost,
    /// A person has to put something right: wait long.
    Person,
    /// The backend will never take these records.
    Reject {
        /// Its words.
        reason: String,
    },
    /// The plugin fails at its work: try again so often as `patience` says, then look for the record that does it.
    Suspect {
        /// Tries of one batch.
        patience: u32,
    },
}

/// Tries of one batch that traps or breaks a limit: its code does so by itself, and mostly does so again.
const TRAPS: u32 = 2;
/// Tries of one batch that the plugin calls its own fault: a backend that answers strangely looks like that as well.
const STUMBLES: u32 = 8;

/// What is done about an error of a publisher that is open or was.
pub(super) fn remedy(error: &CallError) -> Remedy {
    match error {
        CallError::Publish(PublishError::Unavailable { retry_after, .. }) => Remedy::Wait { wish: *retry_after },
        CallError::Publish(PublishError::Unauthorized(_) | PublishError::Misconfigured(_)) => Remedy::Person,
        CallError::Publish(PublishError::Rejected(reason)) => Remedy::Reject { reason: reason.clone() },
        CallError::Publish(PublishError::Internal(_) | PublishError::StateIncompatible(_)) => {
            Remedy::Suspect { patience: STUMBLES }
        }
        CallError::Fault(Fault::Timeout { .. }) => Remedy::Doubt,
        CallError::Fault(Fault::Gone) => Remedy::Lost,
        CallError::Fault(Fault::Trap { .. } | Fault::Limit(_) | Fault::Untrusted { .. }) => {
            Remedy::Suspect { patience: TRAPS }
        }
    }
}

/// Whether an error is the plugin's doing: neither the backend's nor a person's, and not a matter of time.
pub(super) fn is_plugins_own(error: &CallError) -> bool {
    matches!(remedy(error), Remedy::Suspect { .. })
}

/// Why a delivery does not go on until somebody acts. Its records stay in the queue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// The plugin cannot be opened with this config: it says so, or breaks over it.
    #[error("{0}")]
    Unopenable(CallError),
    /// Its snapshot is not of what it was given.
    #[error("the plugin's snapshot holds the records below {claimed}, and it took those below {taken}")]
    WrongSnapshot {
        /// What the snapshot says.
        claimed: u64,
        /// What the receipts say.
        taken: u64,
    },
    /// It keeps state and gives none.
    #[error("the plugin keeps state and gives no snapshot of it")]
    NoSnapshot,
    /// Its snapshot failed each time.
    #[error("the plugin's state cannot be saved, {tries} tries failed: {last}")]
    Unsaved {
        /// Tries in a row.
        tries: u32,
        /// What the last one died of.
        last: CallError,
    },
    /// A new instance could not be brought to where the last one was.
    #[error("the plugin's state cannot be restored, {tries} tries failed, {at}: {last}")]
    Unrestored {
        /// Tries in a row.
        tries: u32,
        /// Where the last one failed.
        at: RestoreStep,
        /// What the last one died of.
        last: CallError,
    },
    /// What the plugin still held could not be sent at the end.
    #[error("the last of it could not be sent, {tries} tries failed: {last}")]
    Unclosed {
        /// Tries in a row.
        tries: u32,
        /// What the last one died of.
        last: CallError,
    },
    /// The delivery itself failed.
    #[error("metricast's own fault, please report it: {0}")]
    Panic(String),
}

/// A step of restoring a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreStep {
    /// Opening from the snapshot.
    #[error("opening from the snapshot")]
    Opening,
    /// The records since the snapshot, which an earlier instance had taken.
    #[error("repeating the records {first} to {last}, which it had taken")]
    Repeating {
        /// The lowest offset of the batch.
        first: u64,
        /// The highest.
        last: u64,
    },
}

impl Halt {
    /// Whether the first try to open shows that no later one can do better.
    pub(super) fn of_first_open(error: &CallError) -> Option<Self> {
        let hopeless = match error {
            CallError::Publish(error) => {
                matches!(error, PublishError::Misconfigured(_) | PublishError::StateIncompatible(_))
            }
            CallError::Fault(fault) => !matches!(fault, Fault::Timeout { .. }),
        };
        hopeless.then(|| Self::Unopenable(error.clone()))
    }

    /// Of a panic's payload.
    pub(super) fn of_panic(payload: &(dyn std::any::Any + Send)) -> Self {
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| payload.downcast_ref::<&str>().copied());
        Self::Panic(words.unwrap_or("a panic without words").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_plugin_does_by_itself_is_held_against_records() {
        let timeout = Fault::Timeout { after: Duration::from_secs(30) };
        let unavailable = PublishError::Unavailable { reason: "refused".into(), retry_after: None };
        for innocent in [timeout.into(), Fault::Gone.into(), unavailable.into()] {
            assert!(!is_plugins_own(&innocent), "{innocent}");
        }
        for person in [PublishError::Misconfigured("m".into()), PublishError::Unauthorized("u".into())] {
            assert_eq!(remedy(&person.into()), Remedy::Person);
        }
        let trap = Fault::Trap { message: "unreachable".into(), backtrace: String::new() };
        assert_eq!(remedy(&trap.into()), Remedy::Suspect { patience: TRAPS });
        assert_eq!(remedy(&PublishError::Internal("i".into()).into()), Remedy::Suspect { patience: STUMBLES });
    }
}
