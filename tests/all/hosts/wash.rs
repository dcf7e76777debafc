//! wasmCloud's `wash dev`: a host that denies what its config does not allow, and gives a component no environment.

use std::fs;
use std::path::Path;
use std::process::Command;

use support::process::Process;
use support::search::Node;
use support::{Host, Server, ports, require};

use super::service::{self, Serving};

/// Serves a service that may send requests to these hosts.
fn serve(compose: impl FnOnce(&Path), allowed: &[&str]) -> Option<Serving> {
    let home = require(Server::Host(Host::Wash))?;
    let (folder, port) = (Process::folder("wash"), ports::free());
    compose(&folder);
    let config = folder.join(".wash/config.yaml");
    fs::create_dir(config.parent().unwrap()).unwrap();
    let text = format!(
        "version: 2.10.3\nbuild:\n  command: \"true\"\n  component_path: service.wasm\n\
         dev:\n  address: \"127.0.0.1:{port}\"\nworkload:\n  allowedHosts: {allowed:?}\n"
    );
    fs::write(config, text).unwrap();
    let mut wash = Command::new(home.join("bin/wash"));
    wash.args(["dev", "--non-interactive"]);
    // It keeps a config and a cache of its own for each user.
    for name in ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
        wash.env(name, &folder);
    }
    Some(Serving::start("wash", &wash, folder, port))
}

#[test]
fn wash_brings_the_real_records_to_a_real_open_search() {
    let Some(node) = Node::shared() else { return };
    let compose = |folder: &Path| drop(service::writes_to(folder, &node.url(), "wash"));
    let Some(serving) = serve(compose, &["127.0.0.1"]) else { return };
    serving.brings_the_real_records_to(&node, "wash");
}

#[test]
fn a_backend_that_wash_does_not_allow_is_told_to_the_sender() {
    let compose = |folder: &Path| drop(service::writes_to(folder, "http://127.0.0.1:9", "denied"));
    let Some(serving) = serve(compose, &["search.example"]) else { return };
    let answer = serving.post(service::LINE);
    assert_eq!((answer.status, answer.header("content-type")), (503, "application/problem+json"), "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["pending"], &told["accepted"]), (&1.into(), &0.into()), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("127.0.0.1:9"), "{told}");
}
