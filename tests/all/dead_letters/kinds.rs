//! Dead letters of each kind that a plugin does not make by its receipt, and what a retry of one counts.

use std::time::Duration;

use serde_json::{Value, json};
use support::prometheus::Prometheus;
use support::{Server, ports, wait};

use super::{PATIENCE, Setup, record};
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
