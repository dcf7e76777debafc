//! The plugin in Python: made from `examples/plugin-python` as its README says, held against the contract, and put to
//! work.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use support::stub::{Answer, Stub};
use support::{Server, data, metricast, require};
use tempfile::TempDir;

use crate::truth::{FILE, RECORDS};

/// The component, made once for all tests; `None` where the tool is missing, and the skip is on record.
fn component() -> Option<&'static Path> {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let tool = require(Server::ComponentizePy)?;
    let (_, file) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("webhook.wasm");
        make(&tool, folder.path(), &file);
        (folder, file)
    });
    Some(file)
}

/// Runs the README's command on a copy: Python leaves compiled files beside what it reads.
fn make(tool: &Path, folder: &Path, file: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for source in fs::read_dir(root.join("examples/plugin-python")).unwrap() {
        let source = source.unwrap().path();
        if source.extension().is_some_and(|end| end == "py") {
            fs::copy(&source, folder.join(source.file_name().unwrap())).unwrap();
        }
    }
    let mut python = Command::new("python3");
    python.args(["-c", "import componentize_py; componentize_py.script()"]).env("PYTHONPATH", tool);
    python.arg("-d").arg(root.join("wit")).args(["-w", "plugin", "componentize", "webhook", "-o"]).arg(file);
    let output = python.current_dir(folder).env_remove("VIRTUAL_ENV").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Compiled for this machine once, and taken from the cache by every test.
    assert!(metricast::output([OsStr::new("inspect"), file.as_os_str()]).status.success());
}

#[test]
fn it_keeps_the_contract() {
    let Some(component) = component() else { return };
    let stub = Stub::start(|_| Answer::empty(204));
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hook.json");
    fs::write(&config, format!(r#"{{"url": "{}/in"}}"#, stub.url())).unwrap();
    let (component, config) = (component.to_str().unwrap(), config.to_str().unwrap());
    let output = metricast::output(["conformance", component, "--config", config]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("0 broken, 0 not judged"), "{told}");
}

#[test]
fn it_posts_every_record_as_the_plugin_in_rust_does() {
    let Some(component) = component() else { return };
    let (python, rust) = (posted(component), posted(Path::new(env!("WEBHOOK"))));
    assert_eq!(python.len() as u64, RECORDS);
    assert_eq!(counted(&python), counted(&rust));
}

#[test]
fn it_says_which_backend_does_not_take_records() {
    let Some(component) = component() else { return };
    let stub = Stub::start(|_| Answer::empty(503));
    let (_folder, config) = config(component, &stub.url(), "give_up_after = \"1s\"");
    let output = metricast::output(["publish", "-c", &config, data(FILE).to_str().unwrap()]);
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_ne!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(&format!("{}/in answered 503", stub.url())), "{told}");
}

fn config(plugin: &Path, url: &str, retry: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metricast.toml");
    let plugin = plugin.to_str().unwrap();
    let text = format!(
        "[[publishers]]\nname = \"hook\"\nplugin = {plugin:?}\n[publishers.retry]\n{retry}\n\
         [publishers.config]\nurl = \"{url}/in\"\n"
    );
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (folder, path)
}

/// What a plugin posts of the real records.
fn posted(plugin: &Path) -> Vec<Value> {
    let stub = Stub::start(|_| Answer::empty(204));
    let (_folder, config) = config(plugin, &stub.url(), "");
    let output = metricast::output(["publish", "-c", &config, data(FILE).to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    stub.requests().iter().flat_map(|it| it.text().lines().map(|line| serde_json::from_str(line).unwrap())).collect()
}

/// How often each record is there.
fn counted(records: &[Value]) -> BTreeMap<String, usize> {
    records.iter().fold(BTreeMap::new(), |mut counted, record| {
        *counted.entry(record.to_string()).or_default() += 1;
        counted
    })
}
