//! A panic's text, on its way to the host's log before the trap.

use std::sync::Once;

use crate::log;

/// Makes panics log one line with text and place. The trap that follows tells the host the rest.
pub(crate) fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.payload_as_str().unwrap_or("a panic without text");
            match info.location() {
                Some(place) => log::error(format_args!("panicked at {place}: {text}")),
                None => log::error(format_args!("panicked: {text}")),
            }
        }));
    });
}
