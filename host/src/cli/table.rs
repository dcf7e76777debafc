//! Columns for people: text to the left, numbers to the right.

use std::fmt;

use anstyle::Style;

use super::terminal::Painted;

/// A table with a row of titles.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<Cell>,
    /// Lines below it.
    notes: Vec<String>,
}

/// One cell. A text that begins with a digit is a number, unless it is painted.
#[derive(Debug)]
pub(super) struct Cell {
    text: String,
    to_the_right: bool,
    style: Style,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { to_the_right: text.starts_with(|c: char| c.is_ascii_digit()), text, style: Style::new() }
    }
}

impl<T: fmt::Display> From<Painted<T>> for Cell {
    fn from(painted: Painted<T>) -> Self {
        let (style, text) = painted.into_parts();
        Self { text: text.to_string(), to_the_right: false, style }
    }
}

impl Table {
    pub(super) fn new(titles: &[&str]) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(titles.iter().map(|title| (*title).to_owned()));
        table
    }

    /// Adds a row.
    pub(super) fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.row_with_notes(cells, Vec::new());
    }

    /// Adds a row with lines below it.
    pub(super) fn row_with_notes<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>, notes: Vec<String>) {
        self.rows.push(Row { cells: cells.into_iter().map(Into::into).collect(), notes });
    }

    fn columns(&self) -> Vec<(usize, bool)> {
        let count = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.cells.get(column));
        (0..count)
            .map(|column| {
                let width = cells(column).map(|cell| cell.text.chars().count()).max().unwrap_or(0);
                (width, cells(column).any(|cell| cell.to_the_right))
            })
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        for (index, row) in self.rows.iter().enumerate() {
            let mut cells = Vec::with_capacity(row.cells.len());
            for (cell, (width, numbers)) in row.cells.iter().zip(&columns) {
                let Cell { text, style, .. } = cell;
                // A title stands as its column does, other texts in a column of numbers as texts.
                if cell.to_the_right || (index == 0 && *numbers) {
                    cells.push(format!("{style}{text:>width$}{style:#}"));
                } else {
                    cells.push(format!("{style}{text:<width$}{style:#}"));
                }
            }
            writeln!(f, "{}", cells.join("  ").trim_end())?;
            row.notes.iter().try_for_each(|note| writeln!(f, "{note}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Paint;

    #[test]
    fn numbers_stand_below_each_other() {
        let mut table = Table::new(&["publisher", "accepted", "note"]);
        table.row(["search".to_owned(), "6,965".to_owned(), "fine".to_owned()]);
        table.row(["a-long-name".to_owned(), "7".to_owned(), String::new()]);
        let wanted = "publisher    accepted  note\nsearch          6,965  fine\na-long-name         7\n";
        assert_eq!(table.to_string(), wanted);
    }

    #[test]
    fn colour_takes_no_room_and_notes_no_column() {
        let mut table = Table::new(&["verdict", "answer"]);
        let row = |verdict: Painted<&'static str>| [Cell::from(verdict), Paint(false).plain("14 s behind").into()];
        table.row_with_notes(row(Paint(true).bad("bad")), vec!["  a note that is longer than the table".to_owned()]);
        table.row(row(Paint(false).bad("unknown")));
        let plain = table.to_string().replace("\u{1b}[1m\u{1b}[31m", "").replace("\u{1b}[0m", "");
        let wanted =
            "verdict  answer\nbad      14 s behind\n  a note that is longer than the table\nunknown  14 s behind\n";
        assert_eq!(plain, wanted, "{table}");
    }
}
