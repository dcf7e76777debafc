//! `examples/spin`: what a Spin that is not here would be given, held against what Spin 3 provides, and the same
//! components run by a host that is here.

use std::fs;
use std::path::{Path, PathBuf};

use support::search::Node;
use toml::{Table, Value};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};
use wit_component::DecodedWasm;
use wit_parser::{TypeDefKind, TypeId, WorldItem};

use super::{ELASTICSEARCH, GRAFANA_CLOUD, PROMETHEUS, service, wasmtime};

const APP: &str = env!("SPIN_APP");
const HANDLER: &str = "wasi:http/incoming-handler@0.2.0";
const PLUGIN: &str = "metricast:publisher/publisher@0.1.0";

/// What Spin 3 gives to any component besides interfaces of its own: the world `wasi:cli/imports` and HTTP, of WASI 0.2.
/// A patch version is no matter to it.
const PROVIDED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/spin")
}

/// A manifest, and its one component.
fn manifest(name: &str) -> (Table, Table) {
    let text = fs::read_to_string(examples().join(name).join("spin.toml")).unwrap();
    let manifest: Table = text.parse().unwrap();
    assert_eq!(manifest["spin_manifest_version"], Value::Integer(2));
    let [trigger] = manifest["trigger"]["http"].as_array().unwrap().as_slice() else { panic!("one trigger: {text}") };
    assert_eq!(trigger["route"].as_str(), Some("/..."));
    let component = manifest["component"][trigger["component"].as_str().unwrap()].as_table().unwrap().clone();
    (manifest, component)
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table[key].as_str().unwrap_or_else(|| panic!("{key} is text"))
}

/// What a component asks of its host, and what it exports. An import of nothing but types asks for nothing.
fn surface(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).unwrap() else {
        panic!("a package of WIT is no component")
    };
    let world = &resolve.worlds[world];
    let asks = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => {
            let interface = &resolve.interfaces[*id];
            let is_resource = |id: &TypeId| matches!(resolve.types[*id].kind, TypeDefKind::Resource);
            !interface.functions.is_empty() || interface.types.values().any(is_resource)
        }
        WorldItem::Function(_) | WorldItem::Type { .. } => true,
    };
    let imports = world.imports.iter().filter(|(_, item)| asks(item));
    let imports = imports.map(|(key, _)| resolve.name_world_key(key)).collect();
    (imports, world.exports.keys().map(|key| resolve.name_world_key(key)).collect())
}

/// The imports that Spin does not provide.
fn foreign(imports: &[String]) -> Vec<&str> {
    let is_provided = |import: &str| {
        let (interface, version) = import.split_once('@').unwrap_or((import, ""));
        version.starts_with("0.2.") && PROVIDED.contains(&interface)
    };
    imports.iter().map(String::as_str).filter(|import| !is_provided(import)).collect()
}

/// The config in the manifest, and that the plugin may reach what the config names.
fn config(component: &Table) -> serde_json::Value {
    let environment = component["environment"].as_table().unwrap();
    let config: serde_json::Value = serde_json::from_str(text(environment, "METRICAST_CONFIG")).unwrap();
    let allowed: Vec<_> =
        component["allowed_outbound_hosts"].as_array().unwrap().iter().map(|host| host.as_str().unwrap()).collect();
    for host in config["hosts"].as_array().unwrap() {
        assert!(allowed.contains(&host.as_str().unwrap()), "{host} is not in {allowed:?}");
    }
    config
}

/// What Spin makes of a component and its dependency when it loads them.
fn plugged(app: &str, plugin: &str) -> Vec<u8> {
    let mut graph = CompositionGraph::new();
    let mut package = |name: &str, file: &str| {
        let package = Package::from_file(name, None, file, graph.types_mut()).unwrap();
        graph.register_package(package).unwrap()
    };
    let (plugin, app) = (package("test:plugin", plugin), package("test:app", app));
    plug(&mut graph, vec![plugin], app).unwrap();
    graph.encode(EncodeOptions::default()).unwrap()
}

#[test]
fn a_plugin_imports_nothing_that_spin_lacks() {
    for plugin in [PROMETHEUS, ELASTICSEARCH, GRAFANA_CLOUD] {
        let (imports, exports) = surface(&fs::read(plugin).unwrap());
        assert_eq!((foreign(&imports), exports), (Vec::new(), vec![PLUGIN.to_owned()]));
    }
}

