//! How large a body a node takes, as far as it has shown.
//!
//! Servers and proxies say 413 and not what their limit is. So the least size that was refused and the greatest that
//! was taken are remembered: what comes next is half of the former, or the latter where that is more. After
//! [`REMEMBERED`] it is tried anew, for limits are changed and nodes are replaced.

use std::time::{Duration, Instant};

const REMEMBERED: Duration = Duration::from_mins(10);
/// The least limit that is common, nginx's (<https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size>).
/// A body beyond it whose connection broke, or whose answer did not come, may have been refused.
const SUSPECT: usize = 1 << 20;

/// What one node has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limit {
    refused: Option<(usize, Instant)>,
    taken: usize,
}

impl Limit {
    /// How large the next body may be.
    pub(crate) fn most(&self, configured: usize, now: Instant) -> usize {
        match self.refused {
            Some((size, at)) if now < at + REMEMBERED => configured.min(self.taken.max(size / 2)),
            _ => configured,
        }
    }

    /// A body of this size was too large.
    pub(crate) fn refused(&mut self, size: usize, now: Instant) {
        let known = self.refused.filter(|(_, at)| now < *at + REMEMBERED);
        let least = known.map_or(size, |(known, _)| known.min(size));
        self.refused = Some((least, now));
        if self.taken >= least {
            self.taken = 0;
        }
    }

    /// Nobody knows what became of a body of this size.
    pub(crate) fn lost(&mut self, size: usize, now: Instant) {
        if size > SUSPECT {
            self.refused(size, now);
        }
    }

    /// A body of this size was taken.
    pub(crate) fn took(&mut self, size: usize) {
        self.taken = self.taken.max(size);
        if self.refused.is_some_and(|(refused, _)| refused <= size) {
            self.refused = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_halved_until_it_is_taken_and_forgotten_in_the_end() {
        let start = Instant::now();
        let mut limit = Limit::default();
        assert_eq!(limit.most(1000, start), 1000);
        limit.refused(900, start);
        assert_eq!(limit.most(1000, start), 450);
        limit.took(600);
        assert_eq!(limit.most(1000, start), 600, "what was taken is known to fit");
        limit.refused(550, start);
        assert_eq!(limit.most(1000, start), 275, "it fits no more");
        limit.refused(800, start);
        assert_eq!(limit.most(1000, start), 275, "a greater one that is refused says nothing new");
        assert_eq!(limit.most(100, start), 100);
        assert_eq!(limit.most(1000, start + REMEMBERED), 1000);
        limit.took(575);
        assert_eq!(limit.most(1000, start), 1000, "the limit was raised");
    }

    #[test]
    fn only_a_large_body_is_suspected_when_it_is_lost() {
        let now = Instant::now();
        let mut limit = Limit::default();
        limit.lost(SUSPECT, now);
        assert_eq!(limit.most(10 * SUSPECT, now), 10 * SUSPECT);
        limit.lost(8 * SUSPECT, now);
        assert_eq!(limit.most(10 * SUSPECT, now), 4 * SUSPECT);
    }
}
