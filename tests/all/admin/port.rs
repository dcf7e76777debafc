//! Where the admin port is, and where it is not.

use support::metricast::Metricast;
use support::prometheus::parsed_open_metrics;
use support::{http, ports};

use super::{RECORD, Running, prometheus};

fn config(admin: &str) -> String {
    format!("[ingest]\nlisten = \"127.0.0.1:{}\"\n[admin]\n{admin}\n{}", ports::free(), prometheus().0)
}

#[test]
fn a_stated_address_that_is_taken_is_a_mistake() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (status, log) = Metricast::spawn(&config(&format!("listen = \"{address}\"")), &[]).wait();
    assert_eq!(status.code(), Some(2), "{log}");
    let told = format!("cannot listen on {address} for admin requests: ");
    assert!(log.contains(&told) && log.contains("[admin] listen names another address, or is \"off\""), "{log}");
}

#[test]
fn the_usual_address_is_done_without_where_it_is_taken() {
    // Where another has it already, it is taken all the same.
    let _taken = std::net::TcpListener::bind("127.0.0.1:4320");
    let running = Metricast::run(&config(""));
    running.wait_for_line("no admin port: 127.0.0.1:4320 cannot be listened on: ");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}

#[test]
fn off_is_nowhere_and_without_a_word() {
    let running = Metricast::run(&config("listen = \"off\""));
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("admin port") && !log.contains("own metrics"), "{log}");
}

#[test]
fn its_metrics_are_good_in_the_eyes_of_others() {
    let running = Running::with("", &prometheus().0);
    assert_eq!(running.post(RECORD).status, 200);
    let page = running.get("/metrics");
    assert_eq!(page.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    if let Some(samples) = parsed_open_metrics(page.text()) {
        let version = samples.iter().find(|sample| sample.label("__name__") == "metricast_build_info").unwrap();
        assert_eq!(version.label("version"), env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn its_first_page_lists_the_others_and_what_is_not_there_is_404() {
    let running = Running::with("", &prometheus().0);
    let index = running.get("/");
    for path in index.text().lines().filter(|line| line.starts_with('/')) {
        assert_ne!(running.get(path).status, 404, "{path}");
    }
    assert!(index.text().lines().count() > 5, "{}", index.text());
    assert_eq!(running.get("/nothing").status, 404);
    let posted = http::post(&format!("http://{}/status", running.admin), "text/plain", "").unwrap();
    assert_eq!(posted.status, 405);
}
