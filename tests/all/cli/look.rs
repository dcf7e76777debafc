//! `metricast check`, `plugins` and `inspect`: what is told before anything runs.

use std::fs;

use super::run;

#[test]
fn plugins_lists_what_is_bundled() {
    let done = run(["plugins"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    for name in ["prometheus", "elasticsearch", "grafana-cloud"] {
        assert!(done.stdout.lines().any(|line| line.starts_with(name)), "{}", done.stdout);
    }
}

#[test]
fn inspect_tells_settings_imports_and_exports() {
    let done = run(["inspect", "elasticsearch"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    for told in ["sha256:", "\nSettings\n", "  hosts ", "\nImports\n", "wasi:http/outgoing-handler@0.2", "\nExports\n"]
    {
        assert!(done.stdout.contains(told), "{told} is missing in {}", done.stdout);
    }
}

#[test]
fn what_is_no_plugin_is_a_usage_error() {
    let done = run(["inspect", "promethius"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("did you mean \"prometheus\"?"), "{}", done.stderr);
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.wasm");
    fs::write(&text, "text").unwrap();
    let done = run(["inspect", text.to_str().unwrap()]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("it is no WebAssembly file"), "{}", done.stderr);
}

#[test]
fn check_tells_what_each_plugin_may_reach() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml").to_str().unwrap().to_owned();
    fs::write(folder.path().join("key"), "hunter2\n").unwrap();
    let config = "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\nallow = [\"https://b.example\"]\n\
                  [publishers.config]\nhosts = [\"http://127.0.0.1:9200\"]\nindex_prefix = \"shop\"\n\
                  api_key = { secret = \"file:key\" }\n[[publishers]]\nplugin = \"prometheus\"\nconfig.port = 9999\n";
    fs::write(&path, config).unwrap();
    let done = run(["check", "-c", &path]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    for told in [
        "POST http://127.0.0.1:4319/v1/records",
        "\nsearch\n  plugin        elasticsearch ",
        "HTTP to http://127.0.0.1:9200 (from hosts[0])",
        "HTTP to https://b.example (from allow)",
        "\nprometheus\n",
        "sends         api_key from file:key",
        "delivers what waits for up to 30s",
        "may reach     nothing: ",
        "http://127.0.0.1:9999/metrics",
    ] {
        assert!(done.stdout.contains(told), "{told} is missing in {}", done.stdout);
    }
    assert!(!done.stdout.contains("hunter2"));
}

#[test]
fn check_warns_of_credentials_that_are_written_out_and_shows_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml").to_str().unwrap().to_owned();
    let config = "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
                  hosts = [\"http://127.0.0.1:9200\"]\nindex_prefix = \"shop\"\napi_key = \"aHVudGVyMg\"\n";
    fs::write(&path, config).unwrap();
    let done = run(["check", "-c", &path]);
    assert_eq!(done.code, 0);
    assert!(done.stderr.starts_with("warning: publisher search: api_key is written out"), "{}", done.stderr);
    assert!(!done.stderr.contains("aHVudGVyMg") && !done.stdout.contains("aHVudGVyMg"), "{}", done.stdout);
}

#[test]
fn check_tells_everything_that_is_wrong_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml").to_str().unwrap().to_owned();
    let config = "[[publishers]]\nname = \"a\"\nplugin = \"elasticsearch\"\n[publishers.config]\nhsts = []\n\
                  [[publishers]]\nname = \"b\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
                  hosts = [\"http://127.0.0.1:9200\"]\nindex_prefix = \"shop\"\n\
                  api_key = { secret = \"env:METRICAST_NO_SUCH_KEY\" }\n";
    fs::write(&path, config).unwrap();
    let done = run(["check", "-c", &path]);
    assert_eq!(done.code, 2);
    for told in [
        format!("error: {path}:5:1: publisher a: hsts: unknown key; did you mean `hosts`?"),
        format!("error: {path}:12:1: publisher b: api_key: the environment variable METRICAST_NO_SUCH_KEY is not set"),
    ] {
        assert!(done.stderr.contains(&told), "{told} is missing in {}", done.stderr);
    }
}

#[test]
fn check_tells_that_two_are_scraped_at_one_address_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml").to_str().unwrap().to_owned();
    let one = |name: &str| format!("[[publishers]]\nname = \"{name}\"\nplugin = \"prometheus\"\n");
    fs::write(&path, one("a") + &one("b")).unwrap();
    let done = run(["check", "-c", &path]);
    assert_eq!((done.code, done.stdout.as_str()), (2, ""));
    let told = "publisher b: listen: the address 127.0.0.1:9464 is taken by publisher a";
    assert!(done.stderr.contains(told), "{}", done.stderr);
}

#[test]
fn check_without_a_config_tells_what_run_does_without_one() {
    let done = run(["check"]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.contains("http://127.0.0.1:9464/metrics"), "{}", done.stdout);
}

#[test]
fn a_folder_is_no_plugin_and_is_said_so() {
    let done = run(["inspect", "/"]);
    let told = "error: plugin /: it is a folder: name the component in it, a file such as plugin.wasm\n";
    assert_eq!((done.code, done.stderr.as_str()), (2, told));
}
