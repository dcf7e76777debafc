//! `metricast run` under a service manager: what it says on its socket, and the unit file.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use support::{http, metricast, ports, wait};

use super::{PATIENCE, RECORD, operations, prometheus, search};

/// A service manager's end, and the service.
struct Service {
    socket: UnixDatagram,
    metricast: Child,
    said: Vec<String>,
    ingest: String,
}

impl Service {
    fn start(folder: &Path, publishers: &str) -> Self {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let ingest = format!("127.0.0.1:{}", ports::free());
        let config =
            format!("drain_timeout = \"1s\"\n[ingest]\nlisten = \"{ingest}\"\n[admin]\nlisten = \"off\"\n{publishers}");
        let file = folder.join("metricast.toml");
        fs::write(&file, config).unwrap();
        let mut command = metricast::command(["run", "-q", "-c", file.to_str().unwrap()]);
        command.env("NOTIFY_SOCKET", folder.join("notify")).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
        let metricast = command.stderr(Stdio::null()).spawn().unwrap();
        Self { socket, metricast, said: Vec::new(), ingest }
    }

    /// Waits until a line is said that begins so.
    fn wait_for(&mut self, line: &str) {
        let (socket, said) = (&self.socket, &mut self.said);
        wait::until(line, PATIENCE, || {
            let mut message = [0; 4096];
            if let Ok(length) = socket.recv(&mut message) {
                said.extend(std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned));
            }
            said.iter().any(|found| found.starts_with(line)).then_some(())
        });
    }

    fn count(&self, line: &str) -> usize {
        self.said.iter().filter(|found| *found == line).count()
    }

    fn stop(&mut self) {
        xtask::process::terminate(&self.metricast).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.metricast.kill();
        _ = self.metricast.wait();
    }
}

#[test]
fn a_service_manager_is_told_when_it_is_ready_that_it_lives_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &prometheus().0);
    service.wait_for("READY=1");
    assert!(wait::listens(&service.ingest), "ready is who takes records");
    assert_eq!(
        service.said.iter().filter(|line| line.starts_with("EXTEND_TIMEOUT_USEC=")).count() > 0,
        service.count("STATUS=starting, 0 publishers") > 0
    );
    service.wait_for("STATUS=running, 1 publishers");
    service.said.clear();
    service.wait_for("WATCHDOG=1");
    service.said.clear();
    service.wait_for("WATCHDOG=1");
    assert_eq!(service.count("READY=1"), 0, "it is said once");
    service.stop();
    service.wait_for("STOPPING=1");
}

#[test]
fn a_backend_that_is_away_neither_holds_up_the_start_nor_the_signs_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &search());
    service.wait_for("READY=1");
    assert_eq!(
        http::post(&format!("http://{}/v1/records", service.ingest), "application/json", RECORD).unwrap().status,
        200
    );
    for _ in 0..5 {
        service.said.clear();
        service.wait_for("WATCHDOG=1");
    }
}

/// The unit's keys with their values, section by section.
fn unit() -> Vec<(String, String, String)> {
    let text = fs::read_to_string(operations("metricast.service")).unwrap();
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
            keys.push((section.clone(), key.to_owned(), value.to_owned()));
        }
    }
    keys
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = unit();
    let value = |key: &str| {
        let mut found = unit.iter().filter(|(section, name, _)| section == "Service" && name == key);
        found.next().map(|(_, _, value)| value.as_str()).unwrap_or_else(|| panic!("no {key}"))
    };
    let start: Vec<_> = value("ExecStart").split(' ').collect();
    let known =
        metricast::output(start[1..].iter().map(|part| part.replace("/etc/metricast/metricast.toml", "no/such.toml")));
    assert!(String::from_utf8_lossy(&known.stderr).contains("cannot read the config no/such.toml"), "{known:?}");
    assert_eq!((value("Type"), value("ProtectSystem"), value("DynamicUser")), ("notify", "strict", "yes"));
    let drain: u64 = value("TimeoutStopSec").parse().unwrap();
    assert!(drain > 30 + 5, "it outlasts the default drain_timeout and the last answers: {drain}");
    assert!(value("WatchdogSec").parse::<u64>().unwrap() >= 30);
}
