//! docs/architecture.md, held against the code: who uses whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &str) -> String {
    fs::read_to_string(xtask::workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands in the first block of this kind.
fn block(kind: &str) -> String {
    let page = read("docs/architecture.md");
    let (_, rest) = page.split_once(&format!("```{kind}\n")).expect("the block is there");
    rest.split_once("\n```").expect("it ends").0.to_owned()
}

#[test]
fn the_crates_use_each_other_as_the_graph_says() {
    const CRATES: [&str; 10] = [
        "host",
        "records",
        "store",
        "guest/sdk",
        "guest/series",
        "guest/aggregator",
        "guest/elasticsearch",
        "guest/prometheus",
        "guest/grafana-cloud",
        "guest/composite",
    ];
    let name = |path: &str| path.rsplit('/').next().expect("it has a name").to_owned();
    let mut found = BTreeSet::new();
    for path in CRATES.into_iter().chain(["guest/gateway"]) {
        let manifest = read(&format!("{path}/Cargo.toml"));
        let (_, rest) = manifest.split_once("\n[dependencies]\n").expect("it has dependencies");
        let own = rest.split_once("\n[").map_or(rest, |(own, _)| own);
        let used = own.lines().filter_map(|line| line.strip_prefix("metricast-")?.split(['.', ' ']).next());
        found.extend(used.map(|used| (name(path), used.to_owned())));
    }
    let graph = block("mermaid");
    let arrow = |line: &str| {
        let (from, to) = line.trim().split_once(" --> ")?;
        Some((from.split('[').next().expect("a name").to_owned(), to.to_owned()))
    };
    let drawn: BTreeSet<_> = graph.lines().filter_map(arrow).collect();
    assert_eq!(drawn, found);
}

#[test]
fn a_module_of_the_host_uses_only_those_below_it() {
    let mut levels: BTreeMap<String, usize> = BTreeMap::new();
    let mut alike = BTreeSet::new();
    for (level, line) in block("text").lines().enumerate() {
        let names = line.split("  ").next().expect("a line begins with names");
        for name in names.split([',', '+']).map(str::trim) {
            assert!(levels.insert(name.to_owned(), level).is_none(), "{name} stands there twice");
        }
        if names.contains('+') {
            alike.insert(level);
        }
    }
    let mut seen = BTreeSet::new();
    let root = xtask::workspace().join("host/src");
    for file in files(&root) {
        let module = module(file.strip_prefix(&root).expect("it is below"));
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let level = *levels.get(&module).unwrap_or_else(|| panic!("docs/architecture.md has no {module}"));
        for used in used(&file).into_iter().filter(|used| *used != module && levels.contains_key(used)) {
            let is_below = levels[&used] > level || (levels[&used] == level && alike.contains(&level));
            assert!(is_below, "{}: {module} uses {used}, which does not stand below it", file.display());
        }
        seen.insert(module);
    }
    assert_eq!(seen, levels.into_keys().collect());
}

/// All but tests and what only they use.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        match name {
            "tests" | "scripted" | "forgetful" => {}
            _ if path.is_dir() => files.extend(self::files(&path)),
            _ => files.push(path),
        }
    }
    files
}

/// The first part of its path.
fn module(file: &Path) -> String {
    let first = file.components().next().expect("it has a name").as_os_str().to_str().expect("UTF-8");
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that its code names by their paths, the tests at its end left out.
fn used(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).expect("it can be read");
    let code = text.split("#[cfg(test)]\nmod tests {").next().expect("a part");
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = lines.flat_map(|line| line.split("crate::").skip(1));
    names
        .map(|name| name.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or("").to_owned())
        .collect()
}
