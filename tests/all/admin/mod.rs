//! metricast as it is seen from outside: the admin port, the service manager, dashboard and rules.

mod dashboard;
mod port;
mod rules;
mod service;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use support::metricast::Metricast;
use support::{http, ports, wait};

use crate::conformance::rulebreaker;

const PATIENCE: Duration = Duration::from_mins(1);

/// A running metricast with its ports.
struct Running {
    metricast: Metricast,
    ingest: String,
    admin: String,
}

impl Running {
    /// With these publishers; `top` stands above them.
    fn with(top: &str, publishers: &str) -> Self {
        let (ingest, admin) = (format!("127.0.0.1:{}", ports::free()), format!("127.0.0.1:{}", ports::free()));
        let config = format!("{top}\n[ingest]\nlisten = \"{ingest}\"\n[admin]\nlisten = \"{admin}\"\n{publishers}");
        Self { metricast: Metricast::run(&config), ingest, admin }
    }

    fn get(&self, path: &str) -> http::Answer {
        http::get(&format!("http://{}{path}", self.admin)).unwrap()
    }

    fn status(&self) -> Value {
        self.get("/status").json()
    }

    fn post(&self, body: &str) -> http::Answer {
        http::post(&format!("http://{}/v1/records", self.ingest), "application/x-ndjson", body).unwrap()
    }

    /// Waits until a path answers so.
    fn wait_for(&self, path: &str, status: u16, text: &str) -> String {
        wait::until(&format!("{path}: {status} {text}"), PATIENCE, || {
            let answer = self.get(path);
            (answer.status == status && answer.text().contains(text)).then(|| answer.text().to_owned())
        })
    }
}

fn prometheus() -> (String, String) {
    let scrape = ports::free();
    (format!("[[publishers]]\nplugin = \"prometheus\"\nconfig.port = {scrape}\n"), format!("127.0.0.1:{scrape}"))
}

/// A publisher whose backend is away.
fn search() -> String {
    format!(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"http://127.0.0.1:{}\"]\nindex_prefix = \"shop\"\n",
        ports::free()
    )
}

/// A file of `docs/operations`.
fn operations(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/operations").join(name)
}

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1, "end_time": 2, "status": "completed"}"#;

#[test]
fn status_tells_how_each_publisher_stands() {
    let running = Running::with("", &format!("{}{}", prometheus().0, search()));
    assert_eq!(running.post(&format!("{RECORD}\n{RECORD}\nnonsense\n")).status, 200);
    let status = wait::until("both publishers at work", PATIENCE, || {
        let status = running.status();
        let done = status["publishers"][0]["counts"]["accepted"] == 2;
        (done && status["publishers"][1]["last_error"].is_object()).then_some(status)
    });
    assert_eq!(status["ingest"], json!({"requests": {"200": 1}, "accepted": 2, "refused": 1}));
    assert_eq!((&status["stage"], &status["queue"]["mode"]), (&json!("running"), &json!("memory")));
    assert_eq!((&status["queue"]["records"], &status["queue"]["held_by"]), (&json!(2), &json!([])));
    let [scrape, search] = status["publishers"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!((&scrape["name"], &scrape["plugin"]), (&json!("prometheus"), &json!("prometheus")));
    assert_eq!(
        (&scrape["state"], &scrape["lag_records"], &scrape["caught_up"]),
        (&json!("running"), &json!(0), &json!(true))
    );
    assert_eq!((&search["state"], &search["lag_records"]), (&json!("waiting"), &json!(2)), "{search}");
    assert!(search["reason"].as_str().unwrap().contains("127.0.0.1"), "{search}");
    let now = status["now"].as_f64().unwrap();
    assert!((now - search["last_error"]["time"].as_f64().unwrap()).abs() < 60.0, "{search}");
    assert!(search["next_try"].as_f64().unwrap() > now - 60.0, "{search}");
    wait::until("its records grow old", PATIENCE, || {
        (running.status()["publishers"][1]["lag_seconds"].as_f64().unwrap() > 1.0).then_some(())
    });
}

#[test]
fn a_backend_that_is_away_is_neither_ready_nor_unhealthy() {
    let running = Running::with("drain_timeout = \"1s\"", &search());
    assert_eq!(running.post(RECORD).status, 200);
    running.wait_for("/readyz", 503, "publisher search has not caught up with the queue, it is waiting: ");
    assert_eq!((running.get("/healthz").status, running.get("/livez").status), (200, 200));
}

#[test]
fn ready_is_who_takes_records_and_no_more_who_stops() {
    let publishers = format!("{}{}", prometheus().0, search());
    let running = Running::with("drain_timeout = \"20s\"", &prometheus().0);
    running.wait_for("/readyz", 200, "ok");
    drop(running);
    let running = Running::with("drain_timeout = \"20s\"", &publishers);
    assert_eq!(running.post(RECORD).status, 200);
    let signalled = std::process::Command::new("kill").arg(running.metricast.id().to_string()).status().unwrap();
    assert!(signalled.success());
    running.wait_for("/readyz", 503, "metricast is stopping");
    assert_eq!(running.status()["stage"], "draining");
    assert_eq!(running.get("/healthz").status, 200);
}

#[test]
fn a_plugin_that_breaks_on_everything_is_named_and_nobody_is_restarted_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let broken = rulebreaker(folder.path(), "receipt-sum");
    let publisher =
        format!("[[publishers]]\nname = \"broken\"\nplugin = {broken:?}\nlisten = \"127.0.0.1:{}\"\n", ports::free());
    let running = Running::with("drain_timeout = \"1s\"", &format!("{}{publisher}", prometheus().0));
    let body = format!("{RECORD}\n").repeat(50);
    assert_eq!(running.post(&body).status, 200);
    let told = running.wait_for("/healthz", 503, "publisher broken: its plugin broke ");
    assert!(!told.contains("publisher prometheus"), "{told}");
    assert_eq!(running.get("/livez").status, 200);
    running.metricast.wait_for_line("unhealthy: its plugin broke ");
    let page = running.get("/metrics");
    let faults = page
        .text()
        .lines()
        .find_map(|line| line.strip_prefix("metricast_publisher_faults_total{publisher=\"broken\"} "));
    assert!(faults.unwrap().parse::<u64>().unwrap() >= 3, "{}", page.text());
    assert_eq!(running.status()["publishers"][0]["counts"]["accepted"], 50);
}

#[test]
fn who_holds_a_full_queue_is_named_everywhere() {
    let top = "drain_timeout = \"1s\"\n[queue]\nmax_size = \"4KiB\"\nwhen_full = \"reject\"\n";
    let running = Running::with(top, &format!("{}{}", prometheus().0, search()));
    let body = format!("{RECORD}\n").repeat(10);
    wait::until("a full queue", PATIENCE, || (running.post(&body).status == 503).then_some(()));
    // What is left may be too little for ten and enough for one.
    wait::until("a queue that takes nothing", PATIENCE, || (running.post(RECORD).status == 503).then_some(()));
    running.wait_for("/healthz", 200, "the queue is full, and held by search");
    assert_eq!(running.status()["queue"]["held_by"], json!(["search"]));
    running.metricast.wait_for_line("the queue is full, and this publisher holds it: ");
    let page = running.get("/metrics");
    for line in
        ["metricast_queue_held_by{publisher=\"search\"} 1", "metricast_queue_held_by{publisher=\"prometheus\"} 0"]
    {
        assert!(page.text().lines().any(|found| found == line), "{line} is missing in\n{}", page.text());
    }
}
