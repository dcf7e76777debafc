//! `metricast publish --to URL` against a scripted server.

use std::path::Path;

use serde_json::{Value, json};
use support::stub::{Answer, Request, Stub};
use support::{metricast, ports};

use super::{Done, run, run_with_input};

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1}"#;

/// Takes every line that begins with a brace, as `metricast run` would.
fn taken(request: &Request) -> Answer {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/records"));
    assert_eq!(request.header("content-type"), "application/x-ndjson");
    let lines = (1..).zip(request.text().lines()).filter(|(_, line)| !line.is_empty());
    let (good, bad): (Vec<_>, Vec<_>) = lines.partition(|(_, line)| line.starts_with('{'));
    let refused: Vec<_> = bad.iter().map(|(line, _)| json!({"line": line, "reason": "not JSON"})).collect();
    let status = if good.is_empty() { 400 } else { 200 };
    Answer::json(status, &json!({"accepted": good.len(), "refused": refused}))
}

fn publish(stub: &Stub, more: &[&str], input: &str) -> Done {
    let url = stub.url();
    let arguments = ["publish", "--to", &url].into_iter().chain(more.iter().copied());
    run_with_input(&mut metricast::command(arguments), input.as_bytes())
}

fn kept(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_real_records_are_sent_and_counted() {
    let stub = Stub::start(taken);
    let file = support::data("event-pipeline.ndjson");
    let done = run(["publish", "--to", &stub.url(), file.to_str().unwrap()]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert!(done.stdout.contains("accepted 6,965 of 6,965 lines, "), "{}", done.stdout);
    let sent: String = stub.requests().iter().map(|request| request.text().to_owned()).collect();
    assert_eq!(sent, std::fs::read_to_string(file).unwrap());
}

#[test]
fn refused_lines_are_told_and_kept_with_the_numbers_of_the_file() {
    let stub = Stub::start(taken);
    let folder = tempfile::tempdir().unwrap();
    let (input, refused) = (folder.path().join("app.ndjson"), folder.path().join("refused.ndjson"));
    // More lines than one body takes.
    let mut lines = vec![RECORD; 25_000];
    (lines[1], lines[2], lines[23_456]) = ("bad 2", "", "bad 23457");
    std::fs::write(&input, lines.join("\n")).unwrap();
    let input = input.to_str().unwrap();
    let done = run(["publish", "--to", &stub.url(), "--refused", refused.to_str().unwrap(), input]);
    assert_eq!((done.code, done.stderr.as_str()), (1, ""));
    assert!(stub.requests().len() > 1);
    assert!(done.stdout.contains("accepted 24,997 of 25,000 lines"), "{}", done.stdout);
    assert!(done.stdout.contains(&format!("  {input}:2: not JSON\n  {input}:23457: not JSON\n")), "{}", done.stdout);
    assert_eq!(
        kept(&refused),
        [
            json!({"source": input, "line": 2, "reason": "not JSON", "raw": "bad 2"}),
            json!({"source": input, "line": 23_457, "reason": "not JSON", "raw": "bad 23457"}),
        ]
    );
}

#[test]
fn a_body_of_which_nothing_is_a_record_is_refused_and_the_rest_goes_on() {
    let stub = Stub::start(taken);
    let done = publish(&stub, &["-"], "bad\n");
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("accepted 0 of 1 lines") && done.stdout.contains("<stdin>:1: "), "{}", done.stdout);
}

#[test]
fn no_room_is_waited_for() {
    let busy = |request: &Request| match request.number {
        0 => Answer::empty(503).with_header("retry-after", "0"),
        _ => taken(request),
    };
    let stub = Stub::start(busy);
    let done = publish(&stub, &[], RECORD);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("accepted 1 of 1 lines"), "{}", done.stdout);
    assert!(done.stdout.contains("waited for room in its queue (1x)"), "{}", done.stdout);
}

#[test]
fn no_room_is_waited_for_so_long_only() {
    let stub = Stub::start(|_| Answer::empty(503));
    let done = publish(&stub, &["--wait", "0s"], RECORD);
    assert_eq!(done.code, 3);
    assert!(done.stderr.contains("has had no room for 0s"), "{}", done.stderr);
}

#[test]
fn a_body_that_is_too_large_is_sent_in_parts() {
    const LARGEST: usize = 3 * RECORD.len();
    let stub = Stub::start(|request| if request.body.len() > LARGEST { Answer::empty(413) } else { taken(request) });
    let long = format!("{{\"event_name\": \"{}\"}}", "x".repeat(LARGEST));
    let done = publish(&stub, &[], &[RECORD, RECORD, &long, RECORD, "bad", RECORD, RECORD].join("\n"));
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("accepted 5 of 7 lines"), "{}", done.stdout);
    assert!(done.stdout.contains("<stdin>:3: ") && done.stdout.contains("<stdin>:5: not JSON"), "{}", done.stdout);
}

#[test]
fn what_comes_after_a_broken_connection_is_not_sent_and_said_so() {
    let stub = Stub::start(|request| if request.number == 0 { taken(request) } else { Answer::HangUp });
    let done = publish(&stub, &["--wait", "1s"], &vec![RECORD; 20_000].join("\n"));
    assert_eq!(done.code, 3);
    assert!(done.stderr.contains("with --resume "), "{}", done.stderr);
    assert!(done.stderr.contains("whether the body arrived is not known"), "{}", done.stderr);
    assert!(done.stderr.contains("nothing after <stdin>:"), "{}", done.stderr);
}

#[test]
fn an_answer_that_is_not_metricasts_is_shown() {
    let stub = Stub::start(|_| Answer::text(404, "no such page"));
    let done = publish(&stub, &[], RECORD);
    assert_eq!(done.code, 3);
    assert!(done.stderr.contains("/v1/records answered 404 Not Found: no such page"), "{}", done.stderr);
}

#[test]
fn nobody_listening_is_told_with_a_hint() {
    let done = run(["publish", "--to", &format!("http://127.0.0.1:{}", ports::free()), "-"]);
    assert_eq!(done.code, 0, "nothing to send: {}", done.stderr);
    let url = format!("http://127.0.0.1:{}", ports::free());
    let done = run_with_input(&mut metricast::command(["publish", "--to", &url]), RECORD.as_bytes());
    assert_eq!((done.code, done.stdout.as_str()), (3, ""));
    assert!(done.stderr.starts_with(&format!("error: cannot connect to {url}/v1/records: ")), "{}", done.stderr);
    assert!(done.stderr.contains("is `metricast run` listening there?"), "{}", done.stderr);
}

#[test]
fn an_answer_that_does_not_account_for_each_line_is_not_believed() {
    for answer in [
        json!({"accepted": 7}),
        json!({"accepted": 0}),
        json!({"accepted": 1, "refused": [{"line": 9, "reason": "x"}]}),
    ] {
        let stub = Stub::start(move |_| Answer::json(200, &answer));
        let done = publish(&stub, &[], &format!("{RECORD}\n\n{RECORD}\n"));
        assert_eq!((done.code, done.stdout.as_str()), (3, ""));
        assert!(done.stderr.contains(" records of 2; what became of the body is not known"), "{}", done.stderr);
    }
}

#[test]
fn a_password_in_the_address_is_not_taken() {
    let done = run(["publish", "--to", "http://me:verysecret@127.0.0.1:4319", "-"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("a user or a password in it"), "{}", done.stderr);
}
