//! Which dead letters are meant.

use metricast_store::meta;
use serde::{Deserialize, Serialize};

/// Lets dead letters through that are all of this.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// This publisher's.
    pub publisher: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// With this text in their reason.
    pub reason: Option<String>,
    /// Filed at this time or later, seconds since the Unix epoch.
    pub since: Option<f64>,
    /// Filed before this time, seconds since the Unix epoch.
    pub until: Option<f64>,
}

/// Why something is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The plugin or its backend rejected the record
    Rejected,
    /// The plugin broke on the record
    Poison,
    /// The record was too old when its turn came
    Expired,
    /// The record was rejected after it had been taken
    Late,
    /// A source could not read the line as a record
    Refused,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Poison => "poison",
            Self::Expired => "expired",
            Self::Late => "late",
            Self::Refused => "refused",
        }
    }
}

impl From<meta::Kind> for Kind {
    fn from(kind: meta::Kind) -> Self {
        match kind {
            meta::Kind::Rejected => Self::Rejected,
            meta::Kind::Poison => Self::Poison,
            meta::Kind::Expired => Self::Expired,
            meta::Kind::Late => Self::Late,
            meta::Kind::Refused => Self::Refused,
        }
    }
}

impl From<Kind> for meta::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Rejected => Self::Rejected,
            Kind::Poison => Self::Poison,
            Kind::Expired => Self::Expired,
            Kind::Late => Self::Late,
            Kind::Refused => Self::Refused,
        }
    }
}

impl Filter {
    /// What the database can judge of it, from a number on and so many at most.
    pub(super) fn page(&self, from: u64, limit: usize, without_records: bool) -> meta::Filter {
        meta::Filter {
            publisher: self.publisher.clone(),
            kind: self.kind.map(meta::Kind::from),
            reason: self.reason.clone(),
            from,
            limit: Some(limit),
            without_records,
        }
    }

    /// The rest of it.
    pub(super) fn takes_time(&self, filed: f64) -> bool {
        self.since.is_none_or(|since| filed >= since) && self.until.is_none_or(|until| filed < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_called_alike_everywhere() {
        use clap::ValueEnum as _;
        for kind in Kind::value_variants() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(kind.to_possible_value().unwrap().get_name(), kind.name());
            assert_eq!(Kind::from(meta::Kind::from(*kind)), *kind);
        }
    }

    #[test]
    fn a_time_lies_from_since_up_to_until() {
        let filter = Filter { since: Some(10.0), until: Some(20.0), ..Filter::default() };
        assert_eq!([9.9, 10.0, 19.9, 20.0].map(|filed| filter.takes_time(filed)), [false, true, true, false]);
        assert!(Filter::default().takes_time(0.0));
    }
}
