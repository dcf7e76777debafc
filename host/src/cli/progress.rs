//! Progress while files are published, and the pace that is told at the end.

use std::fmt;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};

use super::terminal::Terminal;

const REDRAW: Duration = Duration::from_millis(200);

/// A bar of bytes where it is known how many there are, else a spinner; nothing where nobody sees it.
pub(super) fn bar(terminal: &Terminal, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => {
            let template = "{bar:30} {percent:>3} %  {binary_bytes} of {binary_total_bytes}  {msg}  {eta} left";
            (ProgressBar::new(total), template)
        }
        None => (ProgressBar::new_spinner(), "{spinner} {binary_bytes}  {msg}  {elapsed}"),
    };
    let style = ProgressStyle::with_template(template).expect("the template is one of two and tested");
    let bar = terminal.screen().add(bar.with_style(style));
    bar.enable_steady_tick(REDRAW);
    bar
}

/// How much in which time: `2.33 MiB in 0.21 s (33,166 records a second)`.
pub(super) struct Pace {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

impl Pace {
    /// Records a second.
    pub(super) fn rate(&self) -> u64 {
        (self.records as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)) as u64
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        write!(f, "{} in {seconds:.2} s ({} records a second)", BinaryBytes(self.bytes), HumanCount(self.rate()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::terminal::Colour;
    use super::*;

    #[test]
    fn both_bars_can_be_drawn() {
        let terminal = Terminal::new(Colour::Never, true);
        for total in [Some(100), None] {
            let bar = bar(&terminal, total);
            bar.inc(10);
            assert_eq!(bar.position(), 10);
            bar.finish_and_clear();
        }
    }

    #[test]
    fn the_pace_is_short() {
        let pace = Pace { records: 6_965, bytes: 2_441_216, took: Duration::from_millis(210) };
        assert_eq!(pace.to_string(), "2.33 MiB in 0.21 s (33,166 records a second)");
    }
}
