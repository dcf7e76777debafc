//! Golden texts of every message (`golden/NAME.toml` gives `golden/NAME.txt`; `BLESS=1` writes them anew), and what a
//! good file gives.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::Limits;
use crate::plugin::PluginSource;
use crate::queue::{Start, WhenBehind};

fn read(text: &str) -> Result<Checked, ConfigError> {
    parse(&Source::new("metricast.toml".to_owned(), text.to_owned()), Path::new("etc"), None)
}

fn good(text: &str) -> Checked {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_mistake_is_told_as_its_golden_text_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/golden");
    let mut cases = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml") {
            let told = format!("{}\n", read(&std::fs::read_to_string(&path).unwrap()).unwrap_err());
            golden(&path.with_extension("txt"), &told);
            cases += 1;
        }
    }
    assert!(cases >= 14, "only {cases} cases in {}", folder.display());
}

fn golden(path: &Path, told: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, told).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(told, golden, "{}", path.display());
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good("[[publishers]]\nplugin = \"prometheus\"\n");
    assert_eq!(config.ingest, Ingest { listen: defaults::INGEST_LISTEN, max_body: defaults::MAX_BODY });
    assert_eq!(config.admin, Admin { listen: Some(defaults::ADMIN_LISTEN), stated: false });
    assert_eq!(config.queue, Queue::in_memory(defaults::MEMORY_QUEUE));
    assert_eq!(config.drain_timeout, defaults::DRAIN_TIMEOUT);
    let [publisher] = config.publishers.as_slice() else { panic!("{:?}", config.publishers) };
    assert_eq!(publisher.name, "prometheus");
    assert_eq!(publisher.plugin, PluginSource::Bundled("prometheus"));
    assert_eq!(publisher.listen, Listen { address: defaults::SCRAPE_LISTEN, stated: false });
    assert_eq!(publisher.allow, Vec::<String>::new());
    assert_eq!(publisher.limits, Limits::default());
    assert_eq!(publisher.batch.max_records, defaults::BATCH_RECORDS);
    assert_eq!(publisher.retry.give_up_after, None);
    assert_eq!(publisher.config, json!({}));
}

#[test]
fn what_is_written_is_taken() {
    let config = good(
        r#"
        drain_timeout = "1m 5s"
        [ingest]
        listen = "0.0.0.0:80"
        max_body = "1MiB"
        [queue]
        path = "data"
        max_size = "2GiB"
        when_full = "reject"
        forget_after = "2d"
        max_dead_letters = 7
        [[publishers]]
        name = "search"
        plugin = "elasticsearch"
        listen = "[::1]:9000"
        allow = ["https://Search.example.com:443/", "http://10.0.0.1:9200"]
        max_memory = "64MiB"
        start = "oldest"
        when_behind = "drop_oldest"
        reset_state = true
        call_timeout = "5s"
        batch = { max_records = 1_000, max_bytes = 65536, max_age = "250ms" }
        retry = { initial = "1s", max = "1m", give_up_after = "1h" }
        [publishers.config]
        hosts = ["http://127.0.0.1:9200"]
        api_key = { secret = "env:ES_API_KEY" }
        ratio = 0.5
        since = 2026-01-01
        "#,
    );
    assert_eq!(config.drain_timeout, Duration::from_secs(65));
    assert_eq!(config.ingest.listen, "0.0.0.0:80".parse::<SocketAddr>().unwrap());
    let queue = Queue {
        path: Some(config.folder.join("data")),
        max_size: 2 << 30,
        when_full: WhenFull::Reject,
        forget_after: Duration::from_hours(48),
        max_dead_letters: 7,
    };
    assert_eq!(config.queue, queue);
    let in_queue = InQueue { start: Start::Oldest, when_behind: WhenBehind::DropOldest, reset_state: true };
    assert_eq!(config.publishers[0].in_queue, in_queue);
    let publisher = &config.publishers[0];
    assert_eq!(publisher.listen, Listen { address: "[::1]:9000".parse().unwrap(), stated: true });
    assert_eq!(publisher.allow, ["https://search.example.com", "http://10.0.0.1:9200"]);
    let limits = Limits::default().with_memory(64 << 20).unwrap().with_call_time(Duration::from_secs(5)).unwrap();
    assert_eq!(publisher.limits, limits);
    assert_eq!(publisher.batch.max_bytes, 65_536);
    assert_eq!(publisher.retry.give_up_after, Some(Duration::from_hours(1)));
    let wanted = json!({
        "hosts": ["http://127.0.0.1:9200"],
        "api_key": { "secret": "env:ES_API_KEY" },
        "ratio": 0.5,
        "since": "2026-01-01",
    });
    assert_eq!(publisher.config, wanted);
}

