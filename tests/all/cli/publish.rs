//! `metricast publish -c CONFIG`: publishers of its own, and the summary at the end.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use support::stub::{Answer, Request, Stub};
use support::{data, metricast, ports, wait};
use tempfile::TempDir;

use super::{Done, run, run_with_input};

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1}"#;

/// A folder with a config in it.
struct Config(TempDir);

impl Config {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metricast.toml"), text).unwrap();
        Self(folder)
    }

    fn elasticsearch(url: &str) -> Self {
        Self::new(&format!(
            "drain_timeout = \"2s\"\n[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n\
             [publishers.config]\nhosts = [\"{url}\"]\nindex_prefix = \"shop\"\nindices = \"daily\"\n\
             max_past = \"36500d\"\n"
        ))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn publish(&self, more: &[&str], input: &str) -> Done {
        let path = self.path("metricast.toml");
        let arguments = ["publish", "-c", &path].into_iter().chain(more.iter().copied());
        run_with_input(&mut metricast::command(arguments), input.as_bytes())
    }
}

/// An Elasticsearch of one index: `judge` says what becomes of each document.
fn search(judge: impl Fn(&Request, &Value) -> Value + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        if request.method == "GET" && request.path == "/" {
            return Answer::json(200, &json!({"version": {"number": "8.19.0"}}));
        }
        if !request.path.ends_with("/_bulk") && !request.path.contains("/_bulk?") {
            return Answer::json(200, &json!({"acknowledged": true}));
        }
        let documents = request.text().lines().skip(1).step_by(2).map(|line| serde_json::from_str(line).unwrap());
        let items: Vec<_> = documents.map(|document| json!({"create": judge(request, &document)})).collect();
        Answer::json(200, &json!({"errors": true, "items": items}))
    })
}

/// The row of a publisher in the summary, as words.
fn row<'a>(done: &'a Done, publisher: &str) -> Vec<&'a str> {
    let row = done.stdout.lines().find(|line| line.starts_with(&format!("{publisher} ")));
    row.unwrap_or_else(|| panic!("{}{}", done.stdout, done.stderr)).split_whitespace().collect()
}

#[test]
fn all_real_records_are_published_and_summed_up() {
    let config = Config::new("[[publishers]]\nname = \"scrape\"\nplugin = \"prometheus\"\n");
    let done = config.publish(&[data("event-pipeline.ndjson").to_str().unwrap()], "");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("6,965 lines, 2.24 MiB, in "), "{}", done.stdout);
    assert_eq!(row(&done, "scrape")[1..5], ["6,965", "0", "0", "0"], "{}", done.stdout);
    assert!(done.stderr.contains("nobody can scrape it"), "{}", done.stderr);
}

#[test]
fn refused_lines_are_told_and_kept() {
    let config = Config::new("[[publishers]]\nplugin = \"prometheus\"\n");
    let refused = config.path("refused.ndjson");
    let done = config.publish(&["--refused", &refused, "-"], &format!("{RECORD}\nnot json\n\n{RECORD}"));
    assert_eq!(done.code, 1);
    assert_eq!(row(&done, "prometheus")[1..3], ["2", "0"]);
    assert!(done.stdout.contains(&format!("refused: 1, all in {refused}\n  <stdin>:2: not JSON")), "{}", done.stdout);
    let kept: Value = serde_json::from_str(&fs::read_to_string(&refused).unwrap()).unwrap();
    assert_eq!((&kept["source"], &kept["line"], &kept["raw"]), (&json!("<stdin>"), &json!(2), &json!("not json")));
}

