//! Answers that real servers gave, and what is found in them.

use std::io::{Read as _, Write as _};

use super::*;

macro_rules! answer {
    ($version:literal, $name:literal) => {
        include_str!(concat!("../../tests/data/prometheus-", $version, "-", $name, ".json"))
    };
}

/// Answers by path. Both servers have a target at 127.0.0.1:19464 that nobody serves, and themselves, which are up:
/// 3.16 at port 19490, 2.42 at 19491. That of 3.16 at 19492 is asked for text first.
type Answers<'a> = [(&'static str, &'a str); 4];

const NEW: Answers<'_> = [
    ("status/buildinfo", answer!("3.16", "buildinfo")),
    ("targets?state=active", answer!("3.16", "targets")),
    ("status/flags", answer!("3.16", "flags")),
    ("status/config", answer!("3.16", "config")),
];

const OLD: Answers<'_> = [
    ("status/buildinfo", answer!("2.42", "buildinfo")),
    ("targets?state=active", answer!("2.42", "targets")),
    ("status/flags", answer!("2.42", "flags")),
    ("status/config", answer!("2.42", "config")),
];

/// When the servers were asked, by their own clocks.
const DATE: &str = "Sun, 22 Nov 2026 23:08:54 GMT";
const NOW: f64 = 1_795_388_934.5;

fn answered(status: u16, body: &str) -> Answer {
    let body: Option<Value> = serde_json::from_str(body).ok();
    let data = body.map(|mut body| body["data"].take()).filter(|_| status == 200);
    Answer { status, date: Some(DATE.to_owned()), data }
}

fn asked(answers: &[(&str, &str)], config: &Config) -> Vec<Finding> {
    let ask = |path: &str| match answers.iter().find(|(known, _)| *known == path) {
        Some((_, body)) => Ok(answered(200, body)),
        None => Ok(answered(404, "404 page not found")),
    };
    with(config, ask, || NOW)
}

/// Question, verdict and answer, one line each.
fn lines(findings: &[Finding]) -> Vec<String> {
    for Finding { verdict, fix, .. } in findings {
        assert_eq!(fix.is_empty(), *verdict == Verdict::Good, "{findings:?}");
    }
    let line = |Finding { question, verdict, answer, .. }: &Finding| format!("{question}: {verdict:?}: {answer}");
    findings.iter().map(line).collect()
}

fn config(port: u16, histograms: Histograms) -> Config {
    Config { port, histograms, ..Config::default() }
}

const REACHABLE: &str = "reachable: Good: it answers, and wants no credentials";
const CLOCK: &str = "clock: Good: within 5 s of this machine's";
const FIRST_SEEN: &str = "first values: Good: increase() sees them: created-timestamp-zero-ingestion is on";
const FIRST_MISSED: &str =
    "first values: Warning: increase() and rate() do not see what a series had when it was scraped first";
const NOT_SAID: &str = "version: Unknown: it does not say";

#[test]
fn a_server_of_3_16_that_is_as_it_should_be_and_waits_for_us() {
    let down = "target: Warning: 127.0.0.1:19464 in job shop/checkout is down: Get \"http://127.0.0.1:19464/metrics\": \
                dial tcp 127.0.0.1:19464: connect: connection refused";
    let native = "native histograms: Good: the job scrapes them";
    let classic = "classic histograms: Good: the job keeps them beside the native ones";
    let findings = asked(&NEW, &config(19464, Histograms::Both));
    assert_eq!(lines(&findings), [REACHABLE, NOT_SAID, CLOCK, down, native, classic, FIRST_SEEN]);
    let by_name = Config { instance: Some("web-1".to_owned()), ..config(1, Histograms::Classic) };
    assert_eq!(lines(&asked(&NEW, &by_name)), [REACHABLE, NOT_SAID, CLOCK, down, FIRST_SEEN]);
}

#[test]
fn a_job_without_native_histograms_is_told_by_what_it_costs() {
    let up = "target: Good: 127.0.0.1:19490 in job self is up";
    let off = |verdict| format!("native histograms: {verdict}: the job does not scrape them");
    for (wanted, verdict) in [(Histograms::Native, "Bad"), (Histograms::Both, "Warning")] {
        let findings = asked(&NEW, &config(19490, wanted));
        assert_eq!(lines(&findings), [REACHABLE, NOT_SAID, CLOCK, up, &off(verdict), FIRST_SEEN]);
        assert!(findings[4].fix.starts_with("Set scrape_native_histograms: true for the job"), "{findings:?}");
    }
    let text_first = asked(&NEW, &config(19492, Histograms::Native));
    assert_eq!(lines(&text_first)[4], off("Warning"), "text has classic buckets");
}

#[test]
fn the_order_of_formats_can_keep_native_histograms_away() {
    let on = answer!("3.16", "targets").replace("histograms__\":\"false", "histograms__\":\"true");
    let answers = [NEW[0], ("targets?state=active", on.as_str()), NEW[2], NEW[3]];
    let findings = asked(&answers, &config(19492, Histograms::Native));
    let expected =
        "native histograms: Warning: the job scrapes them, and asks for PrometheusText0.0.4 first, which has none";
    assert_eq!(lines(&findings)[4], expected);
    assert!(findings[4].fix.starts_with("Put PrometheusProto first"), "{findings:?}");
}

