//! What a component imports and exports, and whether a plugin may.

use wasmtime::component::Component;

use super::load::LoadProblem;
use crate::bindings::EXPORT;
use crate::engine::Engine;

/// The interfaces of `wasi:cli/imports` and what `wasi:http` has for requests that leave. std brings most of the
/// former along by itself, so all of it is linked, to nothing: no arguments, no environment, no files, no sockets.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["preopens", "types"]),
    ("wasi:http", &["outgoing-handler", "types"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["insecure", "insecure-seed", "random"]),
    (
        "wasi:sockets",
        &["instance-network", "ip-name-lookup", "network", "tcp", "tcp-create-socket", "udp", "udp-create-socket"],
    ),
];

/// The names on a component's two sides, as `package:name/interface@version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Surface {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Surface {
    pub(super) fn of(component: &Component, engine: &Engine) -> Self {
        let ty = component.component_type();
        let names = |name: &str| name.to_owned();
        Self {
            imports: ty.imports(engine.machine()).map(|(name, _)| names(name)).collect(),
            exports: ty.exports(engine.machine()).map(|(name, _)| names(name)).collect(),
        }
    }

    /// Whether there is nothing but what a plugin gets, and the contract is there.
    pub(super) fn judge(&self) -> Result<(), LoadProblem> {
        let forbidden: Vec<_> = self.imports.iter().filter(|name| !is_provided(name)).cloned().collect();
        if !forbidden.is_empty() {
            return Err(LoadProblem::ForbiddenImports(forbidden));
        }
        if !self.exports.iter().any(|name| name == EXPORT) {
            return Err(LoadProblem::MissingExport { wanted: EXPORT, found: self.exports.clone() });
        }
        Ok(())
    }
}

/// What the contract's own functions speak of: an instance of types only, which asks for nothing.
const CONTRACT_TYPES: &str = "metricast:publisher/types@0.1.0";

/// Whether plugins get an interface of this name.
pub(crate) fn is_provided(import: &str) -> bool {
    if import == CONTRACT_TYPES {
        return true;
    }
    let Some((path, version)) = import.split_once('@') else { return false };
    let Some((package, interface)) = path.split_once('/') else { return false };
    let known = ALLOWED.iter().any(|(name, interfaces)| *name == package && interfaces.contains(&interface));
    known && version.strip_prefix("0.2.").is_some_and(|patch| patch.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_allowed_by_package_interface_and_version() {
        for import in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/stderr@0.2.6",
            "wasi:random/insecure-seed@0.2.4",
            CONTRACT_TYPES,
        ] {
            assert!(is_provided(import), "{import}");
        }
        for import in [
            "wasi:http/incoming-handler@0.2.0",
            "wasi:http/types@0.3.0",
            "wasi:http/types",
            "wasi:http/types@0.2.0-rc-2023-12-05",
            "wasi:keyvalue/store@0.2.0",
            "evil:http/types@0.2.0",
            "wasi:cli@0.2.0",
            "run",
            "",
        ] {
            assert!(!is_provided(import), "{import}");
        }
    }
}
