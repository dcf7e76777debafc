//! `metricast compose`: composites as plugin files in our own host, against real servers and with a leg that is away;
//! what becomes of wrong inputs; services and what goes into them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use support::metricast::{self, Metricast};
use support::search::Node;
use support::stub::{Answer, Stub};
use support::{data, http, ports, wait};
use tempfile::TempDir;

use crate::truth::{FILE, RECORDS, truth};

const WEBHOOK: &str = env!("WEBHOOK");
const PATIENCE: Duration = Duration::from_secs(40);

fn compose(folder: &TempDir, arguments: &[&str]) -> Output {
    metricast::command(std::iter::once(&"compose").chain(arguments)).current_dir(folder.path()).output().unwrap()
}

/// Composes these and gives the file.
fn composed(folder: &TempDir, plugins: &[&str], name: &str) -> PathBuf {
    let output = compose(folder, &[plugins, &["-o", name]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.path().join(name)
}

/// What it says to arguments that cannot work.
fn refused(folder: &TempDir, arguments: &[&str]) -> String {
    let output = compose(folder, arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    told
}

/// A running metricast with a composite, the authority of its ingest and of its scrapes.
fn running(plugin: &Path, listen: Option<u16>, entries: &str) -> (Metricast, String) {
    let ingest = format!("127.0.0.1:{}", ports::free());
    let plugin = plugin.display().to_string();
    let listen = listen.map_or_else(String::new, |port| format!("listen = \"127.0.0.1:{port}\"\n"));
    let config = format!(
        "[ingest]\nlisten = \"{ingest}\"\n\n[[publishers]]\nname = \"all\"\nplugin = {plugin:?}\n{listen}\
         [publishers.config]\npublishers = [{entries}]\n"
    );
    (Metricast::run(&config), ingest)
}

fn publish_real_records(ingest: &str) {
    let to = format!("http://{ingest}");
    let output = metricast::output(["publish", "--to", &to, data(FILE).to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The records that a scrape counts.
fn scraped(port: u16) -> f64 {
    let page =
        http::get(&format!("http://127.0.0.1:{port}/metrics")).map_or_else(|_| String::new(), |it| it.text().into());
    let counted =
        |line: &&str| line.starts_with("event_records_total{") || line.starts_with("network_operations_total{");
    page.lines().filter(counted).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn wait_until_scraped(port: u16, records: u64) {
    wait::until("a scrape of all records", PATIENCE, || (scraped(port) >= records as f64).then_some(()));
    assert!((scraped(port) - records as f64).abs() < 0.5, "{} of {records}", scraped(port));
}

/// Each record that was posted, and how often.
fn posted(stub: &Stub) -> BTreeMap<String, u64> {
    let mut posted = BTreeMap::new();
    for request in stub.requests() {
        for line in request.text().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            *posted.entry(record.to_string()).or_default() += 1;
        }
    }
    posted
}

#[test]
fn both_legs_of_a_composite_have_every_real_record() {
    let Some(node) = Node::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &["prometheus", "elasticsearch"], "both.wasm");
    let port = ports::free();
    let search = format!("{{}}, {{ hosts = [{:?}], index_prefix = \"composed\" }}", node.url());
    let (metricast, ingest) = running(&both, Some(port), &search);
    publish_real_records(&ingest);
    wait_until_scraped(port, RECORDS);
    let (status, log) = metricast.stop();
    assert!(status.success(), "{log}");
    let truth = truth();
    assert_eq!((node.count("composed-event"), node.count("composed-network")), (truth.events, truth.networks));
}

#[test]
fn composites_nest_and_each_of_three_has_every_record_once() {
    let (one, other) = (Stub::start(|_| Answer::empty(204)), Stub::start(|_| Answer::empty(204)));
    let folder = tempfile::tempdir().unwrap();
    composed(&folder, &[WEBHOOK, "prometheus"], "two.wasm");
    let three = composed(&folder, &["./two.wasm", WEBHOOK], "three.wasm");
    let port = ports::free();
    let entries = format!("{{ url = \"{}/one\" }}, {{}}, {{ url = \"{}/other\" }}", one.url(), other.url());
    let (metricast, ingest) = running(&three, Some(port), &entries);
    publish_real_records(&ingest);
    wait_until_scraped(port, RECORDS);
    let (status, log) = metricast.stop();
    assert!(status.success(), "{log}");
    let (one, other) = (posted(&one), posted(&other));
    assert_eq!(one.values().sum::<u64>(), RECORDS);
    assert_eq!(one, other);
}

#[test]
fn a_leg_that_is_away_holds_nothing_up_and_has_every_record_once_it_is_back() {
    let back = Arc::new(AtomicBool::new(false));
    let there = Arc::clone(&back);
    let taken = Stub::start(|_| Answer::empty(204));
    let forward = format!("{}/in", taken.url());
    let stub = Stub::start(move |request| {
        if !there.load(Ordering::SeqCst) {
            return Answer::empty(503);
        }
        let answer = http::post(&forward, "application/x-ndjson", request.body.clone()).unwrap();
        Answer::empty(answer.status)
    });
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &["prometheus", WEBHOOK], "both.wasm");
    let port = ports::free();
    let (metricast, ingest) = running(&both, Some(port), &format!("{{}}, {{ url = \"{}/in\" }}", stub.url()));
    publish_real_records(&ingest);
    wait_until_scraped(port, RECORDS);
    metricast.wait_for_line("publishers[1] (webhook)");
    assert!(taken.requests().is_empty());
    back.store(true, Ordering::SeqCst);
    wait::until("all records at the leg that was away", PATIENCE, || {
        (posted(&taken).values().sum::<u64>() >= RECORDS).then_some(())
    });
    let (status, log) = metricast.stop();
    assert!(status.success(), "{log}");
    assert_eq!(posted(&taken).values().sum::<u64>(), RECORDS);
}

#[test]
fn records_that_still_wait_at_the_end_are_told() {
    let stub = Stub::start(|_| Answer::empty(503));
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &[WEBHOOK, WEBHOOK], "both.wasm");
    let there = Stub::start(|_| Answer::empty(204));
    let config = folder.path().join("metricast.toml");
    let text = format!(
        "drain_timeout = \"2s\"\n[[publishers]]\nname = \"all\"\nplugin = {both:?}\n[publishers.config]\n\
         publishers = [{{ url = \"{}/a\" }}, {{ url = \"{}/b\" }}]\n",
        there.url(),
        stub.url()
    );
    fs::write(&config, text).unwrap();
    let output = metricast::output(["publish", "-c", config.to_str().unwrap(), data(FILE).to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("publishers[1] (webhook)"), "{said}");
    assert_eq!(posted(&there).values().sum::<u64>(), RECORDS, "the other leg has them all, once");
}

#[test]
fn a_composites_config_is_judged_entry_by_entry() {
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &["prometheus", "elasticsearch"], "both.wasm");
    let three = composed(&folder, &[WEBHOOK, "./both.wasm"], "three.wasm");
    let told = |plugin: &Path, entries: &str| {
        let config = folder.path().join("metricast.toml");
        let text = format!("[[publishers]]\nplugin = {plugin:?}\n[publishers.config]\npublishers = [{entries}]\n");
        fs::write(&config, text).unwrap();
        let output = metricast::output(["check", "-c", config.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = told(&both, "{}");
    assert!(missing.contains("it has 1 entry. It is a list"), "{missing}");
    assert!(missing.contains("in this order: prometheus, elasticsearch"), "{missing}");
    let scheme = told(&both, "{}, { hosts = [\"localhost:9200\"], index_prefix = \"p\" }");
    assert!(scheme.contains("publishers[1].hosts[0]") && scheme.contains("metricast.toml:4:"), "{scheme}");
    let nested = told(&three, "{ url = \"http://127.0.0.1:9/\" }, {}, { host = [] }");
    assert!(nested.contains("publishers[2].host"), "{nested}");
}

#[test]
fn a_composite_keeps_the_contract() {
    let stub = Stub::start(|_| Answer::empty(204));
    let folder = tempfile::tempdir().unwrap();
    let three = composed(&folder, &["prometheus", WEBHOOK, WEBHOOK], "three.wasm");
    let config = folder.path().join("three.json");
    let url = format!("{{\"url\": \"{}/in\"}}", stub.url());
    fs::write(&config, format!("{{\"publishers\": [{{}}, {url}, {url}]}}")).unwrap();
    let output = metricast::output(["conformance", three.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("0 broken, 0 not judged"), "{out}");
}

#[test]
fn a_composite_with_a_leg_that_is_away_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &["prometheus", WEBHOOK], "both.wasm");
    let config = folder.path().join("both.json");
    fs::write(&config, "{\"publishers\": [{}, {\"url\": \"http://127.0.0.1:9/in\"}]}").unwrap();
    let output = metricast::output(["conformance", both.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.contains("0 broken"), "{out}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_composite_is_granted_what_its_entries_name() {
    let folder = tempfile::tempdir().unwrap();
    let both = composed(&folder, &[WEBHOOK, "elasticsearch"], "both.wasm");
    let config = folder.path().join("metricast.toml");
    let text = format!(
        "[[publishers]]\nplugin = {both:?}\n[publishers.config]\n\
         publishers = [{{ url = \"http://127.0.0.1:18/in\" }}, {{ hosts = [\"https://search.example\"], index_prefix = \"p\" }}]\n"
    );
    fs::write(&config, text).unwrap();
    let output = metricast::output(["check", "-c", config.to_str().unwrap()]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for grant in
        ["http://127.0.0.1:18 (from publishers[0].url)", "https://search.example (from publishers[1].hosts[0])"]
    {
        assert!(out.contains(grant), "{out}");
    }
}

#[test]
fn what_cannot_be_composed_is_told_and_a_file_that_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text.wasm"), "no wasm").unwrap();
    fs::write(at("empty.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    fs::write(at("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    fs::write(at("out.wasm"), "old").unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["prometheus"], "one plugin alone is no composite"),
        (&["prometheus", "./none.wasm"], "plugin ./none.wasm: cannot read it"),
        (&["prometheus", "./text.wasm"], "plugin ./text.wasm: it is no WebAssembly file"),
        (&["prometheus", "./module.wasm"], "it is a core module, not a component"),
        (&["prometheus", "./empty.wasm"], "plugin ./empty.wasm: it does not export metricast:publisher/publisher"),
        (&["prometheus", "prometheus"], "prometheus and prometheus both have something to scrape"),
        (&["prometheus", "gateway"], "no plugin is called \"gateway\""),
    ];
    for (plugins, expected) in cases {
        let told = refused(&folder, &[plugins, &["-o", "out.wasm"][..]].concat());
        assert!(told.contains(expected), "{plugins:?}: {told}");
    }
    assert_eq!(fs::read(at("out.wasm")).unwrap(), b"old");
    let told = refused(&folder, &["prometheus", "elasticsearch", "-o", "."]);
    assert!(told.contains("is a folder: name a file in it"), "{told}");
    let told = refused(&folder, &["prometheus", "elasticsearch", "-o", "no/out.wasm"]);
    assert!(told.contains("there is no folder no"), "{told}");
    composed(&folder, &["prometheus", "elasticsearch"], "both.wasm");
    let told = refused(&folder, &["elasticsearch", "./both.wasm", "-o", "both.wasm"]);
    assert!(told.contains("both.wasm goes into it"), "{told}");
    let told = refused(&folder, &["prometheus", "./both.wasm", "-o", "out.wasm"]);
    assert!(told.contains("prometheus and prometheus (in ./both.wasm) both have something to scrape"), "{told}");
    let files = fs::read_dir(folder.path())
        .unwrap()
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(files.count(), 0, "nothing half done is left");
}

#[test]
fn a_service_carries_the_config_that_its_plugin_has_judged() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("search.toml"), "hosts = [\"http://127.0.0.1:9\"]\nindex_prefix = \"from-toml\"\n").unwrap();
    fs::write(at("search.json"), "{\"hosts\": [\"http://127.0.0.1:9\"], \"index_prefix\": \"from-json\"}").unwrap();
    let whole = "[defaults]\nservice = \"shop\"\n[[publishers]]\nplugin = \"prometheus\"\n[[publishers]]\nplugin = \
                 \"elasticsearch\"\n[publishers.config]\nhosts = [\"http://127.0.0.1:9\"]\nindex_prefix = \"from-whole\"\n";
    fs::write(at("metricast.toml"), whole).unwrap();
    let holds = |text: &str| {
        let bytes = fs::read(at("service.wasm")).unwrap();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    for (config, index) in
        [("search.toml", "from-toml"), ("search.json", "from-json"), ("metricast.toml", "from-whole")]
    {
        let arguments = ["--serve", "elasticsearch", "--config", config, "-o", "service.wasm"];
        let output = compose(&folder, &arguments);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{err}");
        assert!(holds(&format!("\"index_prefix\":\"{index}\"")), "{config}");
    }
    // What is written in `[defaults]`, and nothing of this machine.
    assert!(holds("{\"hosts\":[\"http://127.0.0.1:9\"],\"index_prefix\":\"from-whole\",\"service\":\"shop\"}"));
    let told = String::from_utf8_lossy(&metricast::output(["inspect", at("service.wasm").to_str().unwrap()]).stderr)
        .into_owned();
    assert!(told.contains("it exports wasi:http/incoming-handler@0.2.0: it is a service; name the plugin"), "{told}");
}

#[test]
fn what_a_service_cannot_have_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("c.toml"), text).unwrap();
    let told = |plugin: &str| refused(&folder, &["--serve", plugin, "--config", "c.toml", "-o", "s.wasm"]);
    write("index_prefix = \"p\"\nhosts = [\"https://a.example\"]\napi_key = { secret = \"file:key\" }\n");
    let secret = told("elasticsearch");
    assert!(secret.contains("c.toml: api_key is a secret in file:key, and a service has no files"), "{secret}");
    write("index_prefix = \"p\"\nhosts = [\"https://a.example\"]\napi_key = { secret = \"key\" }\n");
    let secret = told("elasticsearch");
    assert!(secret.contains("c.toml: api_key"), "{secret}");
    write("index_prefix = \"p\"\nhosts = [\"a.example:9200\"]\n");
    assert!(told("elasticsearch").contains("c.toml: hosts[0]"), "{}", told("elasticsearch"));
    write("hosts = \n");
    assert!(told("elasticsearch").contains("c.toml: it is not TOML"), "{}", told("elasticsearch"));
    fs::write(folder.path().join("c.toml"), b"index_prefix = \"\xff\"\n").unwrap();
    assert!(
        told("elasticsearch").contains("c.toml: it is not UTF-8 text, from byte 17 on"),
        "{}",
        told("elasticsearch")
    );
    write("[[publishers]]\nplugin = \"prometheus\"\n");
    assert!(told("elasticsearch").contains("0 of its publishers use elasticsearch"), "{}", told("elasticsearch"));
    write("signals = [\"metrics\", \"logs\"]\nendpoint = \"http://a\"\nlogs.endpoint = \"http://a\"\n");
    assert!(told("grafana-cloud").contains("c.toml: signals: has more than one"), "{}", told("grafana-cloud"));
    write("port = 9464\n");
    let state = told("prometheus");
    assert!(state.contains("prometheus keeps state") && state.contains("--max-instance-reuse-count"), "{state}");
    composed(&folder, &["elasticsearch", "prometheus"], "both.wasm");
    let state = refused(&folder, &["--serve", "./both.wasm", "-o", "s.wasm"]);
    assert!(state.contains("prometheus (in ./both.wasm) keeps state"), "{state}");
    let several = refused(&folder, &["--serve", "prometheus", "elasticsearch", "-o", "s.wasm"]);
    assert!(several.contains("compose prometheus and elasticsearch first"), "{several}");
    let none = refused(&folder, &["--serve", "elasticsearch", "--config", "none.toml", "-o", "s.wasm"]);
    assert!(none.contains("cannot read the config none.toml"), "{none}");
    assert!(!folder.path().join("s.wasm").exists());
}

#[test]
fn a_secret_in_the_environment_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "index_prefix = \"p\"\nhosts = [\"https://a.example\"]\napi_key = { secret = \"env:SEARCH_KEY\" }\n";
    fs::write(folder.path().join("c.toml"), settings).unwrap();
    let output = compose(&folder, &["--serve", "elasticsearch", "--config", "c.toml", "-o", "s.wasm"]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    assert!(out.contains("The config of c.toml is in it; from its environment it takes SEARCH_KEY"), "{out}");
}

#[test]
fn a_secret_that_is_written_out_goes_in_with_a_warning_and_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("c.toml"),
        "index_prefix = \"p\"\nhosts = [\"https://a.example\"]\napi_key = \"b3duZXI6c2VjcmV0\"\n",
    )
    .unwrap();
    let output = compose(&folder, &["--serve", "elasticsearch", "--config", "c.toml", "-o", "s.wasm"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("warning: api_key can be read by whoever has s.wasm") && !err.contains("b3duZXI"), "{err}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join("s.wasm")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
