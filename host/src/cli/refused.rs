//! Lines that were refused: counted, the first ones told, all of them kept where `--refused FILE` says so.

use std::fmt::{self, Display};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::HumanCount;
use serde::Serialize;

use super::exit::Broken;

/// Of a refused line no more is kept.
const MAX_RAW: usize = 64 << 10;
/// So many are told in the summary.
const TOLD: usize = 20;

/// Standard input as a file, where the system has it.
const STDIN: &str = "/dev/stdin";

/// What was refused so far.
#[derive(Debug, Default)]
pub(super) struct Refused {
    count: u64,
    first: Vec<String>,
    file: Option<(PathBuf, BufWriter<File>)>,
}

/// One refused line as it is kept.
#[derive(Serialize)]
struct Kept<'a> {
    source: &'a str,
    line: u64,
    reason: &'a str,
    /// The line, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    /// The line, if it is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

impl Refused {
    /// Keeps them in a file, which is made or emptied; without one they are only told.
    pub(super) fn new(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| -> anyhow::Result<_> {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok((path.to_owned(), BufWriter::new(file)))
        };
        Ok(Self { file: path.map(open).transpose()?, ..Self::default() })
    }

    pub(super) fn add(&mut self, source: &str, line: u64, reason: &str, raw: &[u8]) -> anyhow::Result<()> {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push(format!("{source}:{line}: {reason}"));
        }
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        write(file, source, line, reason, raw).with_context(|| Broken::writing(path))
    }

    /// So many more, of which nothing else is known.
    pub(super) fn add_untold(&mut self, count: u64) {
        self.count += count;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes the last of the file.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        file.flush().with_context(|| Broken::writing(path))
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return Ok(());
        }
        let kept = self.file.as_ref().map_or_else(String::new, |(path, _)| format!(", all in {}", path.display()));
        writeln!(f, "refused: {}{kept}", HumanCount(self.count))?;
        for line in &self.first {
            writeln!(f, "  {line}")?;
        }
        let more = self.count - self.first.len() as u64;
        if more > 0 {
            let advice = if self.file.is_some() { "" } else { "; --refused FILE keeps all of them" };
            writeln!(f, "  and {} more{advice}", HumanCount(more))?;
        }
        Ok(())
    }
}

/// Makes sure that a file that is to be written, as `option` says, is none of those that are read.
///
/// # Errors
/// If it is one of them, under whatever name.
pub(super) fn spare(option: &str, written: &Path, inputs: &[PathBuf], config: Option<&Path>) -> anyhow::Result<()> {
    let named = inputs.iter().map(|input| if input == Path::new("-") { Path::new(STDIN) } else { input.as_path() });
    let unnamed = inputs.is_empty().then_some(Path::new(STDIN));
    for read in named.chain(unnamed).chain(config) {
        if is_same_file(written, read) {
            let (written, read) = (written.display(), read.display());
            anyhow::bail!("{option} {written} is {read}, which is read: it would be lost; name another file");
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Terminals, pipes and /dev/null lose nothing.
    let place =
        |path: &Path| path.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| (found.dev(), found.ino()));
    place(a).is_some_and(|place_of_a| place(b) == Some(place_of_a))
}

#[cfg(not(unix))]
fn is_same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

fn write(file: &mut impl Write, source: &str, line: u64, reason: &str, raw: &[u8]) -> io::Result<()> {
    let raw = cut(raw);
    let text = std::str::from_utf8(raw).ok();
    let raw_base64 = text.is_none().then(|| STANDARD.encode(raw));
    serde_json::to_writer(&mut *file, &Kept { source, line, reason, raw: text, raw_base64 })?;
    file.write_all(b"\n")
}

/// The first [`MAX_RAW`] bytes, less a character that does not end in them.
fn cut(raw: &[u8]) -> &[u8] {
    let Some(kept) = raw.get(..MAX_RAW) else {
        return raw;
    };
    match std::str::from_utf8(kept) {
        Err(error) if error.error_len().is_none() => &kept[..error.valid_up_to()],
        _ => kept,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kept(raw: &[u8]) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.ndjson");
        let mut refused = Refused::new(Some(&path)).unwrap();
        refused.add("app.ndjson", 7, "not JSON", raw).unwrap();
        refused.finish().unwrap();
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
    }

    #[test]
    fn text_is_kept_as_text_and_bytes_as_base64() {
        let wanted = json!({"source": "app.ndjson", "line": 7, "reason": "not JSON", "raw": "{\"a\":"});
        assert_eq!(kept(b"{\"a\":"), wanted);
        assert_eq!(kept(b"\xFFa")["raw_base64"], "/2E=");
    }

    #[test]
    fn a_file_that_is_read_is_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("app"), "x").unwrap();
        std::fs::hard_link(path("app"), path("same")).unwrap();
        std::fs::write(path("other"), "x").unwrap();
        let told = spare("--refused", &path("same"), &[path("other"), path("app")], None).unwrap_err().to_string();
        assert!(told.starts_with("--refused ") && told.contains("same is ") && told.contains("/app, which"), "{told}");
        assert!(spare("--refused", &path("app"), &[path("other")], Some(&path("same"))).is_err());
        assert!(spare("--refused", &path("app"), &[path("other"), path("none")], None).is_ok());
        assert!(spare("--refused", &path("new"), &[path("app")], None).is_ok());
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let raw = "ü".repeat(MAX_RAW);
        assert_eq!(kept(raw.as_bytes())["raw"].as_str().unwrap().len(), MAX_RAW);
        assert_eq!(kept(format!("x{raw}").as_bytes())["raw"].as_str().unwrap().len(), MAX_RAW - 1);
    }

    #[test]
    fn the_first_are_told_and_the_rest_counted() {
        let mut refused = Refused::default();
        assert_eq!(refused.to_string(), "");
        for line in 1..=1_234 {
            refused.add("-", line, "not JSON", b"x").unwrap();
        }
        let told = refused.to_string();
        assert!(told.starts_with("refused: 1,234\n  -:1: not JSON\n"), "{told}");
        assert!(told.ends_with("  -:20: not JSON\n  and 1,214 more; --refused FILE keeps all of them\n"), "{told}");
    }
}
