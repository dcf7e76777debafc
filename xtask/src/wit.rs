//! Generates `wit/legs.wit` from `wit/publisher.wit`.
//!
//! A world imports an interface once, and named imports need flags that hosts don't have: so each leg of a composite
//! gets an interface of its own with the body of `publisher`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::workspace;

const LEGS: [&str; 2] = ["first", "second"];
const SOURCE: &str = "wit/publisher.wit";
const GENERATED: &str = "wit/legs.wit";

const HEADER: &str = "\
// Generated from publisher.wit by `cargo xtask wit`. A world imports an interface once, so each leg of a composite
// has the shape of `publisher` under a name of its own.
";

/// Writes `wit/legs.wit`.
///
/// # Errors
/// Where a file cannot be read or written, or `publisher.wit` has no interface `publisher`.
pub fn write() -> Result<()> {
    let path = workspace().join(GENERATED);
    fs::write(&path, expected()?).with_context(|| format!("cannot write {}", path.display()))
}

/// Compares `wit/legs.wit` with what [`write()`] would write.
///
/// # Errors
/// Where they differ; the error says what to type.
pub fn check() -> Result<()> {
    let found = fs::read_to_string(workspace().join(GENERATED)).unwrap_or_default();
    ensure!(found == expected()?, "{GENERATED} does not have the shape of {SOURCE}. Type:\n\n    cargo xtask wit\n");
    Ok(())
}

fn expected() -> Result<String> {
    let source = fs::read_to_string(workspace().join(SOURCE)).with_context(|| format!("cannot read {SOURCE}"))?;
    legs(&source)
}

/// The text of `legs.wit` for the text of `publisher.wit`: the body once for each leg, without comments.
///
/// # Errors
/// Where `source` has no interface `publisher`.
pub fn legs(source: &str) -> Result<String> {
    let body = body(source).with_context(|| format!("{SOURCE} has no `interface publisher {{` that ends with `}}`"))?;
    let mut text = HEADER.to_owned();
    for leg in LEGS {
        write!(text, "\n/// The shape of `publisher`: the {leg} leg of a composite.\ninterface {leg} {{\n{body}}}\n")?;
    }
    Ok(text)
}

fn body(source: &str) -> Option<String> {
    let (_, rest) = source.split_once("interface publisher {\n")?;
    let (body, _) = rest.split_once("\n}")?;
    let code = body.lines().filter(|line| !line.trim_start().starts_with("//"));
    Some(code.fold(String::new(), |text, line| text + line + "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leg_has_the_body_without_comments() {
        let source = "/// Doc.\ninterface publisher {\n  use types.{batch};\n\n  /// Doc.\n  describe: func();\n}\n";
        let text = legs(source).unwrap();
        assert!(text.contains("interface first {\n  use types.{batch};\n\n  describe: func();\n}\n"), "{text}");
        assert!(text.ends_with("interface second {\n  use types.{batch};\n\n  describe: func();\n}\n"), "{text}");
    }

    #[test]
    fn a_source_without_the_interface_is_an_error() {
        assert!(legs("interface other {\n}\n").is_err());
    }
}
