//! From a source to bytes that may be compiled.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::fault::CallError;
use super::source::{BUNDLED, PluginSource};

/// Bytes of one component.
const MAX_SIZE: u64 = 64 << 20;

/// A plugin that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("plugin {plugin}: {problem}")]
pub struct LoadError {
    /// As the user named it.
    pub plugin: String,
    /// Why.
    pub problem: LoadProblem,
}

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Read(#[from] io::Error),
    /// The path of a folder.
    #[error("it is a folder: name the component in it, a file such as plugin.wasm")]
    Folder,
    /// No component is that large.
    #[error("it has more than {} MiB, the most that a component may have", MAX_SIZE >> 20)]
    TooLarge,
    /// Nothing is in it.
    #[error("it is empty: was it written to its end?")]
    Empty,
    /// Not even WebAssembly.
    #[error("it is no WebAssembly file")]
    NotWasm,
    /// WebAssembly, but not a component.
    #[error(
        "it is a core module, not a component; `cargo build --target wasm32-wasip2` makes one, and so does `wasm-tools component new`"
    )]
    CoreModule,
    /// It does not compile.
    #[error("it does not compile: {0}")]
    Invalid(String),
    /// It wants what no plugin gets.
    #[error("it imports {}, which no plugin gets: HTTP, clocks, random numbers and standard error are all there is", .0.join(" and "))]
    ForbiddenImports(Vec<String>),
    /// It imports an allowed interface in a form that is not known.
    #[error("its imports cannot be satisfied: {0}")]
    Link(String),
    /// It does not export the contract.
    #[error("it does not export {wanted}; it exports {}{}", list(.found), service(.found))]
    MissingExport {
        /// The interface of the contract.
        wanted: &'static str,
        /// What it exports instead.
        found: Vec<String>,
    },
    /// It exports the contract's name with another shape.
    #[error("its {wanted} has another shape than the contract's: {reason}")]
    WrongExport {
        /// The interface of the contract.
        wanted: &'static str,
        /// Where it differs.
        reason: String,
    },
    /// It cannot say what it is.
    #[error("it cannot describe itself: {0}")]
    Describe(#[from] CallError),
    /// This program is ending.
    #[error("it was not loaded before the end")]
    Ended,
}

/// A word for who gives a service where a plugin is wanted.
fn service(names: &[String]) -> &'static str {
    let is_service = names.iter().any(|name| name.starts_with("wasi:http/incoming-handler@"));
    if is_service { ": it is a service; name the plugin that it was made of" } else { "" }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

impl PluginSource {
    /// The bytes of its component, within the bound of a plugin's size.
    ///
    /// # Errors
    /// Where it cannot be read or is no component.
    pub fn read(&self) -> Result<Cow<'static, [u8]>, LoadError> {
        read(self).map_err(|problem| LoadError { plugin: self.to_string(), problem })
    }
}

/// Reads a source, within the bound, and makes sure that it is a component.
pub(super) fn read(source: &PluginSource) -> Result<Cow<'static, [u8]>, LoadProblem> {
    let bytes = match source {
        PluginSource::Bundled(name) => {
            let plugin = BUNDLED.iter().find(|plugin| plugin.name == *name);
            plugin.map(|plugin| Cow::Borrowed(plugin.bytes)).ok_or(LoadProblem::NotWasm)?
        }
        PluginSource::File(path) => Cow::Owned(read_file(path)?),
    };
    judge(&bytes)?;
    Ok(bytes)
}

fn read_file(path: &Path) -> Result<Vec<u8>, LoadProblem> {
    if path.is_dir() {
        return Err(LoadProblem::Folder);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE { Err(LoadProblem::TooLarge) } else { Ok(bytes) }
}

fn judge(bytes: &[u8]) -> Result<(), LoadProblem> {
    // The two 16-bit fields after the magic are version and layer; layer 1 is the component model.
    match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => Err(LoadProblem::CoreModule),
        [] => Err(LoadProblem::Empty),
        _ => Err(LoadProblem::NotWasm),
    }
}

/// What a component is known by: `sha256:` and the digest in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;

    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_named_for_what_it_is() {
        assert!(matches!(judge(&wat::parse_str("(module)").unwrap()), Err(LoadProblem::CoreModule)));
        assert!(matches!(judge(b"#!/bin/sh"), Err(LoadProblem::NotWasm)));
        assert!(matches!(judge(b""), Err(LoadProblem::Empty)));
        assert!(judge(&wat::parse_str("(component)").unwrap()).is_ok());
    }

    #[test]
    fn a_file_beyond_the_bound_is_not_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_SIZE * 8).unwrap();
        assert!(matches!(read_file(file.path()), Err(LoadProblem::TooLarge)));
    }

    #[test]
    fn the_digest_is_the_one_that_sha256sum_prints() {
        assert_eq!(digest(b"abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
