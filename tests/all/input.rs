//! Every line of `awkward.ndjson` through the program: what becomes of it, and in which words it is told.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::{data, http, metricast, wait};

use crate::ingest::{post, running};

/// Of an accepted record so much is shown.
const SHOWN: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Refused,
    Skipped,
}

/// The outcomes that `awkward.md` states, line by line.
fn stated() -> Vec<Outcome> {
    let page = fs::read_to_string(data("awkward.md")).unwrap();
    let rows = page.lines().filter(|row| row.starts_with("| ")).skip(1);
    let outcomes = (1..).zip(rows).map(|(line, row)| {
        let mut cells = row.split(" | ");
        assert_eq!(cells.next(), Some(format!("| {line}").as_str()), "{row}");
        match cells.next().unwrap() {
            "accepted" | "either: accepted" => Outcome::Accepted,
            "refused" | "either: refused" => Outcome::Refused,
            "skipped" => Outcome::Skipped,
            other => panic!("{other}: {row}"),
        }
    });
    outcomes.collect()
}

fn lines() -> Vec<Vec<u8>> {
    let file = fs::read(data("awkward.ndjson")).unwrap();
    file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A line of the program's answers: number, outcome, and the record or the reason.
type Told = (usize, Outcome, String);

/// What `metricast format` says of each line: refused lines stand on standard error with their numbers, the records of
/// the others on standard output in their order.
fn told() -> Vec<Told> {
    let path = data("awkward.ndjson");
    let output = metricast::output(["format", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let place = format!("{}:", path.display());
    let mut refused = stderr.lines().map(|line| line.strip_prefix(&place).expect(line).split_once(": ").expect(line));
    let mut next_refused = refused.next();
    let mut records = stdout.lines();
    let told = (1..).zip(lines()).map(|(number, line)| match next_refused {
        Some((refused_number, reason)) if refused_number == number.to_string() => {
            next_refused = refused.next();
            (number, Outcome::Refused, reason.to_owned())
        }
        _ if line.trim_ascii().is_empty() => (number, Outcome::Skipped, String::new()),
        _ => (number, Outcome::Accepted, records.next().expect("a record a line").to_owned()),
    });
    let told = told.collect();
    assert_eq!((next_refused, records.next()), (None, None));
    told
}

fn golden(told: &[Told]) -> String {
    let line = |(number, outcome, text): &Told| {
        let shown: String = text.chars().take(SHOWN).collect();
        let cut = if shown.len() < text.len() { format!("… {} bytes", text.len()) } else { String::new() };
        format!("{number} {outcome:?} {shown}{cut}").trim_end().to_owned() + "\n"
    };
    told.iter().map(line).collect()
}

#[test]
fn every_awkward_line_has_the_outcome_and_the_words_that_are_written_down() {
    let told = told();
    let outcomes: Vec<_> = told.iter().map(|(_, outcome, _)| *outcome).collect();
    assert_eq!(outcomes.len(), 83);
    for ((number, found, text), stated) in told.iter().zip(stated()) {
        assert_eq!(*found, stated, "line {number}: {text}");
    }
    let file = data("awkward.told.txt");
    let now = golden(&told);
    if env::var_os("BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), now, "BLESS=1 takes it over");
}

#[test]
fn no_parsers_words_are_told() {
    for (number, _, reason) in told().iter().filter(|(_, outcome, _)| *outcome == Outcome::Refused) {
        for foreign in ["EOF", "ident", "expected", "parse", "surrogate", "hex", "invalid type", "parameter", "`"] {
            assert!(!reason.contains(foreign), "line {number}: {reason}");
        }
        assert!(reason.len() < 200 && !reason.contains('\n'), "line {number}: {reason}");
    }
}

#[test]
fn every_awkward_line_is_answered_the_same_over_http() {
    let running = running("");
    let told = told();
    let whole = post(&running.url, &[], fs::read(data("awkward.ndjson")).unwrap());
    let refused = told.iter().filter(|(_, outcome, _)| *outcome == Outcome::Refused);
    let refused: Vec<_> = refused.map(|(line, _, reason)| json!({"line": line, "reason": reason})).collect();
    assert_eq!((whole.status, whole.json()), (200, json!({"accepted": 30, "refused": refused})));
    for ((number, outcome, text), line) in told.iter().zip(lines()) {
        let answer = post(&running.url, &[("content-type", "application/x-ndjson")], line);
        let expected = match outcome {
            Outcome::Accepted => (200, json!({"accepted": 1, "refused": []})),
            Outcome::Skipped => (200, json!({"accepted": 0, "refused": []})),
            Outcome::Refused => (400, json!({"accepted": 0, "refused": [{"line": 1, "reason": text}]})),
        };
        assert_eq!((answer.status, answer.json()), expected, "line {number}");
    }
    let exposition = wait::until("a hostile name", Duration::from_secs(10), || {
        let text = http::get(&running.metrics).unwrap().text().to_owned();
        text.contains(r#"event_name="x\n# EOF\nup 1\n""#).then_some(text)
    });
    assert!(!exposition.lines().any(|line| line.starts_with("up ")), "{exposition}");
    let (status, log) = running.metricast.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn refused_awkward_lines_are_kept_byte_for_byte_by_publish() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("metricast.toml"), "[[publishers]]\nplugin = \"prometheus\"\n").unwrap();
    let (config, refused, file) = (path("metricast.toml"), path("refused"), data("awkward.ndjson"));
    let output = metricast::output(["publish", "-c", &config, "--refused", &refused, file.to_str().unwrap()]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.starts_with("83 lines, ") && stdout.contains("\nrefused: 51, all in "), "{stdout}");
    let kept = fs::read_to_string(&refused).unwrap();
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = told();
    let expected: Vec<_> = told.iter().filter(|(_, outcome, _)| *outcome == Outcome::Refused).collect();
    assert_eq!(kept.len(), expected.len());
    for (kept, (number, _, reason)) in kept.iter().zip(expected) {
        assert_eq!((&kept["line"], &kept["reason"]), (&json!(number), &json!(reason)));
        let line = &lines()[number - 1];
        match std::str::from_utf8(line) {
            Ok(text) => assert!(text.starts_with(kept["raw"].as_str().unwrap()), "line {number}"),
            Err(_) => assert!(!kept["raw_base64"].as_str().unwrap().is_empty(), "line {number}"),
        }
    }
}

/// All of the repository's Rust that the page may name tests of.
fn sources() -> String {
    fn below(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                below(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = String::new();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in ["records/src", "host/src", "tests/all"] {
        below(&repository.join(folder), &mut all);
    }
    all
}

#[test]
fn every_rule_of_the_page_names_a_test_that_is_there_and_every_line_is_named() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/input.md")).unwrap();
    let sources = sources();
    let tests = page.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 2);
    let missing: Vec<_> = tests.filter(|name| !sources.contains(&format!("fn {name}("))).collect();
    assert_eq!(missing, [""; 0]);
    let words = page.split("line ").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let named: BTreeSet<usize> = words.filter_map(|word| word?.parse().ok()).collect();
    // Good records among the others.
    let unnamed: Vec<_> = (1..=83).filter(|line| !named.contains(line)).collect();
    assert_eq!(unnamed, [11, 82]);
    for row in page.lines().filter(|row| row.starts_with("| ") && !row.ends_with("held by |")) {
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(held_by.starts_with("line ") || held_by.starts_with('`'), "{row}");
    }
}
