//! The components that are measured, built as the bundled ones are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask::guests;

/// The packages of [`Components`], in the order of its fields.
const PACKAGES: [&str; 3] = ["metricast-bench-empty", "metricast-prometheus", "metricast-bench-elasticsearch-format"];

/// One component's file.
pub(crate) struct Component {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// What is measured.
pub(crate) struct Components {
    pub(crate) empty: Component,
    pub(crate) prometheus: Component,
    pub(crate) elasticsearch: Component,
}

/// Builds them, in a target folder of their own: they use the Elasticsearch plugin's code without its exports, and
/// cargo gives both forms of that package one file name.
pub(crate) fn build() -> Result<Components> {
    let program = env::current_exe().context("where this program is")?;
    let target = program.ancestors().nth(2).context("programs lie in a target folder")?.join("bench-guests");
    of_files(guests::build(&PACKAGES, &target)?)
}

/// Those that an earlier build left in a folder.
pub(crate) fn in_folder(folder: &Path) -> Result<Components> {
    let file = |package: &str| folder.join(package.replace('-', "_")).with_extension("wasm");
    of_files(PACKAGES.map(file).into())
}

fn of_files(files: Vec<PathBuf>) -> Result<Components> {
    let components = files.into_iter().map(component).collect::<Result<Vec<_>>>()?;
    let [empty, prometheus, elasticsearch] =
        components.try_into().ok().context("the guest builder answers with a file a package")?;
    Ok(Components { empty, prometheus, elasticsearch })
}

fn component(path: PathBuf) -> Result<Component> {
    let bytes = fs::metadata(&path).with_context(|| format!("no component at {}", path.display()))?.len();
    Ok(Component { path, bytes })
}
