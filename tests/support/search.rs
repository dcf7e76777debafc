//! Real nodes of Elasticsearch and OpenSearch.
//!
//! Each node has a configuration, data and logs of its own and leaves the fetched distribution as it is.

mod pool;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::{Method, Request};
use rustix::process::geteuid;
use serde_json::{Value, json};
use xtask::servers::TESTER;

use crate::http::Answer;
use crate::process::Process;
use crate::{Server, http as client, ports, require, wait};

pub use pool::Lease;

/// A cold start took up to 42 s on two busy cores.
const PATIENCE: Duration = Duration::from_mins(2);

/// The user that Elasticsearch runs as where the tests run as root, which it refuses: `nobody`.
const NOBODY: u32 = 65_534;

/// A node whose disk is nine tenths full takes no new index: how full this machine's disk is must not matter.
const DEFAULTS: &[(&str, &str)] = &[("cluster.routing.allocation.disk.threshold_enabled", "false")];

const HEAP: &str = "-Xms512m -Xmx512m";

/// How a node differs from a plain one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options<'a> {
    /// Node settings: names and values.
    pub settings: &'a [(&'a str, &'a str)],
    /// Elasticsearch with real authentication; this handle uses the superuser [`TESTER`].
    pub security: bool,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    process: Process,
    port: u16,
    security: bool,
}

impl Node {
    /// A node for one test alone. `None`: the server is not there, and the test is skipped.
    pub fn start(server: Server, options: &Options<'_>) -> Option<Lease> {
        require(server)?;
        Some(Lease::alone(server, options))
    }

    /// The plain OpenSearch 2 that tests share: each uses indices of its own.
    pub fn shared() -> Option<Lease> {
        Self::shared_of(Server::OpenSearch2)
    }

    /// The node of a server that tests share; Elasticsearch 8 and 9 ask who asks.
    pub fn shared_of(server: Server) -> Option<Lease> {
        let security = matches!(server, Server::Elasticsearch8 | Server::Elasticsearch9);
        Self::shared_with(server, &Options { security, ..Options::default() })
    }

    /// The node that all tests share that ask for the same.
    pub fn shared_with(server: Server, options: &Options<'static>) -> Option<Lease> {
        require(server)?;
        Some(Lease::shared(server, options))
    }

    fn launch(server: Server, options: &Options<'_>) -> Self {
        let home = server.find().expect("a server that is asked for is there");
        let folder = Process::folder(server.name());
        let port = ports::free();
        let jdk = server.jdk().expect("a server that is there has its JDK");
        let mut command = match server {
            Server::OpenSearch2 | Server::OpenSearch3 => opensearch(&home, &jdk, &folder),
            _ => elasticsearch(&home, &jdk, &folder),
        };
        set(&mut command, "discovery.type", "single-node");
        set(&mut command, "network.host", "127.0.0.1");
        set(&mut command, "http.port", &port.to_string());
        set(&mut command, "transport.port", &ports::free().to_string());
        set(&mut command, "path.data", &folder.join("data").display().to_string());
        set(&mut command, "path.logs", &folder.join("logs").display().to_string());
        if matches!(server, Server::Elasticsearch8 | Server::Elasticsearch9) {
            set(&mut command, "xpack.security.enabled", if options.security { "true" } else { "false" });
            set(&mut command, "xpack.security.http.ssl.enabled", "false");
            set(&mut command, "xpack.security.transport.ssl.enabled", "false");
        }
        let own = |name| options.settings.iter().any(|(own, _)| *own == name);
        for (name, value) in DEFAULTS.iter().filter(|(name, _)| !own(*name)).chain(options.settings) {
            set(&mut command, name, value);
        }
        let process = Process::start(server.name(), &command, folder);
        let mut node = Self { process, port, security: options.security };
        node.wait_until_ready();
        node
    }

