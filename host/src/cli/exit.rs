//! Exit codes, and which one wins where several hold.

use std::io;
use std::path::Path;
use std::process::ExitCode;

/// How a command ended. The greater one is told: usage or config before undelivered before refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// All is done.
    Clean,
    /// A line was refused or a record rejected.
    Refused,
    /// Something was not delivered at the end.
    Undelivered,
    /// Usage or config: nothing could be done.
    Unusable,
}

impl Exit {
    /// Refused if that is so, else clean.
    pub(crate) fn refused_if(refused: bool) -> Self {
        if refused { Self::Refused } else { Self::Clean }
    }

    /// Undelivered if that is so, else clean.
    pub(crate) fn undelivered_if(undelivered: bool) -> Self {
        if undelivered { Self::Undelivered } else { Self::Clean }
    }

    /// What an error that ends a command comes to.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let io = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        let compressed = io.filter_map(io::Error::get_ref).any(<dyn std::error::Error + Send + Sync>::is::<Compressed>);
        if error.downcast_ref::<Broken>().is_some() && !compressed { Self::Undelivered } else { Self::Unusable }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Refused => 1,
            Self::Unusable => 2,
            Self::Undelivered => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// An error with its causes, none of them twice: many an error has its cause in its own text.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What is read is compressed, which nothing here unpacks.
#[derive(Debug, thiserror::Error)]
#[error("{name} is {kind}: `{tool} | metricast … -` reads it")]
pub(crate) struct Compressed {
    name: String,
    kind: &'static str,
    tool: String,
}

impl Compressed {
    /// Judges the first bytes of an input; `path` is what a tool can open.
    pub(crate) fn by(start: &[u8], name: &str, path: Option<&Path>) -> Option<Self> {
        let (kind, tool) = match start {
            [0x1F, 0x8B, ..] => ("gzip", "zcat"),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => ("zstd", "zstdcat"),
            _ => return None,
        };
        let tool = path.map_or_else(|| format!("… | {tool}"), |path| format!("{tool} {}", path.display()));
        Some(Self { name: name.to_owned(), kind, tool })
    }
}

/// Reading or writing broke off in the middle: an error with this in its chain is [`Exit::Undelivered`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(String);

impl Broken {
    pub(crate) fn reading(name: &str) -> Self {
        Self(format!("cannot read on in {name}"))
    }

    pub(crate) fn writing(path: &Path) -> Self {
        Self(format!("cannot write on to {}", path.display()))
    }

    pub(crate) fn output() -> Self {
        Self("cannot write to standard output".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read it: {0}")]
        struct Both(#[source] io::Error);
        let error = Err::<(), _>(Both(io::Error::other("no such file"))).context("outer").unwrap_err();
        assert_eq!(told(&error), "outer: cannot read it: no such file");
    }

    #[test]
    fn what_is_compressed_is_a_mistake_in_usage_also_when_it_is_found_late() {
        let found = Compressed::by(b"\x1F\x8B\x08", "<stdin>", None).unwrap();
        assert_eq!(found.to_string(), "<stdin> is gzip: `… | zcat | metricast … -` reads it");
        let late = anyhow::Error::from(io::Error::new(io::ErrorKind::InvalidData, found));
        assert_eq!(Exit::of(&late.context(Broken::reading("<stdin>"))), Exit::Unusable);
        let broken = anyhow::Error::from(io::Error::other("gone")).context(Broken::reading("<stdin>"));
        assert_eq!(Exit::of(&broken), Exit::Undelivered);
        let zstd = Compressed::by(b"\x28\xB5\x2F\xFD", "d.zst", Some(Path::new("d.zst"))).unwrap();
        assert_eq!(zstd.to_string(), "d.zst is zstd: `zstdcat d.zst | metricast … -` reads it");
        assert!(Compressed::by(b"{\"", "d", None).is_none());
    }

    #[test]
    fn two_wins_over_three_and_three_over_one() {
        let both = |a: Exit, b: Exit| a.max(b).code();
        assert_eq!(both(Exit::Refused, Exit::Undelivered), 3);
        assert_eq!(both(Exit::Undelivered, Exit::Unusable), 2);
        assert_eq!(both(Exit::Clean, Exit::Refused), 1);
        assert_eq!(both(Exit::refused_if(false), Exit::undelivered_if(false)), 0);
    }
}
