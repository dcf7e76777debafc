//! What became of a publisher's records.

use crate::delivery::{Counts, Phase, Reasons, Status};

/// A publisher at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The publisher's name.
    pub name: String,
    /// What it has done.
    pub counts: Counts,
    /// What it is doing.
    pub phase: Phase,
    /// Why records were rejected.
    pub rejections: Reasons,
    /// Why records were given up.
    pub surrenders: Reasons,
    /// Records of the queue that have no answer, those given up among them, and those that the plugin still holds.
    pub undelivered: u64,
}

impl Report {
    pub(crate) fn of(status: &Status, appended: u64) -> Self {
        let counts = status.counts();
        Self {
            name: status.name().to_owned(),
            counts,
            phase: status.phase(),
            rejections: status.rejections(),
            surrenders: status.surrenders(),
            undelivered: undelivered(counts, appended),
        }
    }

    /// Whether something did not arrive, or may not have: what a plugin sends last is lost with an end that went wrong.
    pub fn fell_short(&self) -> bool {
        self.undelivered > 0 || self.was_cut_short()
    }

    /// Whether it had delivered records and came to no good end.
    pub fn was_cut_short(&self) -> bool {
        self.phase != Phase::Done && self.counts.answered() > 0
    }
}

fn undelivered(counts: Counts, appended: u64) -> u64 {
    let at_the_backend = counts.accepted.saturating_sub(counts.pending);
    appended.saturating_sub(at_the_backend.saturating_add(counts.rejected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plugin_still_holds_is_not_delivered() {
        let counts = |pending| Counts { accepted: 7, rejected: 1, pending, ..Counts::default() };
        assert_eq!(undelivered(counts(0), 10), 2);
        assert_eq!(undelivered(counts(3), 10), 5);
        assert_eq!(undelivered(counts(u64::MAX), 10), 9);
        assert_eq!(undelivered(Counts { accepted: u64::MAX, rejected: u64::MAX, ..counts(0) }, 10), 0);
    }

    #[test]
    fn an_end_that_went_wrong_falls_short_where_there_were_records() {
        let report = |phase: Phase, accepted: u64| Report {
            name: "p".into(),
            counts: Counts { accepted, ..Counts::default() },
            phase,
            rejections: Reasons::default(),
            surrenders: Reasons::default(),
            undelivered: 0,
        };
        assert!(!report(Phase::Done, 5).fell_short());
        assert!(report(Phase::Halted { reason: "the last of it could not be sent".into() }, 5).fell_short());
        assert!(report(Phase::Running, 5).fell_short());
        assert!(!report(Phase::Waiting { reason: "the backend is away".into() }, 0).fell_short());
    }
}
