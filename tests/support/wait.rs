//! Waiting for a condition instead of for a time.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(50);

/// Asks `probe` again and again until it has an answer.
///
/// # Panics
/// Where it has none within `patience`: names `what` was waited for.
pub fn until<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {patience:?}");
        thread::sleep(PAUSE);
    }
}

/// Whether something listens at `address`, such as `127.0.0.1:4319`.
pub fn listens(address: &str) -> bool {
    TcpStream::connect(address).is_ok()
}
