//! Builds the guests that only tests use, and says where the bundled ones are: other hosts take them from their files.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xtask::guests;

const PLUGINS: &[&str] = &["metricast-webhook", "metricast-adviser", "metricast-rulebreaker", "metricast-spin-app"];

fn main() -> Result<()> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target_dir = guests::target_dir_from_out_dir(&out_dir);
    let components = guests::build(PLUGINS, &target_dir)?;
    guests::rerun_if_changed(PLUGINS, &target_dir)?;
    let bundled = guests::build(guests::BUNDLED, &target_dir)?;
    guests::rerun_if_changed(guests::BUNDLED, &target_dir)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=WEBHOOK={}", components[0].display());
    println!("cargo::rustc-env=ADVISER={}", components[1].display());
    println!("cargo::rustc-env=RULEBREAKER={}", components[2].display());
    println!("cargo::rustc-env=SPIN_APP={}", components[3].display());
    for (package, component) in guests::BUNDLED.iter().zip(bundled) {
        let name = package.trim_start_matches("metricast-").to_uppercase().replace('-', "_");
        println!("cargo::rustc-env={name}={}", component.display());
    }
    Ok(())
}