#[test]
fn an_old_server_is_told_by_its_flags() {
    let version = "version: Good: 2.42.0+ds";
    let up = "target: Good: 127.0.0.1:19491 in job self is up";
    let off = "native histograms: Warning: the job does not scrape them";
    let findings = asked(&OLD, &config(19491, Histograms::Both));
    assert_eq!(lines(&findings), [REACHABLE, version, CLOCK, up, off, FIRST_MISSED]);

    let feature = "\"enable-feature\":\"exemplar-storage,native-histograms\"";
    let flags = answer!("2.42", "flags").replace("\"enable-feature\":\"\"", feature);
    let answers = [OLD[0], OLD[1], ("status/flags", flags.as_str()), OLD[3]];
    let on = "native histograms: Good: the job scrapes them";
    let dropped = "classic histograms: Warning: the job drops them for the native ones: there is no _bucket";
    let findings = asked(&answers, &config(19491, Histograms::Both));
    assert_eq!(lines(&findings), [REACHABLE, version, CLOCK, up, on, dropped, FIRST_MISSED]);
}

#[test]
fn who_does_not_scrape_us_is_told() {
    let none = "target: Bad: no target has port 1 or our instance";
    assert_eq!(lines(&asked(&NEW, &config(1, Histograms::Native))), [REACHABLE, NOT_SAID, CLOCK, none, FIRST_SEEN]);
}

#[test]
fn series_held_at_0_need_no_flag() {
    let held = Config {
        hold_new_series: Some(crate::Time(std::time::Duration::from_mins(1))),
        ..config(19491, Histograms::Classic)
    };
    let findings = lines(&asked(&OLD, &held));
    assert_eq!(findings[4..], ["first values: Good: increase() sees them: this publisher holds new series at 0"]);
}

#[test]
fn without_a_server_the_key_is_named() {
    let findings = probe(&Config::default());
    assert_eq!(lines(&findings), ["server: Unknown: the config does not say which Prometheus scrapes"]);
    assert!(findings[0].fix.contains("server = \"http://127.0.0.1:9090\""), "{findings:?}");
}

#[test]
fn what_is_no_server_ends_the_questions() {
    let end = |answer: &dyn Fn() -> Result<Answer, http::Error>| lines(&with(&Config::default(), |_| answer(), || NOW));
    let refused = || Err(http::Error::NotSent("connection refused".to_owned()));
    assert_eq!(end(&refused), ["reachable: Unknown: connection refused"]);
    let page = || Ok(answered(200, "<html>"));
    assert_eq!(end(&page), ["reachable: Unknown: what answers is no Prometheus: /api/v1/status/buildinfo gives 200"]);
    let locked = || Ok(answered(401, "Unauthorized"));
    assert_eq!(end(&locked), ["credentials: Unknown: the server wants credentials (401)"]);
}

#[test]
fn what_is_not_answered_is_not_known() {
    let unanswered = |question, path| format!("{question}: Unknown: /api/v1/{path} has no answer that can be read");
    let first_values = unanswered("first values", "status/flags");
    let some = asked(&NEW[..1], &config(19464, Histograms::Both));
    assert_eq!(lines(&some), [REACHABLE, NOT_SAID, CLOCK, &unanswered("target", "targets"), &first_values]);
    let old = asked(&OLD[..2], &config(19491, Histograms::Native));
    assert_eq!(lines(&old)[4..], [unanswered("native histograms", "status/config"), first_values]);
}

#[test]
fn versions_and_clocks_have_their_bounds() {
    let version = |text: &str| findings::version(&serde_json::json!({ "version": text })).verdict;
    let verdicts = ["2.39.9", "2.40.0", "3.16.0-rc.0", "v3", ""].map(version);
    assert_eq!(verdicts, [Verdict::Warning, Verdict::Good, Verdict::Good, Verdict::Unknown, Verdict::Unknown]);
    let clock = |now: f64| findings::clock(DATE, now).expect("a date").answer;
    assert_eq!(clock(NOW + 5.0), "within 5 s of this machine's");
    assert_eq!(clock(NOW + 14.0), "14 s behind this machine's");
    assert_eq!(clock(NOW - 6.2), "6 s ahead of this machine's");
    assert_eq!(findings::clock("yesterday", NOW), None);
}

/// Answers one request, and gives back the server's address and the request.
fn answering(response: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = [0; 4096];
        let length = stream.read(&mut request).expect("a request");
        stream.write_all(response.as_bytes()).expect("taken");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (format!("http://{address}"), answering)
}

#[test]
fn a_question_is_asked_under_the_servers_own_path() {
    let body = answer!("2.42", "buildinfo");
    let length = body.len();
    let (server, request) =
        answering(format!("HTTP/1.1 200 OK\r\nDate: {DATE}\r\nContent-Length: {length}\r\n\r\n{body}"));
    let answer = ask(&format!("{server}/prometheus/"), "status/buildinfo").expect("an answer");
    assert_eq!((answer.status, answer.date.as_deref()), (200, Some(DATE)));
    assert_eq!(answer.data.expect("data")["version"], "2.42.0+ds");
    let request = request.join().expect("no panic");
    assert!(request.starts_with("GET /prometheus/api/v1/status/buildinfo HTTP/1.1\r\n"), "{request}");
}

#[test]
fn an_answer_that_is_no_success_has_no_data() {
    let body = r#"{"data": {"version": "9"}}"#;
    let length = body.len();
    let (server, request) = answering(format!("HTTP/1.1 503 x\r\nContent-Length: {length}\r\n\r\n{body}"));
    let answer = ask(&server, "status/flags").expect("an answer");
    assert_eq!((answer.status, answer.date, answer.data), (503, None, None));
    request.join().expect("no panic");
}
