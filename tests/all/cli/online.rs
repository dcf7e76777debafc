//! `metricast check --online`.

use std::time::{Duration, Instant};

use support::ports;
use support::stub::{Answer, Stub};

use super::{ADVISER, Folder};

fn publisher(name: &str, settings: &str) -> String {
    format!(
        "[[publishers]]\nname = \"{name}\"\nplugin = {ADVISER:?}\ncall_timeout = \"1s\"\n[publishers.config]\n{settings}\n"
    )
}

#[test]
fn each_publisher_has_a_table_and_what_is_not_good_has_its_fix() {
    let up = Stub::start(|_| Answer::empty(200));
    let strict = Stub::start(|request| match request.header("authorization") {
        "Bearer hunter2" => Answer::empty(404),
        _ => Answer::empty(401),
    });
    let (up, strict) = (up.url(), strict.url());
    let config = publisher("up", &format!("url = \"{up}\""))
        + &publisher("warned", &format!("url = \"{strict}\"\ntoken = {{ secret = \"file:token\" }}"))
        + &publisher("silent", "probe = \"nothing\"");
    let folder = Folder::with(&config);
    folder.write("token", "hunter2\n");
    let done = folder.run("check", &["--online"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    let pad = " ".repeat(up.len() - 2);
    let asked = [
        format!("    question     of{pad}  verdict  answer\n"),
        format!("    reachable    {up}  good     answers 200\n"),
        format!("    credentials  {up}  good     taken\n"),
        format!("    template     {up}  unknown  nobody says\n"),
        "      to mend it: see for yourself\n".to_owned(),
    ];
    assert!(done.stdout.contains(&asked.concat()), "{}", done.stdout);
    let warned = format!("    template     {strict}  warning  there is none\n      to mend it: make one\n");
    assert!(done.stdout.contains(&warned), "{}", done.stdout);
    assert!(
        done.stdout.ends_with("  asked now     nothing: this plugin asks nothing of its backend\n"),
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains('\u{1b}') && !done.stdout.contains("hunter2"), "{}", done.stdout);
}

#[test]
fn what_is_bad_is_told_and_ends_with_3() {
    let strict = Stub::start(|_| Answer::empty(401));
    let away = format!("http://127.0.0.1:{}", ports::free());
    let config = publisher("away", &format!("url = \"{away}\""))
        + &publisher("refused", &format!("url = \"{}\"", strict.url()))
        + &publisher("silent", "probe = \"nothing\"");
    let done = Folder::with(&config).run("check", &["--online"]);
    assert_eq!(done.code, 3, "{}", done.stdout);
    assert!(done.stdout.contains("      to mend it: start it, or correct `url`\n"), "{}", done.stdout);
    assert!(done.stdout.contains("  bad      refused\n      to mend it: a new `token`\n"), "{}", done.stdout);
    let told = "error: publisher away: its records would not arrive\n\
                error: publisher refused: its records would not arrive\n";
    assert_eq!(done.stderr, told);
}

#[test]
fn verdicts_are_coloured_where_that_is_asked_for() {
    let strict = Stub::start(|_| Answer::empty(401));
    let folder = Folder::with(&publisher("refused", &format!("url = \"{}\"", strict.url())));
    let done = folder.run("check", &["--online", "--color", "always"]);
    assert!(done.stdout.contains("\u{1b}[1m\u{1b}[31mbad    \u{1b}[0m  refused"), "{:?}", done.stdout);
}

#[test]
fn plugins_that_break_or_hang_are_bad_and_hold_nobody_up() {
    let config = publisher("broken", "probe = \"trap\"")
        + &(0..4).map(|n| publisher(&format!("hung-{n}"), "probe = \"hang\"")).collect::<String>();
    let folder = Folder::with(&config);
    let started = Instant::now();
    let done = folder.run("check", &["--online"]);
    assert_eq!(done.code, 3);
    assert!(done.stdout.contains("tell its author"), "{}", done.stdout);
    assert!(done.stdout.contains("`call_timeout` beside `plugin`"), "{}", done.stdout);
    assert_eq!(done.stdout.matches("the plugin did not answer within 1s").count(), 4, "{}", done.stdout);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn it_does_not_go_with_print() {
    let done = super::run(["check", "--online", "--print", "role"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("cannot be used with"), "{}", done.stderr);
}
