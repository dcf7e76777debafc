//! `[defaults]`: what publishers are given, the same at every start, and where mistakes in it are pointed at.

use std::process::Command;

use support::stub::{Answer, Stub};

use super::{ADVISER, Folder};

const RECORD: &str = r#"{"event_name": "Pack", "start_time": 1}"#;

/// What the plugin was given in one run: service, namespace, environment, instance, host, labels.
fn given(folder: &Folder, stub: &Stub) -> Vec<String> {
    let before = stub.requests().len();
    let done = folder.run_with_input("publish", &[], RECORD);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let requests = stub.requests();
    let [request] = &requests[before..] else { panic!("{} requests", requests.len() - before) };
    request.text().split('\n').map(str::to_owned).collect()
}

fn config(stub: &Stub, defaults: &str, own: &str) -> String {
    let url = stub.url();
    format!(
        "{defaults}\n[[publishers]]\nname = \"hook\"\nplugin = {ADVISER:?}\n[publishers.config]\nurl = \"{url}\"\n{own}"
    )
}

#[test]
fn a_plugin_is_given_what_it_takes_and_its_own_settings_win() {
    let stub = Stub::start(|_| Answer::empty(204));
    let defaults = "[defaults]\nservice = \"shop\"\nnamespace = \"sales\"\nenvironment = \"test\"\ninstance = \"one\"\n\
                    host = \"web-1\"\nlabels = { team = \"a\", zone = \"b\" }";
    let folder =
        Folder::with(&config(&stub, defaults, "namespace = \"own\"\nlabels = { team = \"own\", more = \"c\" }"));
    let wanted = ["shop", "own", "test", "one", "web-1", "more=c,team=own,zone=b"];
    assert_eq!(given(&folder, &stub), wanted);
}

#[test]
fn an_instance_is_the_same_at_every_start_and_another_for_another_config() {
    let stub = Stub::start(|_| Answer::empty(204));
    let text = config(&stub, "", "");
    let (one, other) = (Folder::with(&text), Folder::with(&text));
    let first = given(&one, &stub);
    let [service, namespace, environment, instance, host, labels] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!([service, namespace, environment, labels], ["", "", "", ""], "nothing is invented");
    let machine = Command::new("uname").arg("-n").output().unwrap();
    assert_eq!(host.as_str(), String::from_utf8(machine.stdout).unwrap().trim_end());
    let digits = instance.strip_prefix(&format!("{host}-")).unwrap_or_else(|| panic!("{instance}"));
    assert!(digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{instance}");
    assert_eq!(given(&one, &stub), first);
    assert_ne!(given(&other, &stub)[3], *instance);
}

#[test]
fn check_tells_what_each_publisher_is_given_and_what_nobody_takes() {
    let config = format!(
        "[defaults]\nservice = \"shop\"\nlabels = {{ team = \"a\" }}\n[[publishers]]\nname = \"hook\"\nplugin = {ADVISER:?}\n"
    );
    let done = Folder::with(&config).run("check", &[]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    for told in ["service = \"shop\" from [defaults]\n", "labels.team = \"a\" from [defaults]\n"] {
        assert!(done.stdout.contains(told), "{told} is missing in {}", done.stdout);
    }
    let instance = done.stdout.lines().find(|line| line.contains("instance = ")).unwrap();
    assert!(instance.ends_with("\" from this machine"), "{instance}");

    let webhook = env!("WEBHOOK");
    let lonely = format!(
        "[defaults]\nnamespace = \"sales\"\n[[publishers]]\nplugin = {webhook:?}\nconfig.url = \"http://127.0.0.1:9\"\n"
    );
    let done = Folder::with(&lonely).run("check", &[]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(done.stderr, "[defaults] namespace: no publisher's plugin has a setting of that name\n");
    assert_eq!(Folder::with(&lonely).run("check", &["-q"]).stderr, "");
}

#[test]
fn what_a_plugin_says_of_a_shared_setting_is_pointed_at_its_line() {
    let config = |defaults: &str| {
        Folder::with(&format!("[defaults]\n{defaults}\n[[publishers]]\nname = \"hook\"\nplugin = {ADVISER:?}\n"))
    };
    for (defaults, told) in [
        ("service = \"my shop\"", "2:1: publisher hook: service: has no blank in it"),
        ("labels = { team = \"a b\" }", "2:12: publisher hook: labels.team: has no blank in it"),
        ("sevice = \"shop\"", "2:1: defaults.sevice: unknown key; did you mean `service`?"),
        ("service = 7", "2:1: defaults.service: needs a text, as \"shop\"; found the number 7"),
    ] {
        let folder = config(defaults);
        for subcommand in ["check", "run", "publish"] {
            let done = folder.run(subcommand, &[]);
            let told = format!("error: {}:{told}\n", folder.path("metricast.toml"));
            assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{subcommand} {defaults}");
            assert!(done.stderr.contains(&told), "{told} is missing in {}", done.stderr);
        }
    }
}
