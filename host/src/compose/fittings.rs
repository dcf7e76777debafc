//! The components that plugins are put into; they are part of this program and no plugins by name.

use crate::plugin::Bundled;

include!(concat!(env!("OUT_DIR"), "/fittings.rs"));

/// The bytes of one of them, which the build put in.
pub(super) fn fitting(name: &str) -> &'static [u8] {
    let found = FITTINGS.iter().find(|fitting| fitting.name == name);
    found.map(|fitting| fitting.bytes).expect("the build lists each that is asked for")
}
