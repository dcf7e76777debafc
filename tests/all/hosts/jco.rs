//! jco: a service made into JavaScript, and served on Node.js by WASI in JavaScript.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use support::process::Process;
use support::search::Node;
use support::{Host, Server, ports, require};

use super::said;
use super::service::{self, Serving};

/// All that a program needs to serve what jco made of a service.
const PROGRAM: &str = r#"
import { HTTPServer } from "@bytecodealliance/preview2-shim/http";
import { incomingHandler } from "./service.js";
new HTTPServer(incomingHandler).listen(Number(process.argv[2]), "127.0.0.1");
"#;

/// Serves a service: one instance for all requests.
fn serve(compose: impl FnOnce(&Path)) -> Option<Serving> {
    let packages = require(Server::Host(Host::Jco))?.join("node_modules");
    let (folder, port) = (Process::folder("jco"), ports::free());
    compose(&folder);
    let mut jco = Command::new("node");
    jco.arg(packages.join(".bin/jco")).current_dir(&folder);
    said(jco.args(["transpile", "service.wasm", "-o", ".", "--name", "service", "--no-typescript", "--quiet"]));
    symlink(packages, folder.join("node_modules")).unwrap();
    fs::write(folder.join("serve.mjs"), PROGRAM).unwrap();
    let mut node = Command::new("node");
    node.arg("serve.mjs").arg(port.to_string());
    Some(Serving::start("jco", &node, folder, port))
}

#[test]
fn node_brings_the_real_records_to_a_real_open_search() {
    let Some(search) = Node::shared() else { return };
    let Some(serving) = serve(|folder| drop(service::writes_to(folder, &search.url(), "jco"))) else { return };
    serving.brings_the_real_records_to(&search, "jco");
}

#[test]
fn node_keeps_the_instance_that_counts() {
    let compose = |folder: &Path| drop(service::compose(folder, "prometheus", &["--keeps-instance"]));
    let Some(serving) = serve(compose) else { return };
    serving.counts_the_real_records();
}
