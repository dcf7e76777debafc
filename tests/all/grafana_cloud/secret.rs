//! The token: put in by the host, inside Basic credentials too, and in nobody's words.

use std::path::Path;

use support::http::basic;
use support::stub::{Answer, Stub};

use super::{Done, Program};

const TOKEN: &str = "glc_hunter2hunter2";
const API_KEY: &str = "api_key = { secret = \"env:SECRET\" }\n";
const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1, "end_time": 2, "status": "completed"}"#;

/// What a receiver that answers so sees as `authorization`, each once, and what the program did.
fn seen(answer: Answer, settings: &str, subcommand: &str) -> (Vec<String>, Done) {
    let stub = Stub::start(move |_| answer.clone());
    let settings = format!("{API_KEY}{settings}");
    let program = Program::within("2s", &format!("{}/api/prom/push", stub.url()), &settings);
    let file = program.0.path().join("records.ndjson");
    std::fs::write(&file, RECORD).unwrap();
    let argument = if subcommand == "publish" { file.as_path() } else { Path::new("--online") };
    let done = program.run_logging("trace", subcommand, &[argument], TOKEN);
    let mut seen: Vec<_> = stub.requests().iter().map(|request| request.header("authorization").to_owned()).collect();
    assert!(!seen.is_empty() && done.said.contains("TRACE"), "{}", done.said);
    seen.dedup();
    (seen, done)
}

/// As Prometheus and Mimir answer to a push that they have stored.
fn taken() -> Answer {
    let headers = ["samples", "histograms", "exemplars"];
    headers.iter().fold(Answer::empty(204), |answer, what| {
        answer.with_header(&format!("x-prometheus-remote-write-{what}-written"), "1000000")
    })
}

/// No form of the token: as it is, in Basic credentials, or the first letters.
fn is_not_told(done: &Done) {
    let pair = basic("123456", TOKEN);
    for text in [TOKEN, "hunter2", pair.trim_start_matches("Basic ")] {
        assert!(!done.said.contains(text), "{}", done.said);
    }
}

#[test]
fn with_an_instance_id_the_token_goes_as_basic() {
    for subcommand in ["publish", "check"] {
        let (seen, done) = seen(taken(), "instance_id = 123456\n", subcommand);
        assert_eq!((done.code, seen), (Some(0), vec![basic("123456", TOKEN)]), "{}", done.said);
        is_not_told(&done);
    }
}

#[test]
fn without_one_it_goes_as_bearer() {
    let (seen, done) = seen(taken(), "", "publish");
    assert_eq!((done.code, seen), (Some(0), vec![format!("Bearer {TOKEN}")]), "{}", done.said);
    is_not_told(&done);
}

#[test]
fn a_token_that_is_refused_is_said_to_be_and_not_shown() {
    for subcommand in ["publish", "check"] {
        let (seen, done) = seen(Answer::text(401, "no such token"), "instance_id = 123456\n", subcommand);
        assert_ne!(done.code, Some(0), "{}", done.said);
        assert_eq!(seen, [basic("123456", TOKEN)]);
        assert!(done.said.contains("401") && done.said.contains("metrics:write"), "{}", done.said);
        is_not_told(&done);
    }
}
