//! What tests draw from: the same each time, other draws and more of them where `METRICAST_TORTURE_SEED` and
//! `METRICAST_TORTURE_TIMES` say so.

use std::env;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The seeds of a test that has so many of them.
pub(crate) fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let first = number("METRICAST_TORTURE_SEED").unwrap_or(0);
    (0..count * number("METRICAST_TORTURE_TIMES").unwrap_or(1)).map(move |seed| first.wrapping_add(seed))
}

/// The draws of a test that has one course.
pub(crate) fn draws(of: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(number("METRICAST_TORTURE_SEED").unwrap_or(0).wrapping_add(of))
}
