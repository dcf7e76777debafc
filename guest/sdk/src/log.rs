//! Lines for the host's log. They go to standard error, where the host takes the level from how the line begins.

use std::fmt::{Display, Write as _};

/// Something is lost or will not work until a person acts.
pub fn error(message: impl Display) {
    line("error", message);
}

/// Something is not as it should be, and goes on.
pub fn warn(message: impl Display) {
    line("warn", message);
}

/// Something that a person wants to know once.
pub fn info(message: impl Display) {
    line("info", message);
}

/// For somebody who looks for a fault.
pub fn debug(message: impl Display) {
    line("debug", message);
}

fn line(level: &str, message: impl Display) {
    eprintln!("{}", one_line(level, message));
}

/// A message that spans lines is one line of the log.
fn one_line(level: &str, message: impl Display) -> String {
    let mut line = format!("{level}: ");
    let text = message.to_string();
    for (index, part) in text.lines().enumerate() {
        let separator = if index == 0 { "" } else { " | " };
        write!(line, "{separator}{part}").expect("a String takes every write");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_message_is_one_line_with_its_level() {
        assert_eq!(one_line("warn", "disk is full"), "warn: disk is full");
        assert_eq!(one_line("error", "a\r\nb\n"), "error: a | b");
    }
}
