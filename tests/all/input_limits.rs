//! Input that never ends, is huge or unpacks to something huge: a clear answer, bounded memory, and the program goes on.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::stub::{Answer, Stub};
use support::{http, metricast, ports};

use crate::ingest::{GOOD, Running, gzip, post, running};

const MIB: usize = 1 << 20;
/// What taking in one body of the default size may need: the body as it grows, and what is made of it.
const ONE_BODY: usize = 96 * MIB;

/// The memory of a process from here on: what it takes at its peak beyond what it has now.
struct Memory {
    id: u32,
    before: usize,
}

impl Memory {
    fn of(id: u32) -> Self {
        // Resets the peak to what is in use now (proc(5)).
        fs::write(format!("/proc/{id}/clear_refs"), "5").unwrap();
        Self { id, before: status(id, "VmRSS:") }
    }

    fn taken(&self) -> usize {
        status(self.id, "VmHWM:").saturating_sub(self.before)
    }

    fn expect_below(&self, bound: usize) {
        let taken = self.taken();
        eprintln!("{} MiB at the peak", taken / MIB);
        assert!(taken < bound, "{} MiB at the peak, {} are allowed", taken / MIB, bound / MIB);
    }
}

fn status(id: u32, key: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}

/// A connection on which requests are written by hand.
struct Raw(TcpStream);

impl Raw {
    fn open(running: &Running, head: &str) -> Self {
        let address = running.url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut raw = Self(stream);
        let head = format!("POST /v1/records HTTP/1.1\r\nhost: {address}\r\n{head}\r\n");
        raw.0.write_all(head.as_bytes()).unwrap();
        raw
    }

    /// Writes one chunk; false once the other side takes no more.
    fn chunk(&mut self, bytes: &[u8]) -> bool {
        let size = format!("{:x}\r\n", bytes.len());
        self.0.write_all(&[size.as_bytes(), bytes, b"\r\n"].concat()).is_ok()
    }

    /// Status and body of the answer.
    fn answer(&self) -> (u16, Value) {
        let mut reader = BufReader::new(&self.0);
        let (mut status, mut length) = (String::new(), 0);
        reader.read_line(&mut status).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (status.split(' ').nth(1).expect(&status).parse().unwrap(), serde_json::from_slice(&body).unwrap())
    }
}

/// That it takes records in as ever.
fn expect_alive(running: &Running) {
    let answer = post(&running.url, &[], GOOD.into());
    assert_eq!((answer.status, answer.json()), (200, json!({"accepted": 1, "refused": []})));
}

fn expect_too_large((status, problem): (u16, Value)) {
    let detail = "the body is larger than 16777216 bytes (decompressed); send it in parts";
    assert_eq!((status, problem), (413, json!({"title": "body too large", "status": 413, "detail": detail})));
}

#[test]
fn a_body_without_end_is_cut_off_with_an_answer() {
    let running = running("");
    let memory = Memory::of(running.metricast.id());
    let array = format!("{GOOD},").repeat(10_000);
    for (content_type, begin, part) in [
        ("application/x-ndjson", "", "x".repeat(MIB)),
        ("application/x-ndjson", "", format!("{GOOD}\n").repeat(10_000)),
        ("application/json", "[", array),
    ] {
        let mut raw = Raw::open(&running, &format!("content-type: {content_type}\r\ntransfer-encoding: chunked\r\n"));
        assert!(begin.is_empty() || raw.chunk(begin.as_bytes()));
        // Far more than it takes, and no last chunk.
        let mut written = 0;
        while written < 48 * MIB && raw.chunk(part.as_bytes()) {
            written += part.len();
        }
        expect_too_large(raw.answer());
        expect_alive(&running);
    }
    memory.expect_below(ONE_BODY);
}

#[test]
fn a_line_of_100_mb_is_refused_before_it_is_sent_and_by_whatever_length_it_claims() {
    let running = running("");
    let memory = Memory::of(running.metricast.id());
    let raw = Raw::open(&running, "content-length: 100000000\r\nexpect: 100-continue\r\n");
    expect_too_large(raw.answer());
    let mut raw = Raw::open(&running, "content-length: 100000000\r\n");
    let part = vec![b'x'; MIB];
    while raw.0.write_all(&part).is_ok() {
        if raw.0.peek(&mut [0]).is_ok_and(|count| count > 0) {
            break;
        }
    }
    expect_too_large(raw.answer());
    expect_alive(&running);
    memory.expect_below(16 * MIB);
}

