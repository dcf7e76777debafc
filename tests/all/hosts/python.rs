//! `examples/python-host`: a Python program with a plugin in it, by wasmtime for Python.

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Host, Server, data, metricast, require};

use super::{PROMETHEUS, said};
use crate::truth::{FILE, truth};

/// The example with these arguments; `None` where the test is skipped.
fn program(arguments: [&str; 3]) -> Option<Command> {
    let package = require(Server::Host(Host::WasmtimePy))?;
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python-host/metricast_plugin.py");
    let mut python = Command::new("python3");
    python.arg(example).args(arguments).env("PYTHONPATH", package).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

/// The real records in the standard form, which a program's own records have.
fn standard_records(folder: &Path) -> String {
    let file = folder.join("standard.ndjson");
    fs::write(&file, said(&mut metricast::command(["format", data(FILE).to_str().unwrap()]))).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_python_program_publishes_the_real_records_and_reads_their_exposition() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut program) = program([PROMETHEUS, &standard_records(folder.path()), "{}"]) else { return };
    let exposition = said(&mut program);
    let has = |line: String| assert!(exposition.contains(&format!("{line}\n")), "{line} is not in\n{exposition}");
    let truth = truth();
    for ((name, status), count) in &truth.statuses {
        has(format!("event_records_total{{event_name=\"{name}\",status=\"{status}\"}} {count}"));
    }
    for ((name, status), (count, _)) in &truth.durations {
        has(format!("event_duration_seconds_count{{event_name=\"{name}\",status=\"{status}\"}} {count}"));
    }
    for (operation, (sent, received)) in &truth.bytes {
        has(format!("network_bytes_total{{operation=\"{operation}\",direction=\"sent\"}} {sent}"));
        has(format!("network_bytes_total{{operation=\"{operation}\",direction=\"received\"}} {received}"));
    }
    assert!(truth.statuses.len() > 5 && truth.bytes.len() > 2, "the records say something");
}

#[test]
fn a_wrong_config_is_an_exception_with_the_plugins_words() {
    let Some(mut program) = program([PROMETHEUS, "/dev/null", r#"{"prot": 9464}"#]) else { return };
    let output = program.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("PublishError: misconfigured: prot: unknown key; did you mean `port`?"), "{said}");
}
