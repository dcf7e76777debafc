//! The rules by name.

use std::fmt;

/// One thing that the contract asks of every plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It is a component that exports the contract.
    Component,
    /// It imports nothing beyond wasi:cli/imports and wasi:http.
    Imports,
    /// What it says of itself.
    Description,
    /// `format-metrics`.
    Dictionary,
    /// `check` takes a config that can be used.
    Config,
    /// A misspelt key is found.
    UnknownKey,
    /// Text that is no config.
    NotAConfig,
    /// `probe` and `snippets`.
    Advice,
    /// `open` and `profile`.
    Profile,
    /// A receipt's counts.
    ReceiptSum,
    /// A receipt's indexes.
    ReceiptIndex,
    /// A stateful plugin answers for whole batches.
    ReceiptWhole,
    /// One record without a place in a queue.
    SingleRecord,
    /// A batch of none.
    EmptyBatch,
    /// A batch of many.
    LargeBatch,
    /// Texts that were made to do harm.
    HostileText,
    /// Numbers at the ends of their ranges.
    ExtremeNumbers,
    /// What is saved, and up to where.
    Snapshot,
    /// A batch that comes again.
    Repeat,
    /// From a snapshot on.
    Restore,
    /// A state that is none of its own.
    ForeignState,
    /// The exposition.
    Scrape,
    /// `flush`.
    Flush,
    /// `close`.
    Close,
    /// Faults of any call.
    NoTrap,
    /// Time and memory of any call.
    Bounds,
}

impl Rule {
    /// In the order in which they are told.
    pub const ALL: [Self; 26] = [
        Self::Component,
        Self::Imports,
        Self::Description,
        Self::Dictionary,
        Self::Config,
        Self::UnknownKey,
        Self::NotAConfig,
        Self::Advice,
        Self::Profile,
        Self::ReceiptSum,
        Self::ReceiptIndex,
        Self::ReceiptWhole,
        Self::SingleRecord,
        Self::EmptyBatch,
        Self::LargeBatch,
        Self::HostileText,
        Self::ExtremeNumbers,
        Self::Snapshot,
        Self::Repeat,
        Self::Restore,
        Self::ForeignState,
        Self::Scrape,
        Self::Flush,
        Self::Close,
        Self::NoTrap,
        Self::Bounds,
    ];

    /// A short name, with hyphens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Imports => "imports",
            Self::Description => "description",
            Self::Dictionary => "dictionary",
            Self::Config => "config",
            Self::UnknownKey => "unknown-key",
            Self::NotAConfig => "not-a-config",
            Self::Advice => "advice",
            Self::Profile => "profile",
            Self::ReceiptSum => "receipt-sum",
            Self::ReceiptIndex => "receipt-index",
            Self::ReceiptWhole => "receipt-whole",
            Self::SingleRecord => "single-record",
            Self::EmptyBatch => "empty-batch",
            Self::LargeBatch => "large-batch",
            Self::HostileText => "hostile-text",
            Self::ExtremeNumbers => "extreme-numbers",
            Self::Snapshot => "snapshot",
            Self::Repeat => "repeat",
            Self::Restore => "restore",
            Self::ForeignState => "foreign-state",
            Self::Scrape => "scrape",
            Self::Flush => "flush",
            Self::Close => "close",
            Self::NoTrap => "no-trap",
            Self::Bounds => "bounds",
        }
    }

    /// What it asks, in one sentence.
    pub fn text(self) -> &'static str {
        match self {
            Self::Component => "it is a component that exports metricast:publisher/publisher",
            Self::Imports => "it imports nothing beyond wasi:cli/imports and wasi:http",
            Self::Description => "describe gives a plain name, a semantic version and a schema, the same each time",
            Self::Dictionary => "format-metrics gives the standard dictionary, which is valid input",
            Self::Config => "check takes a config that can be used",
            Self::UnknownKey => "check and open refuse a key that the schema does not have, as misconfigured, by name",
            Self::NotAConfig => "check refuses text that is no JSON object, as misconfigured",
            Self::Advice => "probe says how to mend what is not good, snippets have plain names and texts",
            Self::Profile => "open answers, and its profile is the same for the same config",
            Self::ReceiptSum => "accepted, rejected and retryable add up to the batch",
            Self::ReceiptIndex => "indexes are in range, none stands twice, what is in doubt is retryable",
            Self::ReceiptWhole => "a plugin that keeps state calls no record retryable",
            Self::SingleRecord => "a record without a place in a queue gets a receipt",
            Self::EmptyBatch => "a batch of no records gets a receipt of none",
            Self::LargeBatch => "a batch of 10,000 records gets a receipt",
            Self::HostileText => "quotes, control characters, long and foreign texts get a receipt",
            Self::ExtremeNumbers => "numbers at the ends of their ranges get a receipt",
            Self::Snapshot => "a snapshot is there exactly where there is state, up to the last record",
            Self::Repeat => "a batch that comes again counts once",
            Self::Restore => "opened from a snapshot, it shows the same values and saves the same",
            Self::ForeignState => "a state of another version, or a torn one, is state-incompatible",
            Self::Scrape => "there is an exposition exactly where the profile says so, with its content type",
            Self::Flush => "flush answers, and rejects only records that it was given",
            Self::Close => "close leaves nothing pending at a backend that is there; snapshot may follow",
            Self::NoTrap => "no call traps",
            Self::Bounds => "every call stays within the time and memory that a plugin has",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Rule;

    #[test]
    fn names_and_texts_are_unique() {
        assert_eq!(Rule::ALL.iter().map(|rule| rule.name()).collect::<BTreeSet<_>>().len(), Rule::ALL.len());
        assert_eq!(Rule::ALL.iter().map(|rule| rule.text()).collect::<BTreeSet<_>>().len(), Rule::ALL.len());
        assert!(Rule::ALL.is_sorted());
    }
}
