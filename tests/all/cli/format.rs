//! `metricast format`.

use std::fs;
use std::process::Stdio;

use serde_json::Value;
use support::metricast;

use super::{run, run_with_input};

const EVENT: &str =
    r#"{"event_name": "Pack", "task_id": "1", "status": "completed", "start_time": 1, "end_time": 1.25}"#;

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_real_record_has_its_dictionary_and_that_is_input_again() {
    let path = support::data("event-pipeline.ndjson");
    let first = run(["format", path.to_str().unwrap()]);
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    let records = objects(&first.stdout);
    assert_eq!(records.len(), 6_965);
    for record in &records {
        let kind = record["metric_type"].as_str().unwrap();
        assert!(record[if kind == "event" { "event_name" } else { "operation" }].is_string(), "{record}");
        assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{record}");
        assert_eq!(record.get("duration").is_some(), record["end_time"].is_number(), "{record}");
    }
    let again = run_with_input(&mut metricast::command(["format"]), first.stdout.as_bytes());
    assert_eq!((again.code, again.stdout == first.stdout), (0, true));
}

#[test]
fn a_line_that_is_no_record_is_named_and_the_rest_goes_on() {
    let input = format!("\u{feff}{EVENT}\r\n\n{{\"event_name\": 7}}\n \t\nnot json\n{EVENT}");
    let done = run_with_input(&mut metricast::command(["format", "-"]), input.as_bytes());
    assert_eq!(done.code, 1);
    assert_eq!(objects(&done.stdout).len(), 2);
    let named: Vec<_> = done.stderr.lines().collect();
    assert_eq!(named.len(), 2, "{}", done.stderr);
    assert!(named[0].starts_with("<stdin>:3: event_name: "), "{}", named[0]);
    assert!(named[1].starts_with("<stdin>:5: not JSON at column "), "{}", named[1]);
}

#[test]
fn several_files_are_read_in_order_and_named_in_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("a"), format!("{EVENT}\n")).unwrap();
    fs::write(path("b"), format!("{}\n[]\n", EVENT.replace("Pack", "Unpack"))).unwrap();
    let done = run(["format", &path("a"), &path("b")]);
    let names: Vec<_> = objects(&done.stdout).iter().map(|record| record["event_name"].clone()).collect();
    assert_eq!(names, ["Pack", "Unpack"]);
    assert!(done.stderr.starts_with(&format!("{}:2: ", path("b"))), "{}", done.stderr);
}

#[test]
fn a_file_that_is_not_there_is_a_usage_error_before_anything_is_written() {
    let real = support::data("event-pipeline.ndjson");
    let done = run(["format", real.to_str().unwrap(), "no/such.ndjson"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.starts_with("error: cannot read no/such.ndjson: "), "{}", done.stderr);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let path = support::data("event-pipeline.ndjson");
    let mut command = metricast::command(["format", path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn openmetrics_of_one_record_is_a_zero_and_its_value() {
    let done = run_with_input(&mut metricast::command(["format", "--openmetrics"]), EVENT.as_bytes());
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let key = "event_records_total{event_name=\"Pack\",status=\"completed\"}";
    let samples: Vec<_> = done.stdout.lines().filter(|line| line.starts_with(key)).collect();
    assert_eq!(samples, [format!("{key} 0 0"), format!("{key} 1 15")]);
    let none = run_with_input(&mut metricast::command(["format", "--openmetrics"]), b"");
    assert_eq!((none.code, none.stdout.as_str()), (0, "# EOF\n"));
}

#[test]
fn openmetrics_takes_a_publishers_settings() {
    let one = |name: &str| {
        format!(
            "[[publishers]]\nname = \"{name}\"\nplugin = \"prometheus\"\nconfig.buckets.events = [7.5]\nconfig.port = 0\n"
        )
    };
    let folder = super::Folder::with(&one("a"));
    let done = folder.run_with_input("format", &["--openmetrics", "--step", "1m"], EVENT);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("le=\"7.5\"} 1 60\n") && !done.stdout.contains("le=\"0.5\""), "{}", done.stdout);
    let folder = super::Folder::with(&(one("a") + &one("b")));
    let done = folder.run_with_input("format", &["--openmetrics"], EVENT);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (2, "error: several publishers have metrics: --publisher says which of a, b\n")
    );
    let done = folder.run_with_input("format", &["--openmetrics", "--publisher", "b"], EVENT);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let done = folder.run_with_input("format", &["--openmetrics", "--publisher", "c"], EVENT);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert_eq!(done.stderr, "error: no publisher called c has metrics that can be scraped\n");
}

#[test]
fn openmetrics_names_what_is_no_record_and_refuses_a_senseless_span() {
    let input = format!("not json\n{EVENT}\n");
    let done = run_with_input(&mut metricast::command(["format", "--openmetrics", "-"]), input.as_bytes());
    assert_eq!(done.code, 1);
    assert!(done.stderr.starts_with("<stdin>:1: not JSON") && done.stdout.ends_with("# EOF\n"), "{}", done.stderr);
    let late = EVENT.replace("1,", "1800000000,").replace("1.25", "1800000000");
    let input = format!("{EVENT}\n{late}\n");
    let done = run_with_input(&mut metricast::command(["format", "--openmetrics"]), input.as_bytes());
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    let told = "error: the records are from 1970-01-01T00:00:01.250000Z to 2027-01-15T08:00:00.000000Z: with --step 15s that is 119999999 steps";
    assert!(done.stderr.starts_with(told), "{}", done.stderr);
    for arguments in [&["--openmetrics", "--step", "10ms"][..], &["--step", "15s"], &["-c", "metricast.toml"]] {
        let done = run(["format"].into_iter().chain(arguments.iter().copied()));
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{arguments:?}");
    }
}