    fn wait_until_ready(&mut self) {
        let url = format!("{}/_cluster/health", self.url());
        // Without credentials, 401 is an answer too.
        let ready = || client::get(&url).is_ok_and(|answer| matches!(answer.status, 200 | 401));
        self.process.wait_until_ready(PATIENCE, ready);
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The user that this handle is, and the password; none where the node asks nobody.
    pub fn user(&self) -> Option<(&'static str, &'static str)> {
        self.security.then_some(TESTER)
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Sends a request; with security, as the superuser.
    pub fn send(&self, method: Method, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url()));
        if self.security {
            request = request.header("authorization", client::basic(TESTER.0, TESTER.1));
        }
        let request = request.header("content-type", content_type).body(body.into()).expect("a request that can be");
        client::send(&request).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// GETs JSON.
    pub fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, "application/json", "").expect_success(path).json()
    }

    /// PUTs JSON.
    pub fn put(&self, path: &str, body: &Value) -> Value {
        self.send(Method::PUT, path, "application/json", body.to_string()).expect_success(path).json()
    }

    /// POSTs JSON.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.send(Method::POST, path, "application/json", body.to_string()).expect_success(path).json()
    }

    /// DELETEs.
    pub fn delete(&self, path: &str) -> Value {
        self.send(Method::DELETE, path, "application/json", "").expect_success(path).json()
    }

    /// Sends lines to `_bulk`; the answer's items are the caller's to judge.
    pub fn bulk(&self, path: &str, lines: &str) -> Value {
        self.send(Method::POST, path, "application/x-ndjson", lines).expect_success(path).json()
    }

    /// How many documents an index, data stream or pattern has by now.
    pub fn count(&self, index: &str) -> u64 {
        self.refresh(index);
        self.read(&Method::GET, &format!("/{index}/_count"), "")["count"].as_u64().expect("a count")
    }

    /// What a search over all that was written by now finds.
    pub fn search(&self, index: &str, query: &Value) -> Value {
        self.refresh(index);
        self.read(&Method::POST, &format!("/{index}/_search"), &query.to_string())
    }

    /// An index that is new answers 503 until its shards are started.
    fn read(&self, method: &Method, path: &str, body: &str) -> Value {
        let answer = wait::until(path, PATIENCE, || {
            let answer = self.send(method.clone(), path, "application/json", body);
            (answer.status != 503).then_some(answer)
        });
        answer.expect_success(path).json()
    }

    /// The task ids of all documents of an index, data stream or pattern, each as often as it is there.
    pub fn tasks(&self, pattern: &str) -> Vec<String> {
        let mut tasks = Vec::new();
        let mut after = Value::Null;
        loop {
            let mut query = json!({"size": 10_000, "_source": ["metricast.task_id"], "sort": [{"metricast.task_id": "asc"}, {"_id": "asc"}]});
            if !after.is_null() {
                query["search_after"] = after;
            }
            let answer = self.search(pattern, &query);
            let hits = answer["hits"]["hits"].as_array().expect("hits");
            let Some(last) = hits.last() else { return tasks };
            after = last["sort"].clone();
            let task = |hit: &Value| hit["_source"]["metricast"]["task_id"].as_str().expect("an id").to_owned();
            tasks.extend(hits.iter().map(task));
        }
    }

    fn refresh(&self, index: &str) {
        let path = format!("/{index}/_refresh");
        self.send(Method::POST, &path, "application/json", "").expect_success(&path);
    }
}

fn set(command: &mut Command, name: &str, value: &str) {
    command.arg(format!("-E{name}={value}"));
}

fn opensearch(home: &Path, jdk: &Path, folder: &Path) -> Command {
    let config = folder.join("config");
    copy(&home.join("config"), &config);
    let property = |name: &str, path: &Path| format!("-D{name}={}", path.display());
    let mut java = Command::new(jdk.join("bin/java"));
    java.args(HEAP.split(' ')).args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss1m"]);
    java.args(["-Dfile.encoding=UTF-8", "-Djava.awt.headless=true"]);
    java.args(["-Dlog4j.shutdownHookEnabled=false", "-Dlog4j2.disable.jmx=true"]);
    java.args(["-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true"]);
    java.args(["-Dio.netty.recycler.maxCapacityPerThread=0", "-Dio.netty.allocator.numDirectArenas=0"]);
    // It refuses to run as root, which it only sees through its native library.
    java.args(["-Djna.nosys=true", "-Djna.nounpack=true"]);
    let agent = home.join("agent/opensearch-agent.jar");
    if agent.is_file() {
        java.arg(format!("-javaagent:{}", agent.display()));
    }
    java.arg(property("java.io.tmpdir", folder));
    java.arg(property("opensearch.path.home", home)).arg(property("opensearch.path.conf", &config));
    java.arg("-cp").arg(home.join("lib/*")).arg("org.opensearch.bootstrap.OpenSearch");
    java
}

fn elasticsearch(home: &Path, jdk: &Path, folder: &Path) -> Command {
    let root = geteuid().is_root();
    let own = folder.join("home");
    copy(home, &own);
    let program = own.join("bin/elasticsearch");
    let mut command = if root {
        run(Command::new("chown").args(["-R", &NOBODY.to_string()]).arg(folder));
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("ES_JAVA_HOME", jdk).env("ES_JAVA_OPTS", format!("{HEAP} -XX:TieredStopAtLevel=1"));
    command.env_remove("ES_PATH_CONF").env_remove("ES_HOME");
    command
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-R").arg(from).arg(to));
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
