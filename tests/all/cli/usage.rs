//! Help, completions, and what is said about wrong arguments and configs.

use std::fs;

use support::metricast;

use super::{Done, run};

const SUBCOMMANDS: [&str; 9] =
    ["run", "publish", "format", "check", "plugins", "inspect", "dead-letters", "queue", "completions"];

#[test]
fn every_subcommand_explains_itself_by_example() {
    let overview = run(["--help"]);
    assert_eq!(overview.code, 0);
    for name in SUBCOMMANDS {
        assert!(overview.stdout.contains(&format!("\n  {name} ")), "{name} is missing in {}", overview.stdout);
        let help = run([name, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains(&format!("Examples:\n  metricast {name}")), "{}", help.stdout);
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = run(["completions", shell]);
        assert_eq!(done.code, 0);
        assert!(done.stdout.contains("metricast") && done.stdout.contains("publish"), "{shell}: {}", done.stdout);
    }
}

#[test]
fn wrong_arguments_are_usage_errors_with_a_hint() {
    let done = run(["publsh"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("'publish'"), "{}", done.stderr);
    let done = run(["publish", "--to", "127.0.0.1:4319"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("http://127.0.0.1:4319"), "{}", done.stderr);
}

#[test]
fn wait_is_for_to_only() {
    let done = run(["publish", "-c", "metricast.toml", "--wait", "1s", "no.ndjson"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("'--wait <TIME>'"), "{}", done.stderr);
}

#[test]
fn an_input_is_never_the_file_of_refused_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.ndjson").to_str().unwrap().to_owned();
    fs::write(&path, "not json\n").unwrap();
    let again = folder.path().join(".").join("app.ndjson").to_str().unwrap().to_owned();
    let done = run(["publish", "--to", "http://127.0.0.1:1", "--refused", &again, &path]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("which is read: it would be lost"), "{}", done.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "not json\n");
}

#[test]
fn what_is_compressed_is_told_with_what_unpacks_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.gz").to_str().unwrap().to_owned();
    fs::write(&path, b"\x1F\x8B\x08\x00").unwrap();
    let told = format!("error: {path} is gzip: `zcat {path} | metricast … -` reads it\n");
    for arguments in [vec!["format", &path], vec!["publish", "--to", "http://127.0.0.1:1", &path]] {
        let done = run(arguments);
        assert_eq!((done.code, done.stdout.as_str(), &done.stderr), (2, "", &told));
    }
    let done = super::run_with_input(&mut metricast::command(["format"]), b"\x28\xB5\x2F\xFD");
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("<stdin> is zstd: "), "{}", done.stderr);
}

#[test]
fn publishing_to_nobody_is_a_usage_error_with_a_hint() {
    let done = run(["publish", "no.ndjson"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.starts_with("error: nobody to publish to: "), "{}", done.stderr);
    assert!(done.stderr.contains("--to http://127.0.0.1:4319"), "{}", done.stderr);
}

#[test]
fn a_wrong_config_is_pointed_into_by_every_subcommand_that_reads_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml").to_str().unwrap().to_owned();
    fs::write(&path, "[ingest]\nlisen = \"127.0.0.1:1\"\n\n[[publishers]]\nplugin = \"promethius\"\n").unwrap();
    for name in ["run", "publish", "check"] {
        let done = run([name, "-c", &path]);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{name}");
        let key = format!("error: {path}:2:1: ingest.lisen: unknown key; did you mean `listen`?\n");
        assert!(done.stderr.contains(&key), "{name}: {}", done.stderr);
        assert!(done.stderr.contains("2 | lisen = \"127.0.0.1:1\"\n  | ^^^^^\n"), "{name}: {}", done.stderr);
        assert!(done.stderr.contains("did you mean \"prometheus\"?"), "{name}: {}", done.stderr);
    }
}

#[test]
fn a_config_that_is_not_there_is_named() {
    let done = run(["run", "-c", "no/such.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.starts_with("error: cannot read the config no/such.toml: "), "{}", done.stderr);
    assert_eq!(done.stderr.matches("os error 2").count(), 1, "{}", done.stderr);
}

#[test]
fn a_log_filter_that_is_none_is_a_usage_error() {
    let mut command = metricast::command(["completions", "bash"]);
    let done: Done = command.env("METRICAST_LOG", "metricast=loud").output().unwrap().into();
    assert_eq!(done.code, 2);
    assert!(done.stderr.starts_with("error: METRICAST_LOG is no log filter: "), "{}", done.stderr);
}

#[test]
fn colour_is_used_only_where_it_is_asked_for() {
    for (arguments, coloured) in [(["publish", "--color=always"], true), (["publish", "--color=auto"], false)] {
        assert_eq!(run(arguments).stderr.contains('\u{1b}'), coloured, "{arguments:?}");
    }
}
