//! How long a call of the host may take, all its requests together.

use std::time::{Duration, Instant};

use crate::http::Timeouts;

/// The host's own limit is 30 s by default, and past it the instance is lost.
pub(crate) const CALL: Duration = Duration::from_secs(25);
/// How long a connection may take, while there may be another to try.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// When the call under way must have its answer.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// The whole time of a call, 25 s, from now on.
    #[expect(clippy::new_without_default, reason = "it depends on the clock")]
    pub fn new() -> Self {
        Self(Instant::now() + CALL)
    }

    /// What is left of it.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Those of a request that may take all that is left.
    pub fn timeouts(self) -> Timeouts {
        let total = self.left();
        Timeouts { connect: CONNECT.min(total), first_byte: total, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_what_is_left_of_the_call() {
        let timeouts = Deadline::new().timeouts();
        assert_eq!(timeouts.connect, CONNECT);
        assert!(timeouts.total <= CALL && timeouts.first_byte == timeouts.total);
        let over = Deadline(Instant::now()).timeouts();
        assert_eq!((over.connect, over.total), (Duration::ZERO, Duration::ZERO));
    }
}
