//! What the README shows is what there is.

use std::fs;
use std::path::Path;

use support::metricast;

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The blocks of one language, without their fences.
fn blocks(language: &str) -> Vec<String> {
    let readme = file("README.md");
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest[..rest.find("```").unwrap()].to_owned()).collect()
}

#[test]
fn its_plugin_is_the_one_that_is_built_and_run() {
    assert_eq!(blocks("rust"), [file("examples/webhook/src/lib.rs")]);
    let guide = file("docs/plugins.md");
    for (language, sources) in [
        ("rust", vec![file("examples/webhook/src/lib.rs")]),
        (
            "python",
            ["webhook", "settings", "publisher"].map(|name| file(&format!("examples/plugin-python/{name}.py"))).into(),
        ),
    ] {
        let fence = format!("```{language}\n");
        let blocks = guide.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
        let lines = blocks
            .flat_map(str::lines)
            .map(str::trim)
            .filter(|line| line.starts_with("def ") || line.starts_with("fn "));
        for line in lines {
            assert!(sources.iter().any(|source| source.contains(line)), "{line}");
        }
    }
}

#[test]
fn its_config_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("metricast.toml");
    fs::write(&config, &blocks("toml")[0]).unwrap();
    let output = metricast::output(["check", "-c", config.to_str().unwrap()]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for said in ["search", "http://127.0.0.1:9200", "scrape", "http://127.0.0.1:9464/metrics"] {
        assert!(out.contains(said), "{said}: {out}");
    }
}

#[test]
fn its_records_are_records() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records.ndjson");
    fs::write(&records, &blocks("json")[0]).unwrap();
    let output = metricast::output(["format", records.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
}

#[test]
fn its_commands_are_the_programs() {
    let help = metricast::output(["--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    for command in ["run", "publish", "format", "check", "plugins", "inspect", "compose", "conformance", "completions"]
    {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
        assert!(file("README.md").contains(&format!("`{command}")), "{command}");
    }
}

#[test]
fn the_config_in_the_help_of_run_is_valid() {
    let help = metricast::output(["run", "--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let (_, rest) = help.split_once("A config, with one publisher:\n").unwrap();
    let config = rest.split("\n\n").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metricast.toml");
    fs::write(&path, config).unwrap();
    let output = metricast::output(["check", "-c", path.to_str().unwrap()]);
    assert!(output.status.success(), "{config}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_key_of_a_config_is_documented() {
    let page = file("docs/config.md");
    let reader = file("host/src/config/raw.rs");
    let keys = reader.split("table.").chain(reader.split("root.")).filter_map(|call| {
        let (method, rest) = call.split_once("(\"")?;
        method.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| rest.split('"').next().unwrap())
    });
    let keys: std::collections::BTreeSet<&str> = keys.collect();
    assert!(keys.len() > 15, "{keys:?}");
    for key in keys {
        assert!(
            page.contains(&format!("`{key}`")) || page.contains(&format!("[{key}]")),
            "{key} is not in docs/config.md"
        );
    }
}
