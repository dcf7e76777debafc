//! Which threads are this crate's own: what happens there is nobody else's work, and is not measured as such.

use std::cell::Cell;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// To be called on each thread that this crate starts for tasks.
pub(crate) fn mark() {
    OURS.set(true);
}

/// Whether this is one of them.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}
