//! What comes as an npm package: `package-lock.json` pins it and all that it needs, each by its hash.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::step;

const PACKAGE: &str = include_str!("jco/package.json");

const LOCK: &str = include_str!("jco/package-lock.json");

/// Puts jco and the WASI of its programs into `folder`. No package's own script is run.
pub(super) fn install_jco(folder: &Path) -> Result<()> {
    fs::write(folder.join("package.json"), PACKAGE)?;
    fs::write(folder.join("package-lock.json"), LOCK)?;
    let mut npm = Command::new("npm");
    // `npm ci` would want the optional packages of every platform in the lock.
    npm.current_dir(folder).args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.arg("--loglevel=error");
    step::run(&mut npm)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::hosts::JCO;

    #[test]
    fn the_lock_is_of_the_pinned_version_and_names_no_registry() {
        assert!(PACKAGE.contains(&format!("\"@bytecodealliance/jco\": \"{JCO}\"")), "{PACKAGE}");
        let installed = LOCK.split("\"node_modules/@bytecodealliance/jco\": {").nth(1).unwrap();
        assert!(installed.trim_start().starts_with(&format!("\"version\": \"{JCO}\"")));
        assert!(!LOCK.contains("\"resolved\""));
    }
}
