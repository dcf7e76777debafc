//! The wasmtime command line: a call of a plugin with `wasmtime run`, and services with `wasmtime serve`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Host, Server, metricast, require};

use super::{ELASTICSEARCH, PROMETHEUS, said};

/// A record as a call in WAVE, the component model's text for values, has it.
const CALL: &str = "format-metrics(event({event-name: \"Pay\", task-id: \"t-1\", start-time: 1795368571.25, \
    end-time: some(1795368571.75), status: \"failed\", error: some(\"card \\\"7\\\" refused\"), retry-count: 2, \
    process-id: none, attributes: [{key: \"shop\", value: \"Zürich\"}]}))";

/// The same record as a program writes it.
const LINE: &str = r#"{"event_name": "Pay", "task_id": "t-1", "start_time": 1795368571.25, "end_time": 1795368571.75,
    "status": "failed", "error": "card \"7\" refused", "retry_count": 2, "process_id": null, "shop": "Zürich"}"#;

/// The program with a subcommand; `None` where the test is skipped.
fn command(subcommand: &str) -> Option<Command> {
    let mut command = Command::new(require(Server::Host(Host::Wasmtime))?.join("bin/wasmtime"));
    command.arg(subcommand);
    Some(command)
}

/// What a call of a plugin gives: text, in WAVE.
fn invoke(plugin: &str, call: &str) -> Option<String> {
    Some(said(command("run")?.args(["-S", "http", "--invoke", call, plugin])))
}

#[test]
fn a_call_from_the_command_line_formats_a_record_as_metricast_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.ndjson");
    fs::write(&file, LINE.replace('\n', "")).unwrap();
    let told: Value = serde_json::from_str(&said(&mut metricast::command([Path::new("format"), &file]))).unwrap();
    assert_eq!((&told["duration"], &told["attributes"]["shop"]), (&0.5.into(), &"Zürich".into()), "{told}");
    for plugin in [PROMETHEUS, ELASTICSEARCH, env!("WEBHOOK")] {
        let Some(text) = invoke(plugin, CALL) else { return };
        // A text of WAVE without control characters is one of JSON.
        let text: String = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), told, "{plugin}");
    }
}

#[test]
fn a_plugin_says_from_the_command_line_what_it_is() {
    for (plugin, name) in [(PROMETHEUS, "prometheus"), (ELASTICSEARCH, "elasticsearch")] {
        let Some(description) = invoke(plugin, "describe()") else { return };
        assert!(description.starts_with(&format!("{{name: \"{name}\", version: \"")), "{description}");
    }
}
