//! How far each publisher is, for whoever looks at the queue from outside.

use super::Queue;

/// A publisher's place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The publisher; empty where its reader has no name.
    pub publisher: String,
    /// The offset from which on the queue keeps records for it.
    pub needs: u64,
    /// Records that it was not given, since it held a full queue back.
    pub dropped: u64,
    /// No config names it any more; its place is kept for a while.
    pub is_absent: bool,
}

impl Queue {
    /// The places of all that the queue keeps records for.
    pub fn standings(&self) -> Vec<Standing> {
        let is_durable = self.is_durable();
        let state = self.0.lock();
        let present = state.places.iter().flatten().map(|place| Standing {
            publisher: place.name.clone(),
            needs: if is_durable { place.synced.min(place.cursor) } else { place.cursor },
            dropped: place.dropped,
            is_absent: false,
        });
        let absent = state.absent.iter().map(|(publisher, &needs)| Standing {
            publisher: publisher.clone(),
            needs,
            dropped: 0,
            is_absent: true,
        });
        present.chain(absent).collect()
    }
}