#[test]
fn a_line_that_is_longer_than_a_record_is_refused_where_the_body_may_be_larger() {
    let running = running("max_body = \"128MiB\"\n");
    let body =
        [GOOD.as_bytes(), b"\n{\"event_name\": \"", &vec![b'x'; 100_000_000], b"\"}\n", GOOD.as_bytes()].concat();
    let refused = json!([{"line": 2, "reason": "longer than 8 MiB, which no record is"}]);
    assert_eq!(post(&running.url, &[], body).json(), json!({"accepted": 2, "refused": refused}));
}

#[test]
fn bombs_are_not_unpacked() {
    let running = running("");
    let memory = Memory::of(running.metricast.id());
    let blank = vec![b' '; 16 * MIB];
    let (gzip, zstd) = (gzip(&blank), zstd::encode_all(blank.as_slice(), 19).unwrap());
    // One gibibyte each, in members and frames after each other.
    for (encoding, bomb) in [("gzip", gzip.repeat(64)), ("zstd", zstd.repeat(64))] {
        assert!(bomb.len() < 8 * MIB, "{encoding}: {}", bomb.len());
        let answer = post(&running.url, &[("content-encoding", encoding)], bomb);
        expect_too_large((answer.status, answer.json()));
    }
    for (encoding, whole) in [("gzip", &gzip), ("zstd", &zstd)] {
        let answer = post(&running.url, &[("content-encoding", encoding)], whole.clone());
        assert_eq!((answer.status, answer.json()), (200, json!({"accepted": 0, "refused": []})), "{encoding}");
        let cut_off = whole[..whole.len() - 5].to_vec();
        let answer = post(&running.url, &[("content-encoding", encoding)], cut_off);
        let detail = format!("the body breaks off before the end of its {encoding}");
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({"title": "body broken", "status": 400, "detail": detail}))
        );
    }
    expect_alive(&running);
    memory.expect_below(ONE_BODY);
}

#[test]
fn deep_nesting_is_refused_at_once_in_every_form() {
    let running = running("");
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let refused = |content_type: &str, body: String| {
        let answer = post(&running.url, &[("content-type", content_type)], body.into());
        assert_eq!(answer.status, 400, "{}", answer.text());
        answer.json()["refused"][0]["reason"].as_str().unwrap().to_owned()
    };
    let arrays = deep("[", "]");
    let attributes = format!("{{\"attributes\": {{\"x\": {arrays}}}}}");
    for body in [format!("{{\"x\": {arrays}}}"), deep("{\"a\":", "}"), attributes] {
        for content_type in ["application/x-ndjson", "application/json"] {
            let reason = refused(content_type, body.clone());
            assert!(
                reason.starts_with("nested deeper than 127 levels at column ") || reason.contains("not JSON"),
                "{reason}"
            );
        }
    }
    assert!(refused("application/json", arrays).contains("this is an array"));
    expect_alive(&running);
}

#[test]
fn senders_that_go_away_or_frame_badly_harm_nobody() {
    let running = running("");
    // Half a body, and gone.
    let mut half = Raw::open(&running, "content-length: 1000\r\n");
    half.0.write_all(GOOD.as_bytes()).unwrap();
    drop(half);
    // A chunk that is none.
    let mut bad = Raw::open(&running, "transfer-encoding: chunked\r\n");
    bad.0.write_all(b"zz\r\n").unwrap();
    let (status, problem) = bad.answer();
    assert_eq!((status, &problem["title"]), (400, &json!("body broken")), "{problem}");
    // Without a length there is no body: the connection takes the next request.
    let mut none = Raw::open(&running, "");
    assert_eq!(none.answer(), (200, json!({"accepted": 0, "refused": []})));
    let next = format!("POST /v1/records HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{GOOD}", GOOD.len());
    none.0.write_all(next.as_bytes()).unwrap();
    assert_eq!(none.answer(), (200, json!({"accepted": 1, "refused": []})));
    expect_alive(&running);
}