#[test]
fn the_page_about_the_config_tells_the_defaults() {
    let page = include_str!("../../../docs/config.md");
    let limits = Limits::default();
    let size = |bytes: usize| format!("\"{}\"", show_size(bytes as u64));
    let time = |time: Duration| format!("\"{}\"", show_time(time));
    for (key, default) in [
        ("listen", format!("\"{}\"", defaults::INGEST_LISTEN)),
        ("listen", format!("\"{}\"", defaults::SCRAPE_LISTEN)),
        ("listen", format!("\"{}\"", defaults::ADMIN_LISTEN)),
        ("max_body", size(defaults::MAX_BODY)),
        ("forget_after", time(defaults::FORGET_AFTER)),
        ("max_dead_letters", defaults::MAX_DEAD_LETTERS.to_string()),
        ("start", "\"now\"".to_owned()),
        ("when_behind", "\"block\"".to_owned()),
        ("reset_state", "false".to_owned()),
        ("max_memory", size(limits.memory)),
        ("call_timeout", time(limits.call_time())),
        ("drain_timeout", time(defaults::DRAIN_TIMEOUT)),
    ] {
        assert!(page.contains(&format!("| `{key}` | `{default}` |")), "{key} {default}");
    }
    let sizes = format!("| `max_size` | `{}` (`{}`", size(defaults::DURABLE_QUEUE), size(defaults::MEMORY_QUEUE));
    assert!(page.contains(&sizes), "{sizes}");
    for (key, default) in [
        ("max_records", defaults::BATCH_RECORDS.to_string()),
        ("max_bytes", format!("`{}`", size(defaults::BATCH_BYTES))),
        ("max_age", format!("`{}`", time(defaults::BATCH_AGE))),
        ("initial", format!("`{}`", time(defaults::RETRY_INITIAL))),
        ("max", format!("`{}`", time(defaults::RETRY_MAX))),
    ] {
        assert!(page.contains(&format!("`{key}` = {default}")), "{key} {default}");
    }
}

#[test]
fn the_admin_port_can_be_moved_or_off_and_makes_way_where_nobody_stated_it() {
    let publisher = "[[publishers]]\nplugin = \"prometheus\"\n";
    let admin = |text: &str| good(&format!("{text}\n{publisher}")).admin;
    let moved = Admin { listen: Some("0.0.0.0:9000".parse().unwrap()), stated: true };
    assert_eq!(admin("[admin]\nlisten = \"0.0.0.0:9000\""), moved);
    assert_eq!(admin("[admin]\nlisten = \"off\""), Admin { listen: None, stated: true });
    let ingest = admin("[ingest]\nlisten = \"0.0.0.0:4320\"");
    assert_eq!(ingest, Admin { listen: None, stated: false });
}

#[test]
fn a_plugins_port_is_the_short_form_of_listen() {
    let config = good("[[publishers]]\nplugin = \"prometheus\"\nconfig = { port = 9999 }\n");
    assert_eq!(config.publishers[0].listen.address, "127.0.0.1:9999".parse::<SocketAddr>().unwrap());
    let both = good("[[publishers]]\nplugin = \"prometheus\"\nlisten = \"0.0.0.0:99\"\nconfig = { port = 99 }\n");
    assert_eq!(both.publishers[0].listen.address, "0.0.0.0:99".parse::<SocketAddr>().unwrap());
}

#[test]
fn a_file_is_found_from_the_configs_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.wasm"), b"").unwrap();
    let path = folder.path().join("metricast.toml");
    std::fs::write(&path, "[[publishers]]\nplugin = \"mine.wasm\"\n").unwrap();
    let config = load(&path).unwrap();
    assert_eq!(config.publishers[0].plugin, PluginSource::File(folder.path().join("mine.wasm")));
    assert_eq!(config.publishers[0].name, "mine");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = load(Path::new("no/such.toml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read the config no/such.toml: "), "{error}");
}

#[test]
fn a_folder_is_told_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(": it is a folder"), "{error}");
    let path = folder.path().join("metricast.toml");
    std::fs::create_dir(folder.path().join("d")).unwrap();
    std::fs::write(&path, "[[publishers]]\nplugin = \"./d\"\n").unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("publishers[0].plugin: ") && error.contains("/d is a folder\n"), "{error}");
}

#[test]
fn addresses_overlap_where_only_one_can_be_had() {
    let both = |a: &str, b: &str| overlap(a.parse().unwrap(), b.parse().unwrap());
    assert!(both("127.0.0.1:1", "127.0.0.1:1") && both("127.0.0.1:1", "0.0.0.0:1") && both("[::]:1", "127.0.0.1:1"));
    assert!(!both("127.0.0.1:1", "127.0.0.1:2") && !both("127.0.0.1:1", "127.0.0.2:1"));
    assert!(!both("0.0.0.0:1", "[::1]:1") && !both("127.0.0.1:0", "127.0.0.1:0"));
}

