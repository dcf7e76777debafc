//! Exit codes, and which one wins where several hold.

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
    use super::Exit;

    #[test]
    fn two_wins_over_three_and_three_over_one() {
        let both = |a: Exit, b: Exit| a.max(b).code();
        assert_eq!(both(Exit::Refused, Exit::Undelivered), 3);
        assert_eq!(both(Exit::Undelivered, Exit::Unusable), 2);
        assert_eq!(both(Exit::Clean, Exit::Refused), 1);
        assert_eq!(both(Exit::refused_if(false), Exit::undelivered_if(false)), 0);
    }
}
