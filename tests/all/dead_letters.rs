//! What publishers did not take, through the program: kept, looked at, delivered again, written out; and whether the
//! folder that has it is whole.

mod kinds;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use support::metricast::{self, Metricast};
use support::search::Node;
use support::{http, ports, wait};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A config with a queue in a folder beside it.
struct Setup {
    folder: TempDir,
    ingest: u16,
    config: String,
}

/// How a command ended.
struct Done {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).expect("standard output is text"),
            err: String::from_utf8(output.stderr).expect("standard error is text"),
        }
    }
}

impl Setup {
    fn new(publishers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ingest = ports::free();
        let config = format!(
            "drain_timeout = \"10s\"\n[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[admin]\nlisten = \"127.0.0.1:{}\"\n\
             [queue]\npath = \"{}\"\n{publishers}",
            ports::free(),
            folder.path().join("queue").display(),
        );
        fs::write(folder.path().join("metricast.toml"), &config).unwrap();
        Self { folder, ingest, config }
    }

    /// With an Elasticsearch publisher called `search`.
    fn search(url: &str, prefix: &str) -> Self {
        Self::new(&format!(
            "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"{url}\"]\n\
             index_prefix = \"{prefix}\"\nindices = \"daily\"\nmax_past = \"36500d\"\n"
        ))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Metricast {
        Metricast::run(&self.config)
    }

    fn post(&self, body: &str) -> http::Answer {
        http::post(&format!("http://127.0.0.1:{}/v1/records", self.ingest), "application/x-ndjson", body).unwrap()
    }

    /// A command about this queue: `dead-letters list` and what follows the queue.
    fn command(&self, command: &str, more: &[&str]) -> Done {
        let config = self.path("metricast.toml").display().to_string();
        let words = command.split(' ').chain(["-c", &config]).chain(more.iter().copied());
        metricast::output(words.collect::<Vec<_>>()).into()
    }

    /// What a command writes that does well.
    fn told(&self, command: &str, more: &[&str]) -> String {
        let done = self.command(command, more);
        assert_eq!(done.code, 0, "{command} {more:?}: {}{}", done.out, done.err);
        done.out
    }

    /// Its lines as JSON.
    fn lines(&self, command: &str, more: &[&str]) -> Vec<Value> {
        self.told(command, more).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn letters(&self) -> Vec<Value> {
        self.lines("dead-letters list", &["--each", "--json"])
    }
}

fn record(name: &str, pid: u32) -> String {
    json!({ "event_name": name, "start_time": 1_795_368_571.25, "end_time": 1_795_368_571.75, "status": "completed",
            "process_id": pid })
    .to_string()
}

const DAY: &str = "event-2026.11.22";

/// An index that no larger process id than 127 fits into.
fn narrow(node: &Node, prefix: &str) {
    let mapping =
        json!({ "mappings": { "properties": { "process": { "properties": { "pid": { "type": "byte" } } } } } });
    node.put(&format!("/{prefix}-{DAY}"), &mapping);
}

fn names(node: &Node, prefix: &str) -> Vec<String> {
    let hits = node.search(&format!("{prefix}-{DAY}"), &json!({ "size": 100 }))["hits"]["hits"].take_array();
    let mut names: Vec<_> =
        hits.iter().map(|hit| hit["_source"]["event"]["action"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

trait TakeArray {
    fn take_array(&self) -> Vec<Value>;
}

impl TakeArray for Value {
    fn take_array(&self) -> Vec<Value> {
        self.as_array().cloned().unwrap_or_default()
    }
}

#[test]
fn what_a_mapping_rejects_is_delivered_when_the_mapping_is_repaired() {
    let Some(node) = Node::shared() else { return };
    narrow(&node, "letters");
    let setup = Setup::search(&node.url(), "letters");
    let running = setup.run();
    let lines =
        [record("fits", 1), record("first", 25_331), "{\"no\": \"record\"}".to_owned(), record("second", 25_332)];
    assert_eq!(setup.post(&lines.join("\n")).json()["accepted"], 3);
    // While it runs, through its admin port.
    let letters = wait::until("three dead letters", PATIENCE, || Some(setup.letters()).filter(|it| it.len() == 3));
    let rejected: Vec<_> = letters.iter().filter(|letter| letter["kind"] == "rejected").collect();
    assert_eq!(rejected.len(), 2, "{letters:?}");
    assert!(rejected[0]["reason"].as_str().unwrap().contains("process.pid"), "{letters:?}");
    assert_eq!((&rejected[0]["publisher"], &rejected[0]["attempts"]), (&json!("search"), &json!(1)));
    assert!(rejected[0]["plugin"].as_str().unwrap().starts_with("elasticsearch "), "{letters:?}");
    let refused = letters.iter().find(|letter| letter["kind"] == "refused").unwrap();
    assert_eq!((&refused["raw"], &refused["line"]), (&json!("{\"no\": \"record\"}"), &json!(3)));
    let number = rejected[0]["number"].to_string();
    let shown = setup.told("dead-letters show", &[&number]);
    assert!(shown.contains("publisher    search\n") && shown.contains("\"event_name\":\"first\""), "{shown}");
    let by_reason = setup.told("dead-letters list", &["--publisher", "search"]);
    assert!(by_reason.starts_with("count  publisher  kind "), "{by_reason}");
    assert!(by_reason.contains("    2  search     rejected  ") && by_reason.contains("with id '…'"), "{by_reason}");

    // As long as nothing is repaired, it is rejected again, and is a dead letter again.
    let again = setup.told("dead-letters retry", &[&number]);
    assert_eq!(again, "1 records in the queue again, for search\n");
    let new =
        |it: &Vec<Value>| it.len() == 3 && it.iter().all(|letter| letter["number"].as_u64() != number.parse().ok());
    wait::until("it is a dead letter again", PATIENCE, || Some(setup.letters()).filter(new));
    assert_eq!(names(&node, "letters"), ["fits"]);

    node.delete(&format!("/letters-{DAY}"));
    assert_eq!(
        setup.told("dead-letters retry", &["--publisher", "search"]),
        "2 records in the queue again, for search\n"
    );
    wait::until("the documents", PATIENCE, || {
        let there = node.send(http_method("HEAD"), &format!("/letters-{DAY}"), "application/json", "").status == 200;
        (there && names(&node, "letters") == ["first", "second"]).then_some(())
    });
    let left = setup.letters();
    assert_eq!((left.len(), &left[0]["kind"]), (1, &json!("refused")), "{left:?}");
    let stays = setup.command("dead-letters retry", &["--all"]);
    assert_eq!((stays.code, stays.out.as_str()), (1, ""), "{}", stays.err);
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    node.delete(&format!("/letters-{DAY}"));
}

fn http_method(name: &str) -> ::http::Method {
    name.parse().unwrap()
}

#[test]
fn what_is_retried_while_nothing_runs_is_delivered_by_the_next_run() {
    let Some(node) = Node::shared() else { return };
    narrow(&node, "offline");
    let setup = Setup::search(&node.url(), "offline");
    let running = setup.run();
    let lines: Vec<_> = (0..50).map(|index| record(&format!("e{index:02}"), 1_000 + index)).collect();
    setup.post(&lines.join("\n"));
    wait::until("the dead letters", PATIENCE, || (setup.letters().len() == 50).then_some(()));
    let online = setup.letters();
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    assert_eq!(setup.letters(), online, "the same is told with and without a running metricast");

    // Written out, they are records that can be published.
    let file = setup.path("letters.ndjson");
    setup.told("dead-letters export", &[file.to_str().unwrap()]);
    let formatted: Done = metricast::output(["format", file.to_str().unwrap()]).into();
    assert_eq!((formatted.code, formatted.out.lines().count()), (0, 50), "{}", formatted.err);

    node.delete(&format!("/offline-{DAY}"));
    let retried = setup.told("dead-letters retry", &["--reason", "process.pid"]);
    assert_eq!(retried, "50 records in the queue again, for search\n");
    assert_eq!(setup.letters(), Vec::<Value>::new());
    assert_eq!(setup.command("dead-letters retry", &["--all"]).err, "no dead letters\n");
    assert_eq!(setup.lines("queue export", &["--publisher", "search", "-"]).len(), 50);
    let running = setup.run();
    let all: Vec<_> = (0..50).map(|index| format!("e{index:02}")).collect();
    wait::until("the documents", PATIENCE, || {
        let there = node.send(http_method("HEAD"), &format!("/offline-{DAY}"), "application/json", "").status == 200;
        (there && names(&node, "offline") == all).then_some(())
    });
    assert_eq!(setup.letters(), Vec::<Value>::new());
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    node.delete(&format!("/offline-{DAY}"));
}

#[test]
fn lines_that_a_file_has_wrong_are_dead_letters_and_tried_again_as_they_are() {
    let setup = Setup::new(&format!("[[publishers]]\nplugin = \"prometheus\"\nconfig.port = {}\n", ports::free()));
    let file = setup.path("app.ndjson");
    fs::write(&file, format!("{}\n\x1b[2J{{\n{{\"a\": \u{9b}}}\n", record("good", 1))).unwrap();
    let published = setup.command("publish", &[file.to_str().unwrap()]);
    assert_eq!(published.code, 1, "{}{}", published.out, published.err);
    let letters = setup.letters();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert_eq!((&letters[0]["source"], &letters[0]["line"]), (&json!(file.to_str().unwrap()), &json!(2)));
    for (command, more) in [("dead-letters list", &["--each"] as &[&str]), ("dead-letters show", &["2"])] {
        let told = setup.told(command, more);
        assert!(!told.contains(|char: char| char.is_control() && char != '\n'), "{told:?}");
    }
    let raw = setup.told("dead-letters export", &["--lines", "-"]);
    assert_eq!(raw, "\u{1b}[2J{\n{\"a\": \u{9b}}\n");
    let stay = setup.command("dead-letters retry", &["1", "2"]);
    assert_eq!(stay.code, 1);
    assert!(stay.err.starts_with("error: 1 stays: ") && stay.err.contains("\nerror: 2 stays: "), "{}", stay.err);
    let none = setup.command("dead-letters export", &["-"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.starts_with("left out 2 refused lines, which are no records"), "{}", none.err);
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let setup = Setup::new(&format!("[[publishers]]\nplugin = \"prometheus\"\nconfig.port = {}\n", ports::free()));
    let running = setup.run();
    for index in 0..3 {
        assert_eq!(setup.post(&record("e", index)).status, 200);
    }
    let whole = setup.told("queue verify", &[]);
    assert!(
        whole.starts_with("3 records in 3 writes of the log, ") && whole.ends_with(": all as it was written\n"),
        "{whole}"
    );
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    let whole = setup.told("queue verify", &[]);
    assert!(whole.starts_with("3 records in 3 writes of the log, "), "{whole}");
    let segment = fs::read_dir(setup.path("queue/log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    let second = bytes.windows(4).enumerate().filter(|(_, window)| window == b"mcf1").nth(1).unwrap().0;
    bytes[second + 100] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let damaged = setup.command("queue verify", &[]);
    assert_eq!(damaged.code, 1, "{}{}", damaged.out, damaged.err);
    let place = format!("log/{} at byte {second}: ", segment.file_name().unwrap().display());
    assert!(damaged.out.starts_with(&place), "{}", damaged.out);
    assert!(damaged.out.contains("; the record at offset 1 is lost\n2 records in 2 writes"), "{}", damaged.out);
    let exported = setup.command("queue export", &["-"]);
    assert_eq!((exported.code, exported.out.lines().count()), (1, 2), "{}", exported.err);
}

#[test]
fn without_its_database_the_log_is_written_out_all_the_same() {
    let setup = Setup::new(&format!("[[publishers]]\nplugin = \"prometheus\"\nconfig.port = {}\n", ports::free()));
    let running = setup.run();
    for index in 0..3 {
        assert_eq!(setup.post(&record("e", index)).status, 200);
    }
    drop(running);
    let database = setup.path("queue/meta.redb");
    let exported = |what: &str| {
        let done = setup.command("queue export", &["-"]);
        assert_eq!((done.code, done.out.lines().count()), (1, 3), "{}", done.err);
        assert_eq!(done.err, format!("error: meta.redb: {what}\n"));
        let range = setup.command("queue export", &["--from", "1", "--to", "2", "-"]);
        assert_eq!((range.code, range.out.lines().count()), (1, 1), "{}", range.err);
        let one = setup.command("queue export", &["--publisher", "prometheus", "-"]);
        assert_eq!((one.code, one.out.as_str()), (2, ""), "nobody knows what it has answered for: {}", one.err);
    };
    fs::remove_file(&database).unwrap();
    exported("it is not there");
    fs::write(&database, b"rubbish").unwrap();
    let done = setup.command("queue export", &["-"]);
    assert_eq!((done.code, done.out.lines().count()), (1, 3), "{}", done.err);
    assert!(done.err.starts_with("error: meta.redb: it cannot be read as a database: "), "{}", done.err);
    assert_eq!(fs::read(&database).unwrap(), b"rubbish", "it is only looked at");
}

#[test]
fn the_admin_port_answers_no_page_in_a_browser() {
    let setup = Setup::new(&format!("[[publishers]]\nplugin = \"prometheus\"\nconfig.port = {}\n", ports::free()));
    let running = setup.run();
    running.wait_for_line("records at http://");
    let config: toml::Table = setup.config.parse().unwrap();
    let admin = config["admin"]["listen"].as_str().unwrap();
    let url = format!("http://{admin}/queue");
    let groups = r#"{"ask": "groups", "filter": {}}"#;
    let answered = http::post(&url, "application/json", groups).unwrap();
    assert_eq!((answered.status, answered.text().lines().count()), (200, 1), "{}", answered.text());
    assert!(answered.text().starts_with("{\"end\":"), "{}", answered.text());
    assert_eq!(http::post(&url, "text/plain", groups).unwrap().status, 415);
    assert_eq!(http::post(&url, "application/json", r#"{"ask": "everything"}"#).unwrap().status, 400);
    assert_eq!(http::get(&url).unwrap().status, 405);
    let mut stream = std::net::TcpStream::connect(admin).unwrap();
    let length = groups.len();
    let request = format!(
        "POST /queue HTTP/1.1\r\nhost: made-up.example\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{groups}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_wrong_question_is_told_what_would_be_right() {
    let setup = Setup::new("[[publishers]]\nplugin = \"prometheus\"\n");
    let none = setup.command("dead-letters list", &[]);
    assert_eq!(none.code, 2);
    assert!(
        none.err.contains("there is no queue in ") && none.err.contains("no metricast has run with it"),
        "{}",
        none.err
    );
    assert!(!setup.path("queue").exists(), "asking makes no queue");
    let memory = setup.path("memory.toml");
    fs::write(&memory, "[[publishers]]\nplugin = \"prometheus\"\n").unwrap();
    let done: Done = metricast::output(["queue", "verify", "-c", memory.to_str().unwrap()]).into();
    assert_eq!(done.code, 2);
    assert!(done.err.contains("has no [queue] path: its queue is in memory, and keeps nothing"), "{}", done.err);
    let wrong: [(&[&str], &str); 5] = [
        (&["dead-letters", "list"], "--config <FILE>|--queue <FOLDER>"),
        (
            &["dead-letters", "list", "--queue", "q", "--since", "yesterday"],
            "neither a time in UTC, as 2026-11-23T08:00:00Z",
        ),
        (&["dead-letters", "list", "--queue", "q", "--kind", "dead"], "rejected, poison, expired, late, refused"),
        (&["dead-letters", "retry", "--queue", "q", "--all", "7"], "cannot be used with"),
        (&["dead-letters", "retry", "--queue", "q"], "numbers, a filter such as --publisher, or --all say it"),
    ];
    for (arguments, told) in wrong {
        let done: Done = metricast::output(arguments.iter().copied()).into();
        assert!(done.code == 2 && done.err.contains(told), "{arguments:?}: {} {}", done.code, done.err);
    }
}