#[test]
fn bodies_of_any_bytes_are_answered() {
    let running = running("");
    let reason = |body: &[u8]| {
        let answer = post(&running.url, &[], body.to_vec());
        assert_eq!(answer.status, 400);
        answer.json()["refused"][0]["reason"].as_str().unwrap().to_owned()
    };
    let utf_16: Vec<u8> = format!("\u{feff}{GOOD}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(reason(&utf_16).ends_with("this looks like UTF-16, and records are UTF-8"));
    assert_eq!(reason(b"\xFF\xFD"), "not UTF-8 at byte 1 of the record (0xFF): records are UTF-8");
    assert!(reason(b"\0").starts_with("not JSON at column 1"));
    let odd = format!("\u{feff}{GOOD}\r\n \t\r\n\n\u{feff}\n{GOOD}\r\n\0\n{GOOD}");
    let answer = post(&running.url, &[], odd.into()).json();
    assert_eq!((&answer["accepted"], &answer["refused"][0]["line"]), (&json!(3), &json!(6)), "{answer}");
}

#[test]
fn what_curl_d_does_to_a_file_is_told() {
    let running = running("");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = post(&running.url, &form, format!("{GOOD}{GOOD}").into());
    let reason = answer.json()["refused"][0]["reason"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 400);
    assert!(reason.ends_with("; curl -d takes the line ends out of a file: use --data-binary"), "{reason}");
    let answer = post(&running.url, &[("content-type", "multipart/form-data; boundary=x")], GOOD.into());
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 415);
    assert!(detail.ends_with("with curl: --data-binary @FILE -H 'content-type: application/x-ndjson'"), "{detail}");
}

#[test]
fn many_large_bodies_and_a_full_queue_take_bounded_memory() {
    let (ingest, stub) = (ports::free(), Stub::start(|_| Answer::empty(503).with_header("retry-after", "1")));
    let config = format!(
        "drain_timeout = \"1s\"\n[ingest]\nlisten = \"127.0.0.1:{ingest}\"\n[queue]\nmax_size = \"1MiB\"\n\
         [[publishers]]\nplugin = \"elasticsearch\"\n[publishers.config]\nhosts = [\"{}\"]\nindex_prefix = \"x\"\n",
        stub.url()
    );
    let metricast = metricast::Metricast::run(&config);
    let url = format!("http://127.0.0.1:{ingest}/v1/records");
    let memory = Memory::of(metricast.id());
    // Few records with long texts: what is measured is the bodies, not the reading of them.
    let body = format!("{{\"event_name\": \"e\", \"start_time\": 1, \"x\": \"{}\"}}\n", "x".repeat(MIB)).repeat(15);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..24).map(|_| scope.spawn(|| post(&url, &[], body.clone().into()).status)).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)) && statuses.contains(&503), "{statuses:?}");
    // 24 bodies of 15 MiB would be 360 MiB before anything is made of them.
    memory.expect_below(192 * MIB);
    drop(metricast);
}

/// Feeds a command's standard input, and leaves it open until its memory was looked at.
fn feed(arguments: &[&str], input: &[u8], until: &str) -> (Child, String) {
    let mut command = metricast::command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(until)).expect(until);
    let peak = status(child.id(), "VmHWM:");
    assert!(peak < 128 * MIB, "{} MiB", peak / MIB);
    drop(stdin);
    (child, line)
}

#[test]
fn a_line_of_100_mb_in_a_file_or_standard_input_takes_bounded_memory() {
    let input = [&vec![b'x'; 100_000_000], b"\n".as_slice(), GOOD.as_bytes(), b"\n"].concat();
    let (child, line) = feed(&["format", "-"], &input, "event_name");
    assert!(line.starts_with(r#"{"event_name":"e""#), "{line}");
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.as_str()), (Some(1), "<stdin>:1: longer than 8 MiB, which no record is\n"));

    let running = running("");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.ndjson");
    fs::write(&file, &input).unwrap();
    let memory = Memory::of(running.metricast.id());
    let output = metricast::output(["publish", "--to", &running.url, file.to_str().unwrap()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("accepted 1 of 2 lines") && told.contains(":1: longer than 8 MiB, which no record is"),
        "{told}"
    );
    memory.expect_below(16 * MIB);
    http::get(&running.metrics).unwrap().expect_success("metrics");
}
