//! `metricast run` under a service manager: what it says on its socket, and the unit file.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
    assert_eq!(service.said[0], "EXTEND_TIMEOUT_USEC=30000000", "a start may take its time");
    assert!(service.said[1..].contains(&"STATUS=starting, prometheus is opening".to_owned()), "{:?}", service.said);
    service.wait_for("STATUS=running");
    service.said.clear();
    service.wait_for("WATCHDOG=1");
    service.said.clear();
    service.wait_for("WATCHDOG=1");
    assert_eq!(service.count("READY=1"), 0, "it is said once");
    service.stop();
    service.wait_for("STOPPING=1");
}

#[test]
fn a_service_manager_is_told_when_a_config_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &prometheus().0);
    service.wait_for("READY=1");
    service.said.clear();
    let told = Command::new("kill").args(["-HUP", &service.metricast.id().to_string()]).status().unwrap();
    assert!(told.success());
    service.wait_for("RELOADING=1");
    service.wait_for("MONOTONIC_USEC=");
    service.wait_for("READY=1");
    assert!(service.metricast.try_wait().unwrap().is_none());
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
        found.next().map_or_else(|| panic!("no {key}"), |(_, _, value)| value.as_str())
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

#[test]
fn systemd_takes_the_unit() {
    let unit = fs::read_to_string(operations("metricast.service")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metricast.service");
    fs::write(&file, unit.replace("/usr/local/bin/metricast", metricast::bin().to_str().unwrap())).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&file).output() else {
        return eprintln!("skipped: systemd-analyze is not there");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("metricast.service")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

/// Instructions with their words, continued lines put together.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(operations("Containerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line}")))
        .map(|(a, b)| (a.into(), b.into()))
        .collect()
}

#[test]
fn the_container_recipe_hangs_together() {
    const KNOWN: [&str; 12] = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "ENV",
        "VOLUME",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
        "LABEL",
    ];
    let all = instructions();
    let mut stages = Vec::new();
    for (name, rest) in &all {
        assert!(KNOWN.contains(&name.as_str()), "{name} {rest}");
        if let Some((_, stage)) = rest.split_once(" AS ") {
            stages.push(stage.to_owned());
        }
        let from = rest.split(' ').find_map(|word| word.strip_prefix("--from="));
        assert!(from.is_none_or(|from| stages.iter().any(|stage| stage == from)), "{rest}");
    }
    let value = |key: &str| all.iter().rev().find(|(name, _)| name == key).map(|(_, rest)| rest.as_str()).unwrap();
    let toolchain: toml::Table = fs::read_to_string(operations("../../rust-toolchain.toml")).unwrap().parse().unwrap();
    let rust = toolchain["toolchain"]["channel"].as_str().unwrap().trim_end_matches(".0");
    assert!(all[0].1.contains(&format!("/rust:{rust}-")), "{:?}", all[0]);
    let user: u32 = value("USER").split(':').next().unwrap().parse().unwrap();
    assert!(user > 0 && value("VOLUME") == value("WORKDIR"), "{user}");
    let arguments: Vec<String> = serde_json::from_str(value("CMD")).unwrap();
    let known =
        metricast::output(arguments.iter().map(|part| part.replace("/etc/metricast/metricast.toml", "no/such.toml")));
    assert!(String::from_utf8_lossy(&known.stderr).contains("cannot read the config no/such.toml"), "{known:?}");
}
