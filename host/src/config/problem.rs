//! What is wrong in a configuration file, and where: `file:line:column: key: message`, the line, and a caret under it.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// A configuration file's name and text, which places are shown in.
#[derive(Debug, Clone)]
pub(super) struct Source {
    name: Arc<str>,
    text: Arc<str>,
}

impl Source {
    pub(super) fn new(name: String, text: String) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Takes a file's bytes; a byte order mark is no part of its text.
    pub(super) fn from_bytes(name: String, bytes: Vec<u8>) -> Result<Self, Problem> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let good = Self::new(name.clone(), String::from_utf8_lossy(error.as_bytes()).into_owned());
            let location = good.locate(offset..offset + '\u{FFFD}'.len_utf8());
            Problem::new(Some(location), "", format!("is no UTF-8 text (byte {offset})"))
        })?;
        let text = text.strip_prefix('\u{FEFF}').map_or(text.clone(), str::to_owned);
        Ok(Self::new(name, text))
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn locate(&self, span: Range<usize>) -> Location {
        let start = floor(&self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[line_start..];
        let line_text = rest.lines().next().unwrap_or("");
        let end = floor(&self.text, span.end).clamp(start, (line_start + line_text.len()).max(start));
        Location {
            file: Arc::clone(&self.name),
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            width: self.text[start..end].chars().count().max(1),
            excerpt: line_text.to_owned(),
        }
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A place in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least one.
    pub width: usize,
    /// The whole line.
    pub excerpt: String,
}

impl Location {
    /// The same place, with the line shown only up to its end.
    pub(super) fn hiding_the_rest(mut self) -> Self {
        let shown = self.column - 1 + self.width;
        if self.excerpt.chars().count() > shown {
            self.excerpt = self.excerpt.chars().take(shown).chain(" …".chars()).collect();
        }
        self
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; nowhere if it is about something that is not in the file.
    pub location: Option<Location>,
    /// The key's path, as `publishers[0].batch.max_age`; empty if it is about no key.
    pub key: String,
    /// What is wrong, and where possible what would be right.
    pub message: String,
}

impl Problem {
    pub(super) fn new(location: Option<Location>, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { location, key: key.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        self.location.as_ref().map_or(Ok(()), |location| snippet(f, location))
    }
}

fn snippet(f: &mut fmt::Formatter<'_>, location: &Location) -> fmt::Result {
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    // Tabs stay tabs before the caret, so that it stands under its text whatever their width.
    let indent: String =
        location.excerpt.chars().take(location.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    write!(f, "\n{margin} |\n{number} | {}\n{margin} | {indent}{}", location.excerpt, "^".repeat(location.width))
}

/// All problems, a blank line between them, in the order of the file.
pub(super) fn render(problems: &[Problem]) -> String {
    let mut out = String::new();
    for (index, problem) in problems.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n\n" };
        let _ = write!(out, "{gap}{problem}");
    }
    out
}