#[test]
fn a_file_that_is_no_text_is_pointed_into() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latin.toml");
    std::fs::write(&path, b"[ingest]\n# gr\xFC\xDFe\n").unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("latin.toml:2:5: is no UTF-8 text (byte 13)"), "{error}");
}

#[test]
fn what_a_plugin_says_is_pointed_at_its_line() {
    let config = good(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n[publishers.config]\n\
         hosts = [\"http://a:1\",\n         \"b:2\"]\ntls.ca = \"x\"\n",
    );
    let told = |text: &str| config.explain(0, text).to_string();
    assert_eq!(
        told("hosts[1]: needs a scheme: http://b:2"),
        "metricast.toml:6:10: publisher search: hosts[1]: needs a scheme: http://b:2\n  |\n6 |          \"b:2\" …\n  |          ^^^^^"
    );
    assert!(told("tls.ca: no such file").starts_with("metricast.toml:7:5: "), "{}", told("tls.ca: no such file"));
    assert!(told("tls.key: is missing").starts_with("metricast.toml:7:1: "), "{}", told("tls.key: is missing"));
    assert!(told("index_prefix: is missing").starts_with("metricast.toml:1:1: publisher search: index_prefix: "));
    assert!(told("the two do not go together: a and b").starts_with("metricast.toml:1:1: publisher search: the two"));
    assert_eq!(config.locate(7, "hosts"), None);
    let blamed = config.blame(0, "plugin", "is no component").to_string();
    assert!(blamed.starts_with("metricast.toml:3:1: publisher search: plugin: is no component"), "{blamed}");
}

#[test]
fn what_a_plugin_says_of_a_shared_setting_is_pointed_at_the_defaults() {
    let config = good(
        "[defaults]\nservice = \"my shop\"\nlabels = { team = \"a b\" }\n[[publishers]]\nplugin = \"prometheus\"\n\
         [publishers.config]\nlabels = { zone = \"c\" }\nport = 1\n",
    );
    let place = |text: &str| config.explain(0, text).location.map(|at| (at.line, at.column)).unwrap();
    assert_eq!(place("service: has a blank in it"), (2, 1));
    assert_eq!(place("labels.team: has a blank in it"), (3, 12));
    assert_eq!(place("labels.zone: has a blank in it"), (7, 12));
    assert_eq!(place("labels: are too many"), (7, 1), "its own are nearer");
    assert_eq!(place("host: is this machine's"), (4, 1));
    assert_eq!(config.shared.written().collect::<Vec<_>>(), ["labels", "service"]);
}

#[test]
fn certificates_are_everybodys_or_a_publishers_own() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "own.pem"] {
        let text = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        std::fs::write(folder.path().join(name), text.repeat(name.len())).unwrap();
    }
    let path = folder.path().join("metricast.toml");
    let publisher = |name: &str| format!("[[publishers]]\nname = \"{name}\"\nplugin = \"elasticsearch\"\n");
    let text = format!("[defaults]\ntls.ca = \"ca.pem\"\n{}{}tls.ca = \"own.pem\"\n", publisher("a"), publisher("b"));
    std::fs::write(&path, text).unwrap();
    let counts: Vec<_> = load(&path).unwrap().publishers.iter().map(|publisher| publisher.trust.count()).collect();
    assert_eq!(counts, ["ca.pem".len(), "own.pem".len()]);
}

#[test]
fn the_built_in_config_is_valid() {
    let config = built_in();
    assert_eq!(config.publishers[0].plugin, PluginSource::Bundled("prometheus"));
    assert_eq!(config.ingest.listen.to_string(), "127.0.0.1:4319");
    assert_eq!(config.publishers[0].listen.address.to_string(), "127.0.0.1:9464");
}

/// Pieces that configs are made of, so that chance finds its way past the first line.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[[publishers]]\n".to_owned()),
        Just("[publishers.config]\n".to_owned()),
        Just("plugin = \"prometheus\"\n".to_owned()),
        "(name|listen|allow|batch|retry|max_memory|x) = (\"[a-zü:0-9.]{0,9}\"|[0-9]{1,20}|\\{ max_age = \"1s\" \\}|\\[1\\])\n",
        "\\PC{0,12}\n",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_config_or_has_problems_with_places(text in pieces(), key in "[a-z.\\[\\]0-9]{0,8}") {
        match read(&text) {
            Ok(config) => {
                let told = config.explain(0, &format!("{key}: is wrong"));
                prop_assert!(told.to_string().contains("is wrong"));
            }
            Err(ConfigError::Invalid(problems)) => {
                let lines = text.split('\n').count();
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.location.as_ref().is_some_and(|location| location.line <= lines), "{problem}");
                }
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
