//! Which protocol a receiver is spoken to in.
//!
//! Remote write 2.0 is tried first. A receiver that does not know it says 415, or takes the body for a broken one (400),
//! or says 204 and stores nothing; in each case the same values are sent in 1.0, for as long as the publisher is open.
//! After a 400 that is a trial: where 1.0 is refused as well, the version was not what was wrong.

use metricast_series::otlp::Resource;
use metricast_series::push::{Format, Labels};

use crate::options::Protocol;

/// Which protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OTLP.
    Otlp,
    /// Remote write 2.0.
    Second {
        /// Whether the receiver was seen to know it.
        confirmed: bool,
    },
    /// Remote write 1.0.
    First {
        /// Whether it is only tried, because the receiver refused 2.0 with a status that has other reasons too.
        on_trial: bool,
    },
}

impl Dialect {
    /// What a protocol begins with.
    pub(crate) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::RemoteWrite => Self::Second { confirmed: false },
            Protocol::Otlp => Self::Otlp,
        }
    }

    pub(crate) fn is_second(self) -> bool {
        matches!(self, Self::Second { .. })
    }

    /// After a body that was taken.
    pub(crate) fn taken(self) -> Self {
        match self {
            Self::Otlp => Self::Otlp,
            Self::Second { .. } => Self::Second { confirmed: true },
            Self::First { .. } => Self::First { on_trial: false },
        }
    }

    /// After a body that was refused for good, where that may come of the version: what to try instead.
    pub(crate) fn refused(self, knows_second: bool) -> Option<Self> {
        (self == Self::Second { confirmed: false } && !knows_second).then_some(Self::First { on_trial: true })
    }

    /// After a push of which the last body is answered for.
    pub(crate) fn pushed(self) -> Self {
        if self == (Self::First { on_trial: true }) { Self::Second { confirmed: false } } else { self }
    }

    /// How bodies are written.
    pub(crate) fn format<'a>(self, labels: &'a Labels, resource: &'a Resource) -> Format<'a> {
        match self {
            Self::Otlp => Format::Otlp(resource),
            Self::Second { .. } => Format::RemoteWrite2(labels),
            Self::First { .. } => Format::RemoteWrite1(labels),
        }
    }

    /// For a person.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Otlp => "OTLP",
            Self::Second { .. } => "remote write 2.0",
            Self::First { .. } => "remote write 1.0",
        }
    }
}

/// What a push in this format says of itself.
pub(crate) fn headers(format: &Format<'_>) -> Vec<(&'static str, &'static str)> {
    let optional = [
        ("content-encoding", format.content_encoding()),
        ("x-prometheus-remote-write-version", format.remote_write_version()),
    ];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    std::iter::once(("content-type", format.content_type())).chain(optional).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: Dialect = Dialect::Second { confirmed: false };
    const TRIAL: Dialect = Dialect::First { on_trial: true };

    #[test]
    fn a_trial_ends_with_what_was_taken() {
        assert_eq!(UNKNOWN.refused(false), Some(TRIAL));
        assert_eq!(TRIAL.taken(), Dialect::First { on_trial: false });
        assert_eq!(TRIAL.taken().pushed(), Dialect::First { on_trial: false });
        assert_eq!(TRIAL.pushed(), UNKNOWN, "1.0 was refused as well");
    }

    #[test]
    fn a_receiver_that_knows_the_second_version_is_not_asked_for_the_first() {
        assert_eq!(UNKNOWN.refused(true), None);
        assert_eq!(UNKNOWN.taken().refused(false), None);
        assert_eq!(Dialect::Otlp.refused(false), None);
        assert_eq!(TRIAL.refused(false), None);
    }
}
