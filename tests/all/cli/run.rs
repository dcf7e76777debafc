//! `metricast run`: from the first record to the last word.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::metricast::Metricast;
use support::{data, http, ports, wait};

fn config(scrapes: u16) -> String {
    let ingest = ports::free();
    format!(
        "drain_timeout = \"2s\"\n[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[[publishers]]\nname = \"scrape\"\n\
         plugin = \"prometheus\"\n[publishers.config]\nport = {scrapes}\n"
    )
}

fn url(config: &str) -> String {
    let listen = config.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap();
    format!("http://{}", listen.trim_matches('"'))
}

#[test]
fn it_takes_what_publish_sends_and_ends_clean_at_a_signal() {
    let scrapes = ports::free();
    let config = config(scrapes);
    let running = Metricast::run(&config);
    running.wait_for_line("records at http://");
    let sent = super::run(["publish", "--to", &url(&config), data("event-pipeline.ndjson").to_str().unwrap()]);
    assert_eq!(sent.code, 0, "{}", sent.stderr);
    assert!(sent.stdout.contains("accepted 6,965 of 6,965 lines"), "{}", sent.stdout);
    let counted = || {
        let page = http::get(&format!("http://127.0.0.1:{scrapes}/metrics")).ok()?;
        let sum: f64 = page
            .text()
            .lines()
            .filter(|line| line.starts_with("event_records_total{") || line.starts_with("network_operations_total{"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        (sum >= 6_965.0).then_some(sum)
    };
    assert!((wait::until("all records are counted", Duration::from_mins(1), counted) - 6_965.0).abs() < 0.5);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("accepted=6965") && log.contains("for up to 2s; a second signal gives it up"), "{log}");
}

#[test]
fn what_was_not_delivered_is_named_at_the_end() {
    let config = config(ports::free());
    let away = ports::free();
    let search = format!(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"http://127.0.0.1:{away}\"]\nindex_prefix = \"shop\"\n"
    );
    let running = Metricast::run_with(&format!("{config}{search}"), &["--log-format", "json"]);
    let record = json!({"event_name": "Pack", "start_time": 1}).to_string();
    let answer = http::post(&format!("{}/v1/records", url(&config)), "application/json", record).unwrap();
    assert_eq!(answer.json()["accepted"], 1);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(3), "{log}");
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().find(|line| line["level"] == "ERROR").unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&last["publisher"], &last["undelivered"]), (&json!("search"), &json!(1)), "{last}");
}

#[test]
fn a_second_signal_gives_up_what_is_not_delivered() {
    let config = config(ports::free());
    let patient = config.replace("drain_timeout = \"2s\"", "drain_timeout = \"10m\"");
    let search = format!(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"http://127.0.0.1:{}\"]\nindex_prefix = \"shop\"\n",
        ports::free()
    );
    let running = Metricast::run(&format!("{patient}{search}"));
    let record = json!({"event_name": "Pack", "start_time": 1}).to_string();
    let answer = http::post(&format!("{}/v1/records", url(&config)), "application/json", record).unwrap();
    assert_eq!(answer.status, 200);
    let signalled = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(signalled.success());
    running.wait_for_line("stopping: ");
    // What comes at once is taken for the same signal.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("a second signal: what is not delivered is given up"), "{log}");
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let config = config(ports::free());
    let _running = Metricast::run(&config);
    let (status, log) = Metricast::spawn(&config, &[]).wait();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("is another metricast running? [ingest] listen names another address"), "{log}");
}

#[test]
fn a_scrape_address_that_is_taken_is_pointed_at() {
    let scrapes = ports::free();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", scrapes)).unwrap();
    let (status, log) = Metricast::spawn(&config(scrapes), &[]).wait();
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(
        log.contains(&format!("publisher scrape: config.port: cannot listen on 127.0.0.1:{scrapes} for scrapes")),
        "{log}"
    );
}

#[test]
fn publishers_that_want_one_address_are_named() {
    let scrapes = ports::free();
    let one = |name: &str| {
        format!("[[publishers]]\nname = \"{name}\"\nplugin = {:?}\nconfig.port = {scrapes}\n", super::ADVISER)
    };
    let config = format!("[ingest]\nlisten = \"127.0.0.1:{}\"\n{}{}", ports::free(), one("a"), one("b"));
    let (status, log) = Metricast::spawn(&config, &[]).wait();
    assert_eq!(status.code(), Some(2), "{log}");
    let told = format!("publisher b: config.port: cannot listen on 127.0.0.1:{scrapes} for scrapes: ");
    assert!(log.contains(&told) && log.contains("; publisher a has it\n"), "{log}");
}

#[test]
fn quiet_it_tells_nothing_while_all_is_well_and_still_tells_what_was_not_delivered() {
    let well = config(ports::free());
    let running = Metricast::run_with(&well, &["-q"]);
    let record = json!({"event_name": "Pack", "start_time": 1}).to_string();
    let answer = http::post(&format!("{}/v1/records", url(&well)), "application/json", record.as_str()).unwrap();
    assert_eq!(answer.json()["accepted"], 1);
    let (status, log) = running.stop();
    assert_eq!((status.code(), log.as_str()), (Some(0), ""));

    let away = ports::free();
    let lost = well
        + &format!(
            "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
             hosts = [\"http://127.0.0.1:{away}\"]\nindex_prefix = \"shop\"\n"
        );
    let running = Metricast::run_with(&lost, &["--quiet"]);
    let answer = http::post(&format!("{}/v1/records", url(&lost)), "application/json", record).unwrap();
    assert_eq!(answer.status, 200);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(3), "{log}");
    let lines: Vec<_> = log.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains("ERROR") && lines[0].contains("not all was delivered"), "{log}");
}

#[test]
fn scrapes_at_the_same_time_share_one_call() {
    let scrapes = ports::free();
    let config = format!(
        "[ingest]\nlisten = \"127.0.0.1:{}\"\n[[publishers]]\nname = \"a\"\nplugin = {:?}\nconfig.port = {scrapes}\n",
        ports::free(),
        super::ADVISER
    );
    let running = Metricast::run(&config);
    running.wait_for_line("records at http://");
    let page = format!("http://127.0.0.1:{scrapes}/metrics");
    // Each call takes a second, and tells how many there were.
    let calls = |scrapers: usize| -> Vec<u32> {
        let asking = |_| {
            let page = page.clone();
            std::thread::spawn(move || http::get(&page).unwrap().expect_success("a scrape").text().to_owned())
        };
        let asked: Vec<_> = (0..scrapers).map(asking).collect();
        let texts = asked.into_iter().map(|scrape| scrape.join().unwrap());
        texts.map(|text| text.trim_end().strip_prefix("scrapes_total ").unwrap().parse().unwrap()).collect()
    };
    let together = calls(16);
    assert!(together.len() == 16 && together.iter().all(|calls| *calls <= 2), "{together:?}");
    let after = calls(1);
    assert!(after[0] > *together.iter().max().unwrap(), "an answer is not kept: {after:?} after {together:?}");
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn an_address_that_is_not_this_machines_is_told_with_what_would_do() {
    // From a range for documentation (RFC 5737).
    let config = "[ingest]\nlisten = \"192.0.2.1:4319\"\n[[publishers]]\nplugin = \"prometheus\"\n";
    let (status, log) = Metricast::spawn(config, &[]).wait();
    assert_eq!(status.code(), Some(2), "{log}");
    let told =
        "for records; this machine has no such address: 127.0.0.1 is reached from itself only, 0.0.0.0 from everywhere";
    assert!(log.contains("cannot listen on 192.0.2.1:4319 ") && log.contains(told), "{log}");
}
