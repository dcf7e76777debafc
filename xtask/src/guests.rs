//! The one guest builder: WebAssembly components from the workspace's guest packages.
//!
//! It runs a cargo of its own, with a target folder of its own: a build script calls it while the surrounding cargo
//! holds the lock of the usual one, and settings meant for native code must not reach the guests.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The packages whose components are built into the `metricast` binary.
pub const BUNDLED: &[&str] = &["metricast-prometheus", "metricast-elasticsearch"];

/// The packages whose components `metricast compose` puts around plugins. They are built into the `metricast` binary
/// too, and are no plugins by name.
pub const FITTINGS: &[&str] = &["metricast-composite", "metricast-gateway"];

/// The target of every guest.
pub const TARGET: &str = "wasm32-wasip2";

/// The cargo profile of every guest.
const PROFILE: &str = "guest";

/// What a surrounding cargo, clippy or coverage tool sets for native code.
const DISTURBING: &[&str] = &[
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "DEBUG",
    "HOST",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTC",
    "RUSTC_LINKER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "TARGET",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// Builds `packages` as components under `target_dir` and returns their files, in the order of `packages`.
///
/// # Errors
/// Where the wasm target is not installed (the error says what to type) or a package does not compile.
pub fn build(packages: &[&str], target_dir: &Path) -> Result<Vec<PathBuf>> {
    ensure!(
        has_target(),
        "the Rust target {TARGET} is not installed, and plugins cannot be built without it. Type:\n\n    rustup target add {TARGET}\n"
    );
    let status = command(packages, target_dir).status().context("cannot start cargo to build the guests")?;
    ensure!(status.success(), "building the guests {packages:?} failed ({status})");
    packages.iter().map(|package| component(package, target_dir)).collect()
}

fn command(packages: &[&str], target_dir: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--lib", "--profile", PROFILE, "--target", TARGET]);
    cargo.arg("--target-dir").arg(target_dir);
    for package in packages {
        cargo.args(["--package", package]);
    }
    for name in DISTURBING {
        cargo.env_remove(name);
    }
    // A build script's standard output is read by cargo.
    cargo.stdout(Stdio::null());
    cargo
}

fn component(package: &str, target_dir: &Path) -> Result<PathBuf> {
    let file = artifact(package, target_dir, "wasm");
    ensure!(file.is_file(), "cargo built {package}, but {} is not there: is its crate type cdylib?", file.display());
    Ok(file)
}

fn artifact(package: &str, target_dir: &Path, extension: &str) -> PathBuf {
    target_dir.join(TARGET).join(PROFILE).join(package.replace('-', "_")).with_extension(extension)
}

/// Whether the toolchain in use can compile guests.
pub fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .current_dir(workspace())
        .args(["--print", "target-libdir", "--target", TARGET])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

/// Installs the wasm target through rustup where it is missing.
///
/// # Errors
/// Where there is no rustup or it fails.
pub fn ensure_target() -> Result<()> {
    if has_target() {
        return Ok(());
    }
    let status = Command::new("rustup").current_dir(workspace()).args(["target", "add", TARGET]).status();
    match status {
        Ok(status) if status.success() && has_target() => Ok(()),
        _ => bail!("the Rust target {TARGET} is missing and `rustup target add {TARGET}` did not bring it"),
    }
}

/// The guests' target folder beside the native artifacts, from a build script's `OUT_DIR`.
pub fn target_dir_from_out_dir(out_dir: &Path) -> PathBuf {
    let tagged = out_dir.ancestors().skip(1).find(|folder| folder.join("CACHEDIR.TAG").is_file());
    // A target folder that cargo did not create has no tag. OUT_DIR is <target>/<profile>/build/<package>/out.
    tagged.or_else(|| out_dir.ancestors().nth(4)).unwrap_or(out_dir).join("guests")
}

/// Tells cargo to run the build script again when anything that `packages` were built from changes: their sources,
/// those of the workspace crates and WIT files that they use, manifests, the lock file. Call it after [`build`].
///
/// # Errors
/// Where cargo left no list of sources beside a component.
pub fn rerun_if_changed(packages: &[&str], target_dir: &Path) -> Result<()> {
    for path in inputs(packages, target_dir)? {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}

fn inputs(packages: &[&str], target_dir: &Path) -> Result<BTreeSet<PathBuf>> {
    let root = workspace();
    let mut inputs = BTreeSet::from(["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].map(|name| root.join(name)));
    for package in packages {
        let list = artifact(package, target_dir, "d");
        let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        for source in sources(&text) {
            inputs.extend(manifest(&source));
            inputs.insert(source);
        }
    }
    Ok(inputs)
}

/// The sources in a file of the form `artifact: source source`, in which a blank in a name is escaped.
fn sources(dep_info: &str) -> Vec<PathBuf> {
    let list = dep_info.split_once(": ").map_or("", |(_, list)| list);
    let list = list.replace("\\ ", "\0");
    list.split_whitespace().map(|path| PathBuf::from(path.replace('\0', " "))).collect()
}

fn manifest(source: &Path) -> Option<PathBuf> {
    source.ancestors().skip(1).map(|folder| folder.join("Cargo.toml")).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_split_at_blanks_that_are_not_escaped() {
        let text = "/t/a.wasm: /w/guest/my\\ crate/src/lib.rs /w/wit/types.wit\n";
        assert_eq!(sources(text), [PathBuf::from("/w/guest/my crate/src/lib.rs"), PathBuf::from("/w/wit/types.wit")]);
    }

    #[test]
    fn every_source_brings_its_manifest() {
        let source = workspace().join("xtask/src/guests.rs");
        assert_eq!(manifest(&source), Some(workspace().join("xtask/Cargo.toml")));
    }

    #[test]
    fn the_target_folder_without_a_tag_is_found_by_its_shape() {
        let out_dir = Path::new("/nowhere/t/debug/build/metricast-0123/out");
        assert_eq!(target_dir_from_out_dir(out_dir), Path::new("/nowhere/t/guests"));
    }

    #[test]
    fn what_cargo_sets_for_native_code_does_not_reach_the_guests() {
        let command = command(&["a", "b"], Path::new("/t"));
        assert!(command.get_envs().any(|(name, value)| name == "CARGO_ENCODED_RUSTFLAGS" && value.is_none()));
        let arguments: Vec<_> = command.get_args().collect();
        assert!(arguments.windows(2).any(|pair| pair == ["--package", "b"]));
    }
}
