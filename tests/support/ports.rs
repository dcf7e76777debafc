//! Free ports on loopback.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Below the ports that systems give to outgoing connections, so that none of those takes one between the choice of a
/// port and its use.
const RANGE: Range<u16> = 20_000..32_000;

/// The last port that was given; another process starts elsewhere.
static LAST: Mutex<Option<u16>> = Mutex::new(None);

/// A port that nothing listens on, given once in this process.
pub fn free() -> u16 {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut port = last.unwrap_or_else(|| fastrand::u16(RANGE));
    for _ in RANGE {
        port = if port + 1 < RANGE.end { port + 1 } else { RANGE.start };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            *last = Some(port);
            return port;
        }
    }
    panic!("no port is free between {} and {}", RANGE.start, RANGE.end);
}
