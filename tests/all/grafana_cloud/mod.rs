//! The plugin for Grafana Cloud in front of real receivers that one has at home: Prometheus by remote write and OTLP,
//! VictoriaMetrics, Mimir. `endpoint` says where they are; what the cloud's own API has to do is tested with the
//! plugin.
//!
//! `receivers`, `running`, `mimir`, `lines` and `secret` go through the program and the sandboxed plugin; `restart`
//! opens the plugin compiled natively, to stop it between any two calls; `loki` asks Loki itself.

mod lines;
mod loki;
mod mimir;
mod numbers;
mod receivers;
mod restart;
mod running;
mod secret;

use std::fs;
use std::path::Path;
use std::process::Output;

use support::metricast;
use support::stub::Stub;
use tempfile::TempDir;

/// The publisher's `instance`.
const INSTANCE: &str = "shop-1";
/// The media type of remote write 2.0.
const SECOND: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
/// Of remote write 1.0, and of OTLP.
const PROTOBUF: &str = "application/x-protobuf";

/// A config with one publisher, in a folder of its own.
struct Program(TempDir);

impl Program {
    /// That pushes to `endpoint`, with these settings too.
    fn at(endpoint: &str, settings: &str) -> Self {
        Self::within("30s", endpoint, settings)
    }

    /// The same, given up when nothing moved for so long.
    fn within(patience: &str, endpoint: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "drain_timeout = \"{patience}\"\n[[publishers]]\nname = \"cloud\"\nplugin = \"grafana-cloud\"\n\
             [publishers.config]\nendpoint = \"{endpoint}\"\ninstance = \"{INSTANCE}\"\n{settings}"
        );
        fs::write(folder.path().join("metricast.toml"), config).unwrap();
        Self(folder)
    }

    /// Runs a subcommand with the config; `env:SECRET` is `secret`.
    fn run(&self, subcommand: &str, more: &[&Path], secret: &str) -> Done {
        self.run_logging("", subcommand, more, secret)
    }

    /// The same with a log of what this filter lets through.
    fn run_logging(&self, filter: &str, subcommand: &str, more: &[&Path], secret: &str) -> Done {
        let config = self.0.path().join("metricast.toml");
        let arguments = [Path::new(subcommand), Path::new("-c"), &config];
        let mut command = metricast::command(arguments.into_iter().chain(more.iter().copied()));
        let Output { status, stdout, stderr } =
            command.env("SECRET", secret).env("METRICAST_LOG", filter).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Done { code: status.code(), said }
    }
}

/// What the program did: its exit code, and all that it said.
struct Done {
    code: Option<i32>,
    said: String,
}

impl Done {
    fn expect_good(&self) {
        assert_eq!(self.code, Some(0), "{}", self.said);
        assert!(!self.said.contains("WARN") && !self.said.contains("ERROR"), "{}", self.said);
    }
}

/// The media types of a stub's requests, in their order.
fn media_types(stub: &Stub) -> Vec<String> {
    stub.requests().iter().map(|request| request.header("content-type").to_owned()).collect()
}