#[test]
fn the_service_is_built_as_its_manifest_says_and_is_a_handler_for_spin() {
    let (_, component) = manifest("service");
    let command = text(component["build"].as_table().unwrap(), "command");
    let source = text(&component, "source");
    assert_eq!(command, format!("metricast compose --serve elasticsearch -o {source}"));
    let folder = tempfile::tempdir().unwrap();
    let file = service::compose(folder.path(), "elasticsearch", &[]);
    assert_eq!(file, folder.path().join(source));
    let (imports, exports) = surface(&fs::read(file).unwrap());
    assert_eq!((foreign(&imports), exports), (Vec::new(), vec![HANDLER.to_owned()]));
    config(&component);
}

#[test]
fn the_application_with_its_plugin_is_a_handler_for_spin() {
    let (_, component) = manifest("app");
    let build = component["build"].as_table().unwrap();
    assert_eq!(build["workdir"].as_str(), Some("../../.."), "from where both commands work");
    assert!(
        text(build, "command").starts_with("cargo build --release --target wasm32-wasip2 --package metricast-spin-app")
    );
    assert!(text(build, "command").ends_with(" && cargo xtask guests"));
    let name = |path: &str| Path::new(path).file_name().unwrap().to_owned();
    assert_eq!(text(&component, "source"), "../../../target/wasm32-wasip2/release/metricast_spin_app.wasm");
    assert_eq!(name(text(&component, "source")), name(APP));
    let (imports, exports) = surface(&fs::read(APP).unwrap());
    assert_eq!((foreign(&imports), exports), (vec![PLUGIN], vec![HANDLER.to_owned()]));
    let dependencies = component["dependencies"].as_table().unwrap();
    assert_eq!(dependencies.keys().collect::<Vec<_>>(), [PLUGIN]);
    let path = text(dependencies[PLUGIN].as_table().unwrap(), "path");
    let target = Path::new("target/guests/wasm32-wasip2/guest").join(name(ELASTICSEARCH));
    assert_eq!(Path::new(path), Path::new("../../..").join(target));
    assert_eq!(component["dependencies_inherit_configuration"], Value::Boolean(true));
    let (imports, exports) = surface(&plugged(APP, ELASTICSEARCH));
    assert_eq!((foreign(&imports), exports), (Vec::new(), vec![HANDLER.to_owned()]));
}

#[test]
fn the_application_with_its_plugin_writes_its_requests_to_a_real_open_search() {
    let Some(node) = Node::shared() else { return };
    let (_, component) = manifest("app");
    let mut config = config(&component);
    config["hosts"][0] = node.url().into();
    let compose = |folder: &Path| {
        let file = folder.join("app.wasm");
        fs::write(&file, plugged(APP, ELASTICSEARCH)).unwrap();
        file
    };
    let variable = format!("METRICAST_CONFIG={config}");
    let is_ready = |body: &[u8]| body.starts_with(b"Hello");
    let Some(serving) = wasmtime::serve_until(compose, &["--env", &variable], is_ready) else { return };
    let prefix = config["index_prefix"].as_str().unwrap();
    let before = node.count(&format!("{prefix}-event*"));
    assert_eq!(serving.get("/shop").text(), "Hello from /shop\n");
    assert_eq!(node.count(&format!("{prefix}-event*")), before + 1, "{}", serving.log());
}

#[test]
fn the_application_answers_at_a_path_of_any_length() {
    let compose = |folder: &Path| {
        let file = folder.join("app.wasm");
        fs::write(&file, plugged(APP, PROMETHEUS)).unwrap();
        file
    };
    let Some(serving) = wasmtime::serve_until(compose, &[], |body| body.starts_with(b"Hello")) else { return };
    let path = format!("/{}", "x".repeat(6_000));
    assert_eq!(serving.get(&path).text(), format!("Hello from {path}\n"), "{}", serving.log());
}

#[test]
fn what_is_not_run_is_said_so() {
    let page = fs::read_to_string(examples().join("README.md")).unwrap();
    assert!(page.contains("not been run on Spin"));
    for name in ["app", "service"] {
        assert!(page.contains(&format!("]({name}/spin.toml)")), "{name}");
    }
}
