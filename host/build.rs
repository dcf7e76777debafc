//! Builds the bundled plugins and lists them in `bundled.rs` for `src/plugin/source.rs`; builds what plugins are composed
//! with and lists it in `fittings.rs` for `src/compose/fittings.rs`.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};
use xtask::guests;

/// What a bundled plugin's package is called before the name that users know it by.
const PREFIX: &str = "metricast-";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let target_dir = guests::target_dir_from_out_dir(&out_dir);
    let packages = [guests::BUNDLED, guests::FITTINGS].concat();
    let components = guests::build(&packages, &target_dir)?;
    guests::rerun_if_changed(&packages, &target_dir)?;
    let (bundled, fittings) = components.split_at(guests::BUNDLED.len());
    fs::write(out_dir.join("bundled.rs"), list("BUNDLED", guests::BUNDLED, bundled)?)?;
    fs::write(out_dir.join("fittings.rs"), list("FITTINGS", guests::FITTINGS, fittings)?)?;
    Ok(())
}

fn list(constant: &str, packages: &[&str], components: &[PathBuf]) -> Result<String> {
    let mut code = format!("pub(crate) const {constant}: &[Bundled] = &[\n");
    for (package, component) in packages.iter().zip(components) {
        let name = package.strip_prefix(PREFIX).context("a bundled plugin's package is called after this project")?;
        let component = component.to_str().context("the path of the target folder is not UTF-8")?;
        writeln!(code, "    Bundled {{ name: {name:?}, bytes: include_bytes!({component:?}) }},")?;
    }
    code.push_str("];\n");
    Ok(code)
}
