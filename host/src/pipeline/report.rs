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
    /// Records of the queue that have no answer, those given up among them.
    pub undelivered: u64,
}

impl Report {
    pub(super) fn of(status: &Status, appended: u64) -> Self {
        let counts = status.counts();
        Self {
            name: status.name().to_owned(),
            counts,
            phase: status.phase(),
            rejections: status.rejections(),
            surrenders: status.surrenders(),
            undelivered: appended.saturating_sub(counts.accepted + counts.rejected),
        }
    }
}
