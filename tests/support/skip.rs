//! Tests that cannot run where they are: skipped loudly on a person's machine, failed in CI.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;

use xtask::servers::SKIPS;

use crate::Server;

/// The folder of a server that the test needs. `None`: the server is not there, the skip is on record, and the test
/// should return.
///
/// # Panics
/// Where the server is not there and CI must have it.
pub fn require(server: Server) -> Option<PathBuf> {
    let lack = match server.find() {
        None => format!("{0} was not fetched: `cargo xtask servers {0}`", server.name()),
        Some(folder) => match server.needs_jdk().then(|| server.jdk()) {
            Some(Err(error)) => format!("{}: {error}", server.name()),
            _ => return Some(folder),
        },
    };
    let ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!ci || server.is_optional(), "CI must not skip this: {lack}");
    skipped(&lack);
    None
}

/// Puts on record that the test lacks something of the machine, which is no server, and returns for it.
///
/// # Panics
/// Where the record cannot be written.
pub fn skipped(lack: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {test}: {lack}");
    let Some(path) = env::var_os(SKIPS) else { return };
    let mut file = OpenOptions::new().append(true).open(path).expect("the record of skipped tests can be opened");
    file.write_all(format!("{test}\t{lack}\n").as_bytes()).expect("the record of skipped tests can be written");
}
