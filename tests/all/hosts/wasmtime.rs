//! The wasmtime command line: a call of a plugin with `wasmtime run`, and services with `wasmtime serve`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::process::Process;
use support::search::Node;
use support::stub::{Answer, Stub};
use support::{Host, Server, metricast, ports, require};

use super::service::{self, Serving};
use super::{ELASTICSEARCH, GRAFANA_CLOUD, PROMETHEUS, said};

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
    for plugin in [PROMETHEUS, ELASTICSEARCH, GRAFANA_CLOUD, env!("WEBHOOK")] {
        let Some(text) = invoke(plugin, CALL) else { return };
        // A text of WAVE without control characters is one of JSON.
        let text: String = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), told, "{plugin}");
    }
}

#[test]
fn a_plugin_says_from_the_command_line_what_it_is() {
    for (plugin, name) in
        [(PROMETHEUS, "prometheus"), (ELASTICSEARCH, "elasticsearch"), (GRAFANA_CLOUD, "grafana-cloud")]
    {
        let Some(description) = invoke(plugin, "describe()") else { return };
        assert!(description.starts_with(&format!("{{name: \"{name}\", version: \"")), "{description}");
    }
}

/// Serves a service with these arguments before its file.
fn serve(compose: impl FnOnce(&Path) -> PathBuf, arguments: &[&str]) -> Option<Serving> {
    serve_until(compose, arguments, |body| serde_json::from_slice::<Value>(body).is_ok())
}

/// Serves a component, until the body of an answer is one that it gives.
pub(super) fn serve_until(
    compose: impl FnOnce(&Path) -> PathBuf,
    arguments: &[&str],
    is_ready: impl Fn(&[u8]) -> bool,
) -> Option<Serving> {
    let mut command = command("serve")?;
    let (folder, port) = (Process::folder("wasmtime"), ports::free());
    let component = compose(&folder);
    command.args(["-S", "cli", "--addr", &format!("127.0.0.1:{port}")]).args(arguments).arg(component);
    Some(Serving::start_until("wasmtime", &command, folder, port, is_ready))
}

#[test]
fn wasmtime_serve_brings_the_real_records_to_a_real_open_search() {
    let Some(node) = Node::shared() else { return };
    let compose = |folder: &Path| service::writes_to(folder, &node.url(), "wasmtime");
    let Some(serving) = serve(compose, &[]) else { return };
    serving.brings_the_real_records_to(&node, "wasmtime");
}

#[test]
fn a_service_without_a_config_in_it_takes_it_from_the_environment() {
    let Some(node) = Node::shared() else { return };
    let config = format!("METRICAST_CONFIG={}", service::settings(&node.url(), "environment"));
    let compose = |folder: &Path| service::compose(folder, "elasticsearch", &[]);
    let Some(serving) = serve(compose, &["--env", &config]) else { return };
    serving.post(service::LINE).expect_success("one record");
    assert_eq!(node.count("environment-event*"), 1);
}

#[test]
fn a_secret_of_the_config_in_a_service_comes_from_its_environment() {
    let away = Stub::start(|_| Answer::text(401, "no"));
    let url = away.url();
    let compose = move |folder: &Path| {
        let config = folder.join("search.toml");
        let settings =
            format!("hosts = [\"{url}\"]\nindex_prefix = \"p\"\napi_key = {{ secret = \"env:SEARCH_KEY\" }}\n");
        fs::write(&config, settings).unwrap();
        service::compose(folder, "elasticsearch", &["--config", config.to_str().unwrap()])
    };
    let Some(serving) = serve(compose.clone(), &["--env", "SEARCH_KEY=c2VjcmV0"]) else { return };
    let answer = serving.post(service::LINE);
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(!answer.text().contains("c2VjcmV0"), "{}", answer.text());
    assert_eq!(away.requests()[0].header("authorization"), "ApiKey c2VjcmV0");
    drop(serving);
    let Some(serving) = serve(compose, &[]) else { return };
    let answer = serving.post(service::LINE);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("api_key: the environment variable SEARCH_KEY is not set"), "{}", answer.text());
}

#[test]
fn a_service_without_any_config_says_where_it_looks() {
    let compose = |folder: &Path| service::compose(folder, "elasticsearch", &[]);
    let Some(serving) = serve(compose, &[]) else { return };
    for answer in [serving.get("/healthz"), serving.post(service::LINE)] {
        assert_eq!(answer.status, 500, "{}", answer.text());
        assert!(answer.text().contains("METRICAST_CONFIG"), "{}", answer.text());
    }
}

#[test]
fn a_backend_that_is_away_is_told_to_the_sender() {
    let address = format!("127.0.0.1:{}", ports::free());
    let compose = |folder: &Path| service::writes_to(folder, &format!("http://{address}"), "away");
    let Some(serving) = serve(compose, &[]) else { return };
    let answer = serving.post(service::LINE);
    assert_eq!(answer.status, 503, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["pending"], &told["accepted"]), (&1.into(), &0.into()), "{told}");
    assert!(told["detail"].as_str().unwrap().contains(&address), "{told}");
}

/// The rows that `examples/edge/measure.py` prints of these components, split into cells.
fn measured(components: &[&Path]) -> Option<Vec<Vec<String>>> {
    let program = require(Server::Host(Host::Wasmtime))?.join("bin/wasmtime");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/edge/measure.py");
    let printed = said(Command::new("python3").arg(script).arg(program).args(components));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    Some(printed.lines().skip(2).map(cells).collect())
}

#[test]
fn the_script_of_the_edge_example_measures_plugins_and_services() {
    let folder = tempfile::tempdir().unwrap();
    let service = service::writes_to(folder.path(), "http://127.0.0.1:9", "edge");
    let Some(rows) = measured(&[Path::new(env!("WEBHOOK")), &service]) else { return };
    let [plugin, service] = &rows[..] else { panic!("{rows:?}") };
    let number = |text: &String| text.replace(',', "").parse::<f64>().unwrap_or_else(|_| panic!("{text}: {rows:?}"));
    assert_eq!(plugin[5..], ["", "", "", ""], "a plugin alone answers no requests");
    let bytes = u32::try_from(fs::metadata(env!("WEBHOOK")).unwrap().len()).unwrap();
    assert!((number(&plugin[1]) * 1024.0 - f64::from(bytes)).abs() <= 512.0, "{bytes}: {rows:?}");
    assert!(number(&plugin[2]) < number(&plugin[1]), "{rows:?}");
    assert!(service[1..].iter().all(|cell| number(cell) > 0.0), "{rows:?}");
}
