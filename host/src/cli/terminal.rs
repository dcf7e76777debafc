//! What the command writes to: colours, errors, progress, and standard output that may be closed at any time.

use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressDrawTarget};

use super::exit::Broken;

/// When output is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Colour {
    fn applies(self, to_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                to_terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// The two streams that a person sees.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    screen: MultiProgress,
    colour: Colour,
    quiet: bool,
}

impl Terminal {
    pub(crate) fn new(colour: Colour, quiet: bool) -> Self {
        let progress = !quiet && io::stderr().is_terminal();
        let target = if progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { screen: MultiProgress::with_draw_target(target), colour, quiet }
    }

    /// Where progress bars are drawn; log lines and errors go past it.
    pub(crate) fn screen(&self) -> &MultiProgress {
        &self.screen
    }

    pub(crate) fn stderr_colour(&self) -> bool {
        self.colour.applies(io::stderr().is_terminal())
    }

    /// Text for standard output.
    pub(crate) fn stdout_paint(&self) -> Paint {
        Paint(self.colour.applies(io::stdout().is_terminal()))
    }

    /// `error: …` on standard error.
    pub(crate) fn error(&self, message: impl Display) {
        let label = Paint(self.stderr_colour()).bad("error");
        self.say(format_args!("{label}: {message}"));
    }

    /// A line on standard error that --quiet leaves out.
    pub(crate) fn note(&self, message: impl Display) {
        if !self.quiet {
            self.say(message);
        }
    }

    /// A line on standard error.
    pub(crate) fn say(&self, message: impl Display) {
        // Nobody is left to be told that standard error is closed.
        self.screen.suspend(|| drop(writeln!(io::stderr().lock(), "{message}")));
    }
}

/// Standard output for much at once.
pub(crate) fn stdout() -> BufWriter<io::StdoutLock<'static>> {
    const BLOCK: usize = 64 << 10;
    BufWriter::with_capacity(BLOCK, io::stdout().lock())
}

/// Writes a command's last word to standard output.
pub(crate) fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = stdout();
    write!(out, "{text}").and_then(|()| out.flush()).context(Broken::output())
}

/// Whether the reader of standard output went away, as `| head` does: no mistake of anybody.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Marks words, if the stream is coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    pub(crate) fn bad<T: Display>(self, text: T) -> Painted<T> {
        self.style(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), text)
    }

    pub(crate) fn good<T: Display>(self, text: T) -> Painted<T> {
        self.style(Style::new().fg_color(Some(AnsiColor::Green.into())), text)
    }

    pub(crate) fn doubtful<T: Display>(self, text: T) -> Painted<T> {
        self.style(Style::new().fg_color(Some(AnsiColor::Yellow.into())), text)
    }

    pub(crate) fn plain<T: Display>(self, text: T) -> Painted<T> {
        self.style(Style::new(), text)
    }

    pub(crate) fn strong<T: Display>(self, text: T) -> Painted<T> {
        self.style(Style::new().bold(), text)
    }

    fn style<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.0 { style } else { Style::new() }, text }
    }
}

/// Text with its colour; padding counts the text only.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Painted<T> {
    style: Style,
    text: T,
}

impl<T> Painted<T> {
    /// What tells how it looks, and what it says.
    pub(crate) fn into_parts(self) -> (Style, T) {
        (self.style, self.text)
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.style)?;
        self.text.fmt(f)?;
        write!(f, "{:#}", self.style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_told_or_follows_the_stream() {
        assert!(Colour::Always.applies(false));
        assert!(!Colour::Never.applies(true));
        assert!(!Colour::Auto.applies(false));
    }

    #[test]
    fn paint_leaves_text_alone_where_there_is_no_colour() {
        assert_eq!(format!("[{:>4}]", Paint(false).bad("no")), "[  no]");
        assert_eq!(format!("[{:>4}]", Paint(true).strong("no")), "[\u{1b}[1m  no\u{1b}[0m]");
    }

    #[test]
    fn a_reader_that_left_is_told_from_other_failures() {
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&anyhow::Error::from(gone).context("writing")));
        assert!(!is_broken_pipe(&anyhow::anyhow!("something else")));
    }
}
