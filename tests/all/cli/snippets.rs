//! `metricast check --print`.

use super::{ADVISER, Folder, run};

fn publisher(name: &str, settings: &str) -> String {
    format!("[[publishers]]\nname = \"{name}\"\nplugin = {ADVISER:?}\n[publishers.config]\n{settings}\n")
}

#[test]
fn only_the_text_is_on_standard_output_and_no_secret_is_read() {
    let folder =
        Folder::with(&publisher("a", "url = \"http://a:1\"\ntoken = { secret = \"env:METRICAST_NO_SUCH_KEY\" }"));
    for arguments in [&["--print", "role"][..], &["--print-role"], &["--print-role", "--publisher", "a"]] {
        let done = folder.run("check", arguments);
        assert_eq!((done.code, done.stdout.as_str()), (0, "{\"user\": \"http://a:1\"}\n"), "{}", done.stderr);
        assert_eq!(done.stderr, "a: what role is for\n");
    }
    assert_eq!(folder.run("check", &["-q", "--print-role"]).stderr, "");
}

#[test]
fn a_text_tells_of_shared_settings_too() {
    let config = "[defaults]\nservice = \"shop\"\ninstance = \"one\"\n".to_owned() + &publisher("a", "");
    let done = Folder::with(&config).run("check", &["--print-scrape-config"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "job_name: shop\ninstance: one\n"), "{}", done.stderr);
}

#[test]
fn several_that_differ_ask_for_the_publisher() {
    let config = publisher("a", "url = \"http://a:1\"") + &publisher("b", "url = \"http://b:1\"");
    let folder = Folder::with(&config);
    let done = folder.run("check", &["--print-role"]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    assert!(done.stderr.contains("--publisher says which; there are a, b"), "{}", done.stderr);
    let done = folder.run("check", &["--print-role", "--publisher", "b"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "{\"user\": \"http://b:1\"}\n"));
    let alike = folder.run("check", &["--print-scrape-config"]);
    assert_eq!((alike.code, alike.stderr.as_str()), (0, "a: what scrape-config is for\n"), "they say the same");
}

#[test]
fn a_publisher_that_is_split_has_one_text_and_each_part_its_own() {
    let folder = Folder::with(&publisher("a", "parts = [\"x\", \"y\"]"));
    for (arguments, text) in [
        (&["--print", "parts"][..], "x\ny\n"),
        (&["--print", "parts", "--publisher", "a"], "x\ny\n"),
        (&["--print", "parts", "--publisher", "a/y"], "y\n"),
    ] {
        let done = folder.run("check", arguments);
        assert_eq!((done.code, done.stdout.as_str()), (0, text), "{arguments:?}: {}", done.stderr);
    }
    let done = folder.run("check", &["--print", "parts", "--publisher", "a/z"]);
    assert_eq!(done.stderr, "error: no publisher is called \"a/z\"; there is a\n");
}

#[test]
fn what_is_wrong_with_all_parts_is_told_once() {
    let folder = Folder::with(&publisher("a", "parts = [\"x\", \"y\"]\nservice = \"a b\""));
    let done = folder.run("check", &[]);
    assert_eq!(done.code, 2);
    assert_eq!(done.stderr.matches("has no blank in it").count(), 1, "{}", done.stderr);
    assert!(done.stderr.contains("publisher a/x: service: "), "{}", done.stderr);
}

#[test]
fn what_there_is_not_is_a_usage_error_that_lists_what_there_is() {
    let folder = Folder::with(&publisher("a", ""));
    for (arguments, told) in [
        (
            &["--print", "rol"][..],
            "error: no publisher has a text called \"rol\"; there are role (of a), scrape-config (of a)\n",
        ),
        (&["--print", "role", "--publisher", "b"], "error: no publisher is called \"b\"; there is a\n"),
    ] {
        let done = folder.run("check", arguments);
        assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (2, "", told));
    }
    for arguments in [&["check", "--print-role", "--print-scrape-config"][..], &["check", "--publisher", "a"]] {
        assert_eq!(run(arguments.iter().copied()).code, 2, "{arguments:?}");
    }
}
