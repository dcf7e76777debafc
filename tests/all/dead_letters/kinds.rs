//! Dead letters of each kind that a plugin does not make by its receipt, and what a retry of one counts.

use std::time::Duration;

use serde_json::{Value, json};
use support::fault_proxy::FaultProxy;
use support::metricast;
use support::prometheus::Prometheus;
use support::search::Node;
use support::{Server, ports, wait};

use super::{DAY, PATIENCE, Setup, names, narrow, record};
use crate::conformance::rulebreaker;

fn wait_for_letters(setup: &Setup, number: usize) -> Vec<Value> {
    wait::until("the dead letters", PATIENCE, || Some(setup.letters()).filter(|letters| letters.len() == number))
}

#[test]
fn a_record_that_breaks_the_plugin_is_one_and_counts_once_when_the_plugin_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (scrapes, plugin) = (ports::free(), folder.path().join("plugin.wasm"));
    let install = |rule: &str| std::fs::copy(rulebreaker(folder.path(), rule), &plugin).unwrap();
    install("no-trap (record)");
    let target = format!("127.0.0.1:{scrapes}");
    let Some(prometheus) = Prometheus::scraping(Server::Prometheus3, &[&target]) else { return };
    let setup = Setup::new(&format!(
        "[[publishers]]\nname = \"kept\"\nplugin = {plugin:?}\nlisten = \"{target}\"\n\
         retry = {{ initial = \"10ms\", max = \"100ms\" }}\n"
    ));
    let running = setup.run();
    let lines: Vec<String> =
        (0..20).map(|index| record(if index == 13 { "break me" } else { "good" }, index)).collect();
    assert_eq!(setup.post(&lines.join("\n")).json()["accepted"], 20);
    let letters = wait_for_letters(&setup, 1);
    assert_eq!((&letters[0]["kind"], &letters[0]["offset"]), (&json!("poison"), &json!(13)), "{letters:?}");
    assert_eq!(letters[0]["record"]["event_name"], "break me");
    prometheus.wait_for("records_total", 19.0);
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");

    install("");
    let running = setup.run();
    running.wait_for_line("records at http://");
    prometheus.wait_for("records_total", 19.0);
    assert_eq!(setup.told("dead-letters retry", &["--all"]), "1 records in the queue again, for kept\n");
    prometheus.wait_for("records_total", 20.0);
    // What counts twice may come later: two scrapes on it would be seen.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(prometheus.value("records_total"), Some(20.0));
    assert_eq!(prometheus.value("max(resets(records_total[5m]))"), Some(0.0));
    assert_eq!(setup.letters(), Vec::<Value>::new());
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn a_record_that_waited_too_long_is_one() {
    let setup = Setup::new(
        "[[publishers]]\nname = \"search\"\nplugin = \"elasticsearch\"\n\
         retry = { initial = \"50ms\", max = \"200ms\", give_up_after = \"1s\" }\n\
         [publishers.config]\nhosts = [\"http://127.0.0.1:1\"]\nindex_prefix = \"expired\"\n",
    );
    let running = setup.run();
    let lines: Vec<String> = (0..3).map(|index| record("e", index)).collect();
    assert_eq!(setup.post(&lines.join("\n")).json()["accepted"], 3);
    let letters = wait_for_letters(&setup, 3);
    for (offset, letter) in letters.iter().enumerate() {
        assert_eq!((&letter["kind"], &letter["offset"]), (&json!("expired"), &json!(offset)), "{letters:?}");
        assert_eq!(letter["record"]["process_id"], json!(offset));
    }
    let (_, log) = running.stop();
    assert_eq!(setup.letters().len(), 3, "{log}");
}

#[test]
fn what_a_leg_of_a_composite_rejects_after_all_is_one_without_its_record() {
    let Some(node) = Node::shared() else { return };
    narrow(&node, "late");
    let proxy = FaultProxy::start(&node.url(), |_| true);
    proxy.refuse();
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.wasm");
    let composed = metricast::output(["compose", "prometheus", "elasticsearch", "-o", both.to_str().unwrap()]);
    assert!(composed.status.success(), "{}", String::from_utf8_lossy(&composed.stderr));
    let setup = Setup::new(&format!(
        "[[publishers]]\nname = \"both\"\nplugin = {both:?}\nlisten = \"127.0.0.1:{}\"\n[publishers.config]\n\
         publishers = [{{}}, {{ hosts = [\"{}\"], index_prefix = \"late\", indices = \"daily\", max_past = \"36500d\" }}]\n",
        ports::free(),
        proxy.url(),
    ));
    let running = setup.run();
    let lines = [record("fits", 1), record("too large", 25_331)];
    assert_eq!(setup.post(&lines.join("\n")).json()["accepted"], 2);
    assert_eq!(setup.letters(), Vec::<Value>::new());
    proxy.accept();
    let letters = wait_for_letters(&setup, 1);
    assert_eq!((&letters[0]["kind"], &letters[0]["offset"]), (&json!("late"), &json!(1)), "{letters:?}");
    assert!(letters[0]["reason"].as_str().unwrap().contains("process.pid"), "{letters:?}");
    assert!(letters[0].get("record").is_none(), "{letters:?}");
    assert_eq!(names(&node, "late"), ["fits"]);
    let stays = setup.command("dead-letters retry", &["--all"]);
    assert_eq!((stays.code, stays.out.as_str()), (1, ""), "{}", stays.err);
    let (_, log) = running.stop();
    assert_eq!(setup.letters(), letters, "{log}");
    node.delete(&format!("/late-{DAY}"));
}
