//! The rules of `docs/operations`: what promtool says of them.

use std::process::Command;

use support::{Server, require};

use super::operations;

/// Runs promtool in the rules' folder. `None`: it is not there, and the test is skipped.
fn promtool(server: Server, arguments: &[&str]) -> Option<()> {
    let mut command = Command::new(require(server)?.join("promtool"));
    let output = command.args(arguments).current_dir(operations("")).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
    Some(())
}

#[test]
fn both_generations_take_the_rules_and_alarm_when_they_should() {
    for server in [Server::Prometheus2, Server::Prometheus3] {
        let Some(()) = promtool(server, &["check", "rules", "metricast-rules.yml"]) else { continue };
        promtool(server, &["test", "rules", "metricast-rules-test.yml"]);
    }
}

#[test]
fn the_rules_say_the_same_of_native_histograms() {
    // Older ones cannot write native histograms in tests.
    promtool(Server::Prometheus3, &["test", "rules", "metricast-rules-native-test.yml"]);
}

#[test]
fn every_alert_is_tested_and_its_reader_is_told_what_to_do() {
    let read = |name: &str| std::fs::read_to_string(operations(name)).unwrap();
    let (rules, tests, page) =
        (read("metricast-rules.yml"), read("metricast-rules-test.yml"), read("../monitoring.md"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in alerts {
        let fires = tests.split("- alertname: ").any(|test| test.starts_with(alert) && test.contains("exp_labels"));
        assert!(fires, "{alert} is tested by nothing that sets it off");
        assert!(page.contains(&format!("`{alert}`")), "docs/monitoring.md says nothing of {alert}");
    }
}