#[test]
fn rejected_records_are_told_with_the_servers_reason_and_an_example() {
    let stub = search(|_, document| match document["event"]["action"].as_str() {
        Some("Pack") => json!({"status": 201}),
        _ => json!({"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "too odd"}}),
    });
    let odd = RECORD.replace("Pack", "Odd");
    let done = Config::elasticsearch(&stub.url()).publish(&[], &format!("{RECORD}\n{odd}\n{RECORD}\n{odd}"));
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert_eq!(row(&done, "search")[1..5], ["2", "2", "0", "0"]);
    assert!(done.stdout.contains("search rejected 2: ") && done.stdout.contains("too odd"), "{}", done.stdout);
    assert!(done.stdout.contains("\n  as {\"event_name\":\"Odd\""), "{}", done.stdout);
}

#[test]
fn a_log_in_detail_has_a_span_for_each_batch_and_its_answers() {
    let asked = AtomicUsize::new(0);
    let stub = search(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => json!({"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "busy"}}),
        _ => json!({"status": 201}),
    });
    let done =
        Config::elasticsearch(&stub.url()).publish(&["-v", "--log-format", "json"], &format!("{RECORD}\n{RECORD}"));
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let lines = done.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answers: Vec<Value> = lines.filter(|line| line["message"] == "the plugin has answered").collect();
    let span = &answers[0]["span"];
    assert_eq!((&span["name"], &span["publisher"], &span["first"]), (&json!("batch"), &json!("search"), &json!(0)));
    let counts: Vec<_> =
        answers.iter().map(|it| (&it["attempt"], &it["records"], &it["accepted"], &it["put_off"])).collect();
    assert_eq!(counts, [(&json!(1), &json!(2), &json!(1), &json!(1)), (&json!(2), &json!(1), &json!(1), &json!(0))]);
}

#[test]
fn what_is_sent_again_is_counted() {
    let asked = AtomicUsize::new(0);
    let stub = search(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => json!({"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "busy"}}),
        _ => json!({"status": 201}),
    });
    let done = Config::elasticsearch(&stub.url()).publish(&[], RECORD);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(row(&done, "search")[1..4], ["1", "0", "0"]);
    assert_eq!(row(&done, "search")[4], "1", "{}", done.stdout);
}

#[test]
fn a_backend_that_is_away_is_named_and_the_others_have_everything() {
    let away = ports::free();
    let config = Config::new(&format!(
        "drain_timeout = \"1s\"\n[[publishers]]\nname = \"scrape\"\nplugin = \"prometheus\"\n\
         [[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n\
         [publishers.config]\nhosts = [\"http://127.0.0.1:{away}\"]\nindex_prefix = \"shop\"\n"
    ));
    let done = config.publish(&[], &format!("{RECORD}\nnot json\n"));
    assert_eq!(done.code, 3, "undelivered wins over refused: {}", done.stderr);
    assert_eq!(row(&done, "scrape")[1..4], ["1", "0", "0"]);
    assert_eq!(row(&done, "search")[1..4], ["0", "0", "1"]);
    assert!(done.stdout.contains("search has not delivered 1: "), "{}", done.stdout);
    assert!(done.stderr.ends_with("error: gave up: nothing moved for 1s (drain_timeout)\n"), "{}", done.stderr);
}

#[test]
fn a_full_queue_with_a_dead_backend_ends_and_is_said() {
    let config = Config::new(&format!(
        "drain_timeout = \"1s\"\n[queue]\nmax_size = \"64KiB\"\n[[publishers]]\nname = \"search\"\n\
         plugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://127.0.0.1:{}\"]\nindex_prefix = \"shop\"\n",
        ports::free()
    ));
    let done = config.publish(&[data("event-pipeline.ndjson").to_str().unwrap()], "");
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.contains("error: gave up: nothing moved for 1s (drain_timeout) and the queue was full"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_signal_ends_standard_input_as_its_end_would() {
    let stub = search(|_, _| json!({"status": 201}));
    let config = Config::elasticsearch(&stub.url());
    let mut command = metricast::command(["publish", "-c", &config.path("metricast.toml")]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{RECORD}").unwrap();
    let bulk = || stub.requests().iter().any(|request| request.path.contains("_bulk")).then_some(());
    wait::until("a line is published as it comes", std::time::Duration::from_mins(1), bulk);
    xtask::process::terminate(&child).unwrap();
    let done = Done::from(child.wait_with_output().unwrap());
    drop(stdin);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(row(&done, "search")[1..4], ["1", "0", "0"]);
}

#[test]
fn what_a_plugin_says_of_its_settings_is_pointed_at_the_line() {
    let config = Config::new(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"localhost:9200\"]\nindex_prefix = \"shop\"\n",
    );
    let path = config.path("metricast.toml");
    for arguments in [["publish", "-c", &path], ["run", "-c", &path], ["check", "-c", &path]] {
        let done = run(arguments);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{arguments:?}");
        let place = format!("error: {path}:5:10: publisher search: hosts[0]: ");
        assert!(done.stderr.contains(&place), "{arguments:?}: {}", done.stderr);
    }
}
